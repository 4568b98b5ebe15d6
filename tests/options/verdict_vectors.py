"""Values of options, good and bad, each for its place: what every door is asked about.

A value stands here once, as Python has it; :func:`toml` writes it as a file would. Whether it is
good is said here, so that four doors that agree on nonsense are seen.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

INF, NAN = math.inf, math.nan
KEY = "sk-canary-4f81"
SECRET = "a-secret-of-forty-eight-characters-for-any-hash-x"


@frozen
class Row:
    """One value of one option.

    :ivar place: ``"proxy.timeout"``.
    :ivar good: whether every door takes it.
    :ivar tells: the place whose line it is, where that is another.
    :ivar beside: other options, by place, that the value needs to be judged for itself.
    """

    place: str
    value: Any
    good: bool
    beside: tuple[tuple[str, Any], ...] = ()
    tells: str = ""

    def __str__(self) -> str:
        return f"{self.place} = {self.value!r}"[:120]


def toml(value: Any) -> str:
    """*value* as a file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {toml(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    assert isinstance(value, datetime.date)
    return value.isoformat()


DAY = datetime.date(2026, 1, 1)
#: Of no type that any option has.
STRANGE: tuple[Any, ...] = (DAY, {"a": 1})

BAD_DURATIONS = (0, -1, 0.0, -0.5, INF, -INF, NAN, True, False, "", "5", "soon", "5 minutes")
BAD_DURATIONS += ("-1s", "0s", "1e3s", "5M", 10**400, [], [5], *STRANGE)
GOOD_DURATIONS = (1, 0.25, 5, "500ms", "30s", "2.5s", "15m", "2h", "7d", " 5s ")
BAD_COUNTS = (0, -1, True, False, 1.0, 1.5, INF, NAN, "", "5", [], *STRANGE)
GOOD_COUNTS = (1, 7, 10**6)
BAD_SIZES = (0, -1, 1.5, True, INF, NAN, "", "0", "0kb", "-1kb", "1 megabyte", "1tb", "mb", [], DAY)
BAD_SIZES += ("9" * 400 + "kb",)
GOOD_SIZES = (1, 1024, "1b", "500kb", "1.5mb", "1gb", "1 MB")
BAD_FLAGS = (0, 1, "true", "", [], 1.0, *STRANGE)

HOP_BY_HOP = ("Connection", "TE", "transfer-encoding", "Upgrade", "Keep-Alive", "Trailer")
BAD_NAMES = ("", "a b", "a:b", "ä", "a\r\nb", "a\x00", "Host", "HOST", "content-length", "Expect")
BAD_NAMES += (*HOP_BY_HOP, 3, True, [], *STRANGE)
BAD_PATTERNS = (*BAD_NAMES, "*", "*-X", "X-*-Y", "a**")
NEVER_RELAYED = ("Set-Cookie", "set-cookie2", "Server", "Access-Control-Allow-Origin")
NEVER_RELAYED += ("access-control-expose-headers", "Clear-Site-Data", "Strict-Transport-Security")

BAD_METHODS = ("", "post", "Post", "GE T", "OPTIONS", "CONNECT", "TRACE", "G\n", "G!", "P(", "ä", 1)
BAD_METHODS += (True, *STRANGE)
BAD_MEDIA = ("", "json", "application/", "/json", "*/json", "text/plain; charset=utf-8")
BAD_MEDIA += ("a/b/c", "*", "a b/c", "application/json\n", 3, True, *STRANGE)

BAD_HOSTS = ("", " ", "*", ".", ".com", "*.com", "*.co.uk", "com", "https://api.example.com", "a/b")
BAD_HOSTS += ("api.example.com:443", "user@api.example.com", "*.*.example.com", "a*.example.com")
BAD_HOSTS += (
    "bücher.example",
    "127.0.0.1",
    "[::1]",
    "::1",
    "localhost",
    "10.0.0.0/8",
    "2130706433",
)
BAD_HOSTS += ("0x7f.1", "api..example.com", "-a.example.com", "a" * 64 + ".example.com", 3, True)
BAD_HOSTS += ("github.io", ".github.io", *STRANGE)
BAD_TARGETS = (
    "",
    "api.example.com",
    "ftp://api.example.com",
    "https://",
    "https://u:p@a.example.com",
)
BAD_TARGETS += (
    "https://a.example.com/?q=1",
    "https://a.example.com/#f",
    "https://a.example.com/..",
)
BAD_TARGETS += ("https://a.example.com/a//b", "https://a.example.com:0/", "https://127.0.0.1/")
BAD_TARGETS += ("https://a.example.com:99999/", "https://a.example.com/%2e%2e/", "//a.example.com")
BAD_TARGETS += ("https://com/", "https://bücher.example/", 3, True, [], *STRANGE)

BAD_ORIGINS = ("null", "", "localhost:3000", "https://a.example.com/", "https://A.example.com")
BAD_ORIGINS += (
    "https://a.example.com:443",
    "http://a.example.com:80",
    "https://a.example.com/path",
)
BAD_ORIGINS += ("https://u@a.example.com", "https://", "https://a b", "http://bücher.example", 3)
BAD_ORIGINS += ("https://a.example.com?x", "https://a.example.com#x", "*", True, *STRANGE)
BAD_ORIGINS += ("https://*", "https://*.com", "https://*.co.uk", "https://*.vercel.app", "*.a.com")
BAD_ORIGINS += ("https://*.*.example.com", "https://a.*.example.com", "https://**.example.com")
BAD_ORIGINS += ("https://*.example.com:443", "https://*.Example.com", "https://*.example.com/")
BAD_ORIGINS += ("https://*-team.com", "https://*.0.0.1", "https://*.amazonaws.com", "null*")
GOOD_PATTERNS = ("https://*.example.com", "https://*-team.vercel.app", "http://*.localhost:3000")
BAD_PATHS = (
    "",
    "/",
    "a",
    "/a/",
    "//a",
    "/a//b",
    "/a/../b",
    "/.",
    "/a/..",
    "/a/./b",
    "/%41",
    "/a b",
)
BAD_PATHS += ("/a?b", "/a#b", "/<x>", "/ä", "/a\n", "/a;b", "/a:b", 3, True, [], *STRANGE)
BAD_CIDRS = (
    "",
    "10.0.0.1/8",
    "example.org",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/33",
    "10.0.0.0/8:80",
    4,
)
BAD_CIDRS += ("300.0.0.0/8", "UNIX", "unix:", "unix:/run/a.sock", "", True, *STRANGE)
BAD_NETWORKS = ("", "everything", "0.0.0.0/0", "::/0", "10.0.0.1/8", "127.0.0.1/32:0", "a/8", 3)
BAD_NETWORKS += ("127.0.0.1/32:65536", "127.0.0.1/33", "::ffff:127.0.0.1/128", True, *STRANGE)
BAD_DNS = ("", "dns.example", "9.9.9.9:0", "9.9.9.9:65536", "[9.9.9", "999.1.1.1", "9.9.9.9:x")
BAD_DNS += ("9.9.9.9/32", "::1:53:", 9, True, *STRANGE)
BAD_LISTEN = (
    "",
    "nonsense",
    "4020",
    "tcp",
    "tcp:",
    "tcp:99999",
    "tcp:-1",
    "tcp:x",
    "tcp:1:2:3:4:5",
)
BAD_LISTEN += ("tcp:4020:interface=example.org", "tcp:4020:colour=red", "tcp:4020\\", "udp:4020", 4)
BAD_LISTEN += ("haproxy:", "haproxy:tcp", "haproxy:haproxy:tcp:4020", "haproxy:udp:4020", "haproxy")
BAD_LISTEN += ("haproxy:ssl:4020:privateKey=/no/such.pem", "haproxy:tcp:4020:colour=red")
BAD_LISTEN += ("tcp6:4020:interface=127.0.0.1", "ssl:4020:privateKey=/no/such.pem", True, *STRANGE)
BAD_SERVER_NAMES = (
    "",
    "https://a.example.com",
    "a/b",
    "a b",
    "a.example.com:80",
    "*",
    "ä",
    3,
    True,
)
BAD_SERVER_NAMES += tuple(STRANGE)
BAD_RULES = ("", "nobody", "role:", "role:a b", "users", "json", "json:", ":x", "a b:c", 3, True)
BAD_RULES += ("no_such_module:x", "json:no_such_name", "json:__doc__", *STRANGE)
BAD_LIMITS = (0, 5, "200 in 15m", True, [], {}, {"requests": 1}, {"window": 1}, {"requests": 0})
BAD_LIMITS += (
    {"requests": 0, "window": 1},
    {"requests": True, "window": 1},
    {"requests": 1.5, "window": 1},
    {"requests": 1, "window": 0},
    {"requests": 1, "window": INF},
    {"requests": 1, "window": NAN},
    {"requests": 1, "window": -1},
    {"requests": 1, "window": "soon"},
    {"requests": 1, "window": 1, "per": "user"},
)
GOOD_BREAKERS = (False, {}, {"failures": 1}, {"failures": 3, "window": "1m", "open": 0.5})
BAD_BREAKERS = (0, 5, "5", True, [], {"failures": 0}, {"failures": 1.5}, {"failures": "5"})
BAD_BREAKERS += ({"window": 0}, {"window": INF}, {"open": -1}, {"open": "soon"}, {"opens": 1})
BAD_SECRETS = ("", " ", "${env:NO_SUCH}", "${env:}", "${x}", "a${", "${file:no-such-file}", "a\nb")
BAD_SECRETS += (
    "$KEY",
    "Bearer $env:KEY",
    "'quoted-key'",
    "k\u00e9y",
    "${env:EMPTY}",
    3,
    True,
    [],
    *STRANGE,
)


GRANT = {"token_url": "https://id.example/t", "client_id": "me", "client_secret": "${env:SECRET}"}
BAD_TOKEN_URLS = ("", "id.example", "ftp://a/", "https://u:p@a.example/", "https://a.example/#f", 3)
BAD_GRANTS: tuple[Any, ...] = (3, True, "https://id.example/t", [], {}, *STRANGE)
BAD_GRANTS += tuple({**GRANT, "token_url": url} for url in BAD_TOKEN_URLS)
BAD_GRANTS += tuple(
    {**GRANT, "client_secret": value} for value in BAD_SECRETS if value != "k\u00e9y"
)
BAD_GRANTS += tuple({**GRANT, "client_id": value} for value in ("", " ", "${env:NO_SUCH}", 3))
BAD_GRANTS += ({**GRANT, "auth": "post"}, {**GRANT, "scope": ["a"]}, {**GRANT, "audience": 3})
BAD_GRANTS += ({**GRANT, "secret": "x"}, {**GRANT, "client_secret": "$SECRET"})
PLACE = {"region": "eu-west-1", "service": "bedrock"}
KEYS = {"access_key": "AKIDEXAMPLE", "secret_key": "${env:SECRET}"}
BAD_SIGNERS: tuple[Any, ...] = (3, True, [], {}, "bedrock", "a b:c", "json:no_such", "json:__doc__")
BAD_SIGNERS += ("no_such_module:x", *STRANGE)
BAD_SIGNERS += tuple(
    {"aws_sigv4": value}
    for value in (
        *(3, "bedrock", [], {}, PLACE, KEYS, {**PLACE, "access_key": "AKIDEXAMPLE"}),
        *({**PLACE, **KEYS, "profile": "x"}, {**PLACE, **KEYS, "region": "EU west"}),
        *({**PLACE, **KEYS, "service": ""}, {**PLACE, **KEYS, "secret_key": ""}),
        *({**PLACE, **KEYS, "session_token": value} for value in BAD_SECRETS),
    )
)
GOOD_SIGNERS = ("json:loads", {"aws_sigv4": {**PLACE, **KEYS}})
BAD_URLS = ("", "id.example", "ftp://a/", "http://", "https://u:p@a/", "https://a/#f", 3, True, [])


GOOD_BUDGETS: tuple[dict[str, Any], ...] = (
    {"tokens": 200_000, "per": "day"},
    {"requests": 5, "per": "hour", "of": "address", "mode": "audit"},
    {"usd": 0.25, "per": "24h", "of": "route"},
    {"usd": "1.50", "per": "month", "zone": "Europe/Berlin", "mode": "enforce"},
)
BAD_BUDGETS: tuple[Any, ...] = (
    *({}, {"per": "day"}, {"tokens": 5}, {"tokens": 5, "usd": 5, "per": "day"}, 3, "x", True),
    *({"tokens": value, "per": "day"} for value in (0, -1, 1.5, "5", True, [])),
    *({"usd": value, "per": "day"} for value in (0, -1, "x", "NaN", True, [], 10**8, "inf")),
    *({"requests": 5, "per": value} for value in ("week", "", 5, "5s", "500d", True, [])),
    *({"requests": 5, "per": "day", "of": value} for value in ("team", "", 3)),
    *({"requests": 5, "per": "day", "zone": value} for value in ("Mars/Base", "", "../x", 3)),
    {"requests": 5, "per": "24h", "zone": "UTC"},
    {"requests": 5, "per": "day", "mode": "off"},
    {"requests": 5, "per": "day", "limit": 5},
)


def _rules_of_bodies() -> Iterator[Row]:
    yield from _lists("proxy.models", "gpt-5*", ("", "*", "a*b", "a\nb", 3, True), empty=False)
    vendor = ("proxy.allowed_hosts", None), ("proxy.provider", "openai")
    bounds = (2000, {"tokens": 5}, {"tokens": 5, "over": "clamp"}, {"over": "refuse", "tokens": 1})
    yield from _rows("proxy.max_output_tokens", True, bounds, *vendor)
    bad = (
        0,
        -1,
        "5",
        1.5,
        True,
        [],
        {},
        {"tokens": 0},
        {"tokens": 5, "over": "cut"},
        {"over": "x"},
    )
    yield from _rows("proxy.max_output_tokens", False, bad, *vendor)
    yield Row("proxy.max_output_tokens", 5, False)
    yield Row("proxy.max_output_tokens", 5, False, (vendor[1],))
    stripe = vendor[0], ("proxy.provider", "stripe")
    yield Row("proxy.max_output_tokens", 5, False, stripe)
    rule = {"in": ["eur"], "type": "string", "required": True}
    yield from _rows(
        "proxy.body",
        True,
        (
            {"only": ["model"], "rules": {"model": rule}},
            {"forbid": ["tools", "a.b"]},
            {"set": {"a.b": {"c": [1]}, "n": 1}, "default": {"x": 0.5}},
            {"rules": {"n": {"min": 1, "max": 2}, "a": {"max_items": 3}, "t": {"max_length": 9}}},
            {"batches": True, "rules": {"n": {"type": "integer", "max": 2}}},
        ),
    )
    yield from _rows(
        "proxy.body",
        False,
        (
            *({}, [], "x", {"onyl": ["a"]}, {"only": []}, {"only": ["a.b"]}, {"only": [""]}),
            *({"forbid": ["a..b"]}, {"forbid": [1]}, {"set": []}, {"set": {"a": "${env:KEY}"}}),
            *({"default": {"u": "${user:id}"}}, {"rules": {"a": {}}}, {"rules": {"a": 1}}),
            *({"rules": {"a": {"mxa": 1}}}, {"rules": {"a": {"in": []}}}, {"batches": True}),
            *({"rules": {"a": {"min": 2, "max": 1}}}, {"rules": {"a": {"type": "text"}}}),
            *({"rules": {"a": {"max": 1, "max_length": 1}}}, {"rules": {"a": {"max": True}}}),
            *({"rules": {"a": {"max": 1, "in": [2]}}}, {"rules": {"a": {"max": 2**60}}}),
            *({"only": ["a"], "default": {"b": 1}}, {"only": ["a"], "forbid": ["b"]}),
            *({"set": {"a": 1}, "default": {"a": 1}}, {"set": {"a": 1, "a.b": 2}}),
            {"only": ["a"], "rules": {"b": {"required": True}}},
            {"batches": True, "set": {"a": 1}, "forbid": ["b"]},
        ),
    )
    word = {"set": {"user": "${user:id}"}}
    yield Row("proxy.body", word, False, (("auth.mode", "none"),))
    yield Row("proxy.body", word, False, (("proxy.authorize", "anyone"),))
    yield from _rows("proxy.judge", False, ("", "judge", "a.b", "a:b:c", 3, [], {}))
    refusing = ("models", ["m"]), ("body", {"forbid": ["a"]}), ("judge", "math:floor")
    bounded = (*vendor, ("proxy.max_output_tokens", 5))
    yield Row("proxy.observe", True, False, bounded)
    yield Row("proxy.observe", False, True, bounded)
    for key, value in refusing:
        yield Row("proxy.observe", True, False, ((f"proxy.{key}", value),))
    for key, value in (("body", {"forbid": ["a"]}), ("judge", "math:floor")):
        yield Row(f"proxy.{key}", value, False, (("proxy.content_type", "application/sdp"),))


def _rows(place: str, good: bool, values: Any, *beside: tuple[str, Any]) -> Iterator[Row]:
    return (Row(place, value, good, beside) for value in values)


def _lists(place: str, item: Any, bad: Any, *, empty: bool) -> Iterator[Row]:
    """A list of good items, of each bad one beside a good one, and what is no list."""
    yield from _rows(place, True, [[item]])
    yield from _rows(place, False, [[item, value] for value in bad])
    yield from _rows(place, False, (3, True, *STRANGE))
    yield from _rows(place, empty, [[]])


def _server() -> Iterator[Row]:
    yield from _rows("server.name", False, ("", " ", "a\nb", "x" * 101, 3, True, [], *STRANGE))
    yield from _rows("server.name", True, ("ai", "my assistant", "x" * 100))
    yield from _rows("server.base_path", False, set(BAD_PATHS[1:18]) - {"", "/"})
    yield from _rows("server.base_path", True, ("", "/", "/api/v1", "/a"))
    yield from _rows("server.listen", False, [[value] for value in BAD_LISTEN])
    yield from _rows("server.listen", False, ("tcp:4020", 3, True))
    here = "interface=127.0.0.1"
    twice = ([f"tcp:4:{here}", f"tcp:4:{here}"], [f"tcp:4:{here}", "unix:/a", "unix:/a"])
    yield from _rows("server.listen", False, twice)
    apart = ([f"tcp:4:{here}", f"tcp:5:{here}"], [f"tcp:4:{here}", "tcp6:4:interface=\\:\\:1"])
    fronted = ([f"haproxy:tcp:4:{here}", f"tcp:5:{here}"], ["haproxy:unix:/a", "unix:/b"])
    yield from _rows("server.listen", True, fronted)
    yield from _rows("server.listen", False, [[f"haproxy:tcp:4:{here}", f"tcp:4:{here}"]])
    yield from _rows("server.listen", True, (*apart, [f"tcp:0:{here}", f"tcp:0:{here}"]))
    yield from _rows(
        "server.cors_origins", False, [[value] for value in BAD_ORIGINS if value != "*"]
    )
    yield from _rows("server.cors_origins", False, [v for v in BAD_ORIGINS if v != "*"])
    yield from _rows("server.cors_origins", False, [["https://a.example.com", "*"]])
    yield from _rows("server.cors_origins", True, ("*", ["*"], [], "http://localhost:3000"))
    yield from _rows("server.cors_origins", True, [["https://a.example.com", "http://[::1]:3000"]])
    yield from _rows("server.cors_origins", True, [*GOOD_PATTERNS, list(GOOD_PATTERNS)])
    yield from _lists("server.cors_headers", "X-A-*", BAD_PATTERNS, empty=True)
    yield from _lists("server.server_names", "a.example.com", BAD_SERVER_NAMES, empty=True)
    yield from _lists("server.trusted_proxies", "10.0.0.0/8", BAD_CIDRS, empty=True)
    yield from _rows("server.trusted_proxies", True, [["unix"], ["unix", "::1"]])
    for place in ("server.rate_limit", "server.user_rate_limit"):
        yield from _rows(place, False, BAD_LIMITS)
        yield from _rows(place, True, (False, {"requests": 5, "window": "1m"}))
    for place in ("server.compression", "server.security_headers", "server.https_redirect"):
        yield from _rows(place, False, BAD_FLAGS)
        yield from _rows(place, True, (True, False))
    for place in ("server.hsts", "server.lame_duck", "server.drain_timeout"):
        yield from _rows(place, False, BAD_DURATIONS)
        yield from _rows(place, True, GOOD_DURATIONS)
    connections = ("server.max_connections", "server.connections_per_address")
    for place in ("server.max_in_flight", "server.max_in_flight_per_user", *connections):
        yield from _rows(place, False, BAD_COUNTS)
        yield from _rows(place, True, GOOD_COUNTS)
    yield from _rows("server.admin_listen", False, [v for v in BAD_LISTEN if v != ""])
    yield from _rows("server.admin_listen", False, ("tcp:0:interface=0.0.0.0", "tcp:0"))
    yield from _rows("server.admin_listen", False, [f"haproxy:tcp:9:{here}", "haproxy:unix:/a"])
    yield from _rows("server.admin_listen", True, ("", "tcp:0:interface=127.0.0.1"))
    yield from _rows("server.admin_remote", False, BAD_FLAGS)
    yield from _rows("server.state_dir", False, (3, True, [], *STRANGE))
    yield from _rows("server.database_url", False, ("mysql://h/d", "${env:NO_SUCH}", 3, True))
    yield from _rows(
        "server.alert_url",
        False,
        ("http://h/", "https://", "ftp://h/", "hunter2", "https://a@h/", "https://h/#x", 3, True),
    )
    yield from _rows("server.alert_url", True, ("https://h/hook?t=1", "http://localhost:9/", ""))
    yield from _rows("server.alert_secret", False, ("too-short", "x" * 32, 3, True, "${env:NO}"))
    yield from _rows("server.workers", False, (0, 257, True, "many", "2", 1.0, -1))
    yield from _rows("server.workers", True, (1, 2))


def _others() -> Iterator[Row]:
    yield from _lists("upstream.dns_servers", "9.9.9.9", BAD_DNS, empty=True)
    yield from _lists("upstream.allow_networks", "127.0.0.1/32:9100", BAD_NETWORKS, empty=True)
    yield from _rows("upstream.ca_file", False, ("no-such.pem", "/", 3, True, []))
    for section in ("upstream", "proxy"):
        for key in ("client_cert", "client_key"):
            yield from _rows(f"{section}.{key}", False, ("no-such.pem", "/", 3, True, []))
            yield from _rows(f"{section}.{key}", True, ("",))
    yield from _rows(
        "redis.url", False, ("hunter2", "http://h", "redis://", "redis://h/x", 3, True)
    )
    yield from _rows("redis.url", False, ("redis://h:99999", "${env:NO_SUCH}", "redis://h/-1"))
    yield from _rows("redis.on_redis_loss", False, ("", "perhaps", "Local", 3, True, []))
    yield from _rows("redis.on_redis_loss", True, ("local", "deny"))
    yield from _rows("keys.master_key", False, ("hunter2", " ", SECRET, "${env:NO_SUCH}", 3, True))
    yield from _prices()
    yield from _rows("auth.required", False, BAD_FLAGS)
    jwt = ("auth.mode", "jwt"), ("auth.required", True)
    for value in ("short", " ", "${env:NO_SUCH}", "-----BEGIN " + SECRET, "a\nb" * 20, 3, True, []):
        yield Row("auth.secret", value, False, jwt)
    yield Row("auth.secret", SECRET, True, jwt)
    yield from _page_tokens()
    yield from _guests()


def _guests() -> Iterator[Row]:
    guest, long = ("auth.mode", "guest"), "k" * 32
    limit = {"requests": 5, "window": "1h"}
    verify = {"verify_url": "https://challenges.example.com/siteverify", "verify_secret": SECRET}
    tables: tuple[dict[str, Any], ...] = (
        {},
        {"ttl": "30d", "cookie": "__Host-guest", "same_site": "strict", "keys": f"{long},j{long}"},
        {"ttl": 60, "same_site": "none", "per_address": limit, "per_prefix": limit},
        {**verify, "verify_hostnames": ["app.example.org", "localhost"], "verify_action": "ask"},
        {"app_check": "123456789012", "app_check_keys": "http://localhost:1/keys"},
    )
    yield from _rows("auth.guest", True, tables, guest)
    yield from _rows("auth.page_tokens", False, ({}, {"max_ttl": 5}), guest, ("auth.guest", {}))
    yield Row("auth.page_tokens", {"issuers": [long]}, True, (guest, ("auth.guest", {})))
    for members in (
        *({"ttl": value} for value in (0, 59, "401d", True, "soon", INF, NAN, [])),
        *({"cookie": value} for value in ("", "a b", "a;b", "naap_csrf_token", 3, True, [])),
        *({"same_site": value} for value in ("", "Lax", "no", 3, True, [])),
        *({"keys": value} for value in ("", "short", f"{long},{long}", "${env:NO_SUCH}", 3)),
        *({"per_address": value} for value in (3, True, False, {}, {**limit, "requests": 0})),
        *({"per_prefix": value} for value in (3, True, False, {}, {**limit, "window": "0s"})),
        *({**verify, "verify_url": value} for value in ("", "http://example.com/v", "x", 3, True)),
        *({**verify, "verify_secret": value} for value in ("", "${env:NO_SUCH}", 3, True, [])),
        *({**verify, "verify_hostnames": value} for value in ([], "a", [""], ["A.b"], [3], [[]])),
        *({**verify, "verify_action": value} for value in ("", "a\nb", 3, True, [])),
        *({"app_check": value} for value in ("", "my-project", 123, True, "1" * 21, [])),
        {"app_check": "1", "app_check_keys": "http://example.com/keys"},
        {"verify_url": verify["verify_url"]},
        {"verify_secret": SECRET},
        {"verify_hostnames": ["a.b"]},
        {"app_check_keys": "https://example.com/keys"},
        {"max_ttl": 60},
    ):
        yield Row("auth.guest", members, False, (guest,))
    yield from _rows("auth.guest", False, (3, True, "1h", *STRANGE), guest)


def _page_tokens() -> Iterator[Row]:
    long, other = "k" * 32, "j" * 40
    tables: tuple[dict[str, Any], ...] = (
        {},
        {"max_ttl": "1h"},
        {"max_ttl": 60},
        {"issuers": []},
        {"issuers": [long, other]},
        {"keys": long},
        {"keys": f"{long},{other}"},
        {"max_ttl": "30d", "issuers": [SECRET], "keys": f" {long} , {other} "},
    )
    jwt = ("auth.mode", "jwt"), ("auth.secret", SECRET)
    yield from _rows("auth.page_tokens", True, tables, *jwt)
    none = ("auth.mode", "none")
    yield from _rows("auth.page_tokens", False, ({}, {"issuers": [], "max_ttl": 5}), none)
    yield from _rows("auth.page_tokens", True, ({"issuers": [long]},), none)
    for required in (("auth.required", True), ("proxy.authorize", "user")):
        yield Row("auth.page_tokens", {"issuers": [long]}, True, (none, required))
    for members in (
        *({"max_ttl": value} for value in (0, -1, 0.5, "31d", True, "soon", INF, NAN, [])),
        *({"issuers": [value]} for value in ("", "short", long + "ä", "naap_p1." + long, 3, True)),
        *({"issuers": value} for value in (long, 3, [long, long], ["${env:NO_SUCH}"])),
        *({"keys": value} for value in ("", "short", f"{long},", f"{long},{long}", 3, [long])),
        *({"keys": value} for value in (f"{long},short", "${env:NO_SUCH}", f"'{long}'")),
        {"ttl": 60},
    ):
        yield Row("auth.page_tokens", members, False)
    yield from _rows("auth.page_tokens", False, (3, True, "1h", *STRANGE))


def _prices() -> Iterator[Row]:
    plain = {"input": 0.15, "output": 0.6}
    long = {"input_tokens": 200_000, "input": 0.3, "output": "1.2"}
    yield from _rows("prices", False, (3, True, "gpt-4o", [], {"gpt-4o": 3}, {"gpt-4o": {}}))
    for name in ("", " ", "a*b", "**", "a\nb", "x" * 201):
        yield Row("prices", {name: plain}, False)
    for amount in (-1, -0.5, INF, NAN, True, "", "a", "1,5", "-1", "1e-99", 1e7, 10**6 + 1, [], {}):
        yield Row("prices", {"gpt-4o": plain | {"input": amount}}, False)
        yield Row("prices", {"gpt-4.1": plain | {"cache_write": amount}}, False)
    for more in ({"inptu": 1}, {"above": {}}, {"above": long | {"input_tokens": 0}}):
        yield Row("prices", {"gpt-4o": plain | more}, False)
    yield Row("prices", {"gpt-4o": plain | {"above": long | {"above": long}}}, False)
    yield from _rows("prices", True, ({}, {"gpt-4.1": plain, "gpt*": plain | {"above": long}}))
    for amount in (0, 3, 0.075, "0.15", 1_000_000, 1e-7):
        members = ("input", "output", "cached_input", "cache_write", "audio_input", "audio_output")
        yield Row("prices", {"*": dict.fromkeys((*members, "image_input"), amount)}, True)
        for name in ("per_second", "per_minute", "per_hour"):
            yield Row("prices", {"a": {name: amount}}, True)
            yield Row("prices", {"a": plain | {name: amount}}, True)
    yield Row("prices", {"a": {"per_minute": 1, "per_hour": 1}}, False)
    yield Row("prices", {"a": {"per_minute": -1}}, False)
    yield Row("prices", {"a": plain | {"above": long | {"per_minute": 1}}}, False)


def _auth() -> Iterator[Row]:
    """What only a file has: three doors."""
    session = (("auth.mode", "session"), ("auth.session_url", "http://127.0.0.1:9/me"))
    jwt = (("auth.mode", "jwt"), ("auth.secret", SECRET))
    yield from _rows("auth.mode", False, ("", "Session", "none ", 3, True, [], *STRANGE))
    yield from _rows("auth.session_url", False, BAD_URLS, *session[:1])
    yield from _rows("auth.session_url", True, ("https://id.example/me?x=1",), *session[:1])
    for key in ("cache_ttl", "session_timeout"):
        yield from _rows(f"auth.{key}", False, BAD_DURATIONS, *session)
        yield from _rows(f"auth.{key}", True, GOOD_DURATIONS, *session)
        yield from _rows(f"auth.{key}", False, (7,), *jwt)
    for key in ("session_cookie", "csrf_cookie"):
        yield from _rows(f"auth.{key}", False, ("a b", "a;", "a=b", "ä", 3, True, []), *session)
        yield from _rows(f"auth.{key}", True, ("sid", "__Host-sid"), *session)
    yield from _rows("auth.csrf_cookie", False, ("", "naap_auth_token"), *session)
    yield from _rows("auth.algorithms", False, ([], ["none"], ["RS256"], "HS256", [3], True), *jwt)
    yield from _rows("auth.algorithms", True, (["HS256"], ["HS256", "HS384"]), *jwt)
    yield from _lists("auth.token_headers", "X-Api-Key", BAD_NAMES, empty=True)
    yield from _rows("auth.audience", False, ("", [""], [], 3, True, [3]), *jwt)
    yield from _rows("auth.audience", True, ("a", ["a", "b"]), *jwt)
    yield from _rows("auth.issuer", False, ("", 3, True, ["a"]), *jwt)
    yield from _rows("auth.leeway", False, (-1, INF, NAN, True, "", "10m", 301, []), *jwt)
    yield from _rows("auth.leeway", True, (0, 0.0, 5, "30s", "5m"), *jwt)
    published = (("auth.mode", "jwt"), ("auth.algorithms", ["RS256"]))
    yield from _rows("auth.jwks_url", False, (*BAD_URLS, "http://id.example/keys"), *published)
    yield from _rows("auth.jwks_url", True, ("https://id.example/k",), *published)
    yield from _rows("auth.public_key_file", False, ("no.pem", "", ".", 3, True), *published)


def _routes() -> Iterator[Row]:
    yield from _rows("proxy.path", False, BAD_PATHS)
    yield from _rows("proxy.path", True, ("/b", "/a/b", "/a.b/c_d~e-f", "/..a", "/healthz"))
    yield from _lists("proxy.allowed_hosts", "api.example.com", BAD_HOSTS, empty=False)
    yield from _rows("proxy.allowed_hosts", False, ("api.example.com", ""))
    yield from _rows("proxy.allowed_hosts", True, [["*.example.com"], [".api.example.com"]])
    for value in BAD_TARGETS:
        yield Row("proxy.target", value, False, (("proxy.allowed_hosts", None),))
    for value in (
        "https://a.example.com",
        "https://a.example.com:8443/v1",
        "http://a.example.com/",
    ):
        yield Row("proxy.target", value, True, (("proxy.allowed_hosts", None),))
    for piece in ("${env:NO_SUCH}", "${env:EMPTY}", "${env:UMLAUT}", "${env:SLASH}", "${x}", "${"):
        value = f"https://a.example.com/{piece}/v1"
        yield Row("proxy.target", value, False, (("proxy.allowed_hosts", None),))
    for value in ("https://${env:SECRET}/", "https://a.example.com/?k=${env:SECRET}"):
        yield Row("proxy.target", value, False, (("proxy.allowed_hosts", None),))
    value = "https://a.example.com/s/${env:SECRET}/bot${env:COLON}"
    yield Row("proxy.target", value, True, (("proxy.allowed_hosts", None),))
    value = "http://a.example.com/s/${env:SECRET}"  # a key over plain http
    yield Row("proxy.target", value, False, (("proxy.allowed_hosts", None),))
    own = (("proxy.allowed_hosts", None), ("upstream.allow_networks", ["10.0.0.0/8"]))
    for value in ("http://ollama:11434", "http://app", "http://my_api:8000/v1", "http://a_b.c"):
        yield Row("proxy.target", value, False, own[:1])
        yield Row("proxy.target", value, True, own)
    yield Row("proxy.target", "https://my_api/v1", False, own)
    yield from _rows("proxy.target_url_header", False, BAD_NAMES)
    yield from _rows("proxy.target_url_header", True, ("X-WHIP-URL", "x_target"))
    yield from _lists("proxy.methods", "GET", BAD_METHODS, empty=False)
    yield from _rows("proxy.methods", False, ("POST", ""))
    bad = ("", "/a", "post /a", "POST a", "POST /a?b", "OPTIONS /a", "POST /a/**/b", "@chat", 3)
    yield from _lists("proxy.endpoints", "POST /v1/a*", bad, empty=False)
    yield from _rows("proxy.endpoints", False, (["POST /a", "POST /*"], ["POST https://b.com/a"]))
    yield from _rows("proxy.endpoints", True, (["GET /a", "PUT /**"], ["POST /a/*/b"]))
    own = ("proxy.endpoints", ["POST /a"])
    for refusing in (own, ("proxy.query", {"!": True})):
        yield Row("proxy.observe", True, False, (refusing,))
        yield Row("proxy.observe", False, True, (refusing,))
    yield Row("proxy.methods", ["GET"], False, (own,))
    yield Row("proxy.pass_headers", ["X-HTTP-Method-Override"], False, (own,))
    yield Row("proxy.pass_headers", ["X-HTTP-Method-Override"], True)
    yield Row("proxy.encoded_slashes", True, False)
    yield Row("proxy.encoded_slashes", True, True, (own,))
    yield from _rows("proxy.query", True, ({"model": ["gpt-*"], "!": True}, {"a[]": ["*"]}))
    bad = (
        {"a": []},
        {"a": ["*x"]},
        {"": ["x"]},
        {"!": False},
        {"_method": ["*"]},
        {"a": 1},
        [],
        "a",
    )
    yield from _rows("proxy.query", False, bad)
    yield from _rules_of_bodies()
    yield from _lists("proxy.allowed_schemes", "https", ("", "ftp", "HTTPS", 3, True), empty=False)
    yield from _lists("proxy.allowed_ports", 443, (0, -1, 65536, "443", True, 1.5), empty=False)
    yield from _lists("proxy.content_type", "application/sdp", BAD_MEDIA, empty=False)
    yield from _rows("proxy.content_type", False, BAD_MEDIA)
    yield from _rows(
        "proxy.content_type", True, ("*/*", "audio/*", "application/vnd.a+json", "Text/Plain")
    )
    yield from _rows("proxy.body_limit", False, BAD_SIZES)
    yield from _rows("proxy.body_limit", True, GOOD_SIZES)
    yield from _rows("proxy.max_response", False, BAD_SIZES)
    yield from _rows("proxy.max_response", True, GOOD_SIZES)
    for key in ("timeout", "connect_timeout", "idle_timeout", "total_timeout", "location_ttl"):
        yield from _rows(f"proxy.{key}", False, BAD_DURATIONS)
        yield from _rows(f"proxy.{key}", True, GOOD_DURATIONS)
    yield from _lists("proxy.pass_headers", "X-A-*", BAD_PATTERNS, empty=True)
    yield from _rows("proxy.pass_headers", True, (["!Accept"], ["X-A", "!X-Stainless-*"]))
    yield from _rows(
        "proxy.pass_headers", False, (["!"], ["!!A"], ["!*"], ["!X A"], ["!Host"], ["X_A"], ["X_*"])
    )
    vendor = ("proxy.allowed_hosts", None), ("proxy.provider", "openai")
    yield from _rows("proxy.provider", True, ("openai", "anthropic"), vendor[0])
    left = ["https://<your-resource>.openai.azure.com"]
    yield from _rows("proxy.target", False, left, ("proxy.allowed_hosts", None))
    yield from _rows("proxy.provider", True, ["openai"])
    yield from _rows(
        "proxy.provider", False, ("OpenAI", "open ai", "", "../openai", "x.toml", 3, [])
    )
    yield from _rows("proxy.key", True, ("${env:SECRET}", KEY), *vendor)
    yield from _rows("proxy.key", False, ("", "$KEY", "${env:NO}", f"Bearer {KEY}", 3, []), *vendor)
    yield from _rows("proxy.key", False, [KEY])
    headers = {"authorization": KEY}
    yield from _rows("proxy.key", False, [KEY], *vendor, ("proxy.forward_headers", headers))
    yield from _rows("proxy.response_headers", True, (["!ETag"], ["!OpenAI-*"]))
    yield from _lists("proxy.response_headers", "X-B-*", BAD_PATTERNS, empty=True)
    yield from _rows("proxy.response_headers", False, [[name] for name in NEVER_RELAYED])
    pairs = [{"from": name, "to": "X-C"} for name in (*BAD_NAMES, *NEVER_RELAYED, "X-*")]
    pairs += [{"from": "X-C", "to": name} for name in (*BAD_NAMES, *NEVER_RELAYED, "X-*")]
    pairs += [{}, {"from": "A"}, {"to": "A"}, {"from": "A", "to": "B", "as": "C"}]
    good = {"from": "Location", "to": "X-WHIP-Resource"}
    yield from _lists("proxy.expose_headers", good, [*pairs, "Location", 3, DAY], empty=True)
    yield from _headers()
    yield from _query()
    yield from _hosts()
    yield from _rows("proxy.oauth2", False, BAD_GRANTS)
    yield from _rows("proxy.oauth2", True, (GRANT, {**GRANT, "scope": "a b", "auth": "body"}))
    yield from _rows("proxy.sign", False, BAD_SIGNERS)
    yield from _rows("proxy.sign", True, GOOD_SIGNERS)
    yield from _rows("proxy.errors", False, ("", "raw", "Envelope", 3, True, [], *STRANGE))
    yield from _rows("proxy.errors", True, ("envelope", "passthrough"))
    yield from _rows("proxy.resource_policy", True, ("same-origin", "cross-origin"))
    strange = ("", "same-site", "Cross-Origin", "*", True, 3, [], ["cross-origin"], *STRANGE)
    yield from _rows("proxy.resource_policy", False, strange)
    yield from _rows("proxy.require_origin", False, (*BAD_FLAGS, True))
    listed = ("server.cors_origins", ["https://a.example.com"])
    yield from _rows("proxy.require_origin", True, (True, False), listed)
    yield from _rows("proxy.authorize", False, BAD_RULES)
    yield from _rows("proxy.authorize", False, ("user", "role:admin"))
    yield from _rows("proxy.authorize", True, ("anyone", "json:loads"))
    yield from _rows("proxy.max_in_flight", False, BAD_COUNTS)
    yield from _rows("proxy.max_in_flight", True, GOOD_COUNTS)
    yield from _rows("proxy.rate_limit", False, BAD_LIMITS)
    yield from _rows("proxy.retries", False, (-1, 6, True, 1.0, "1", []))
    yield from _rows("proxy.retries", True, (0, 1, 5))
    yield from _rows("proxy.circuit_breaker", False, BAD_BREAKERS)
    yield from _rows("proxy.circuit_breaker", True, GOOD_BREAKERS)
    for place in ("proxy.budget", "server.budget"):
        yield from _rows(place, True, ([], *([budget] for budget in GOOD_BUDGETS)))
        yield from _rows(place, False, (*({}, 3, True, "x"), *([each] for each in BAD_BUDGETS)))
        yield from _rows(place, False, ([GOOD_BUDGETS[0], {**GOOD_BUDGETS[0], "tokens": 9}],))
    yield from _rows("proxy.replay", True, GOOD_DURATIONS)
    yield from _rows("proxy.replay", False, BAD_DURATIONS)
    yield Row("proxy.budget", [{**GOOD_BUDGETS[0], "of": "server"}], False)
    yield from _rows("proxy.rate_limit", True, (False, {"requests": 5, "window": "1m"}))
    calls = ("proxy.content_type", ["application/sdp", "multipart/form-data"])
    sessions = ({"model": "m", "audio": {"output": {"voice": "v"}}, "n": [1, 1.5, True]}, {})
    yield from _rows("proxy.session", True, sessions, calls)
    offer = ("proxy.session", {"model": "m"})
    yield Row("proxy.replay", "10m", False, (calls, offer))
    others = (value for value in STRANGE if not isinstance(value, dict))
    flawed = (3, True, "m", [], {"a": DAY}, {"a": [float("nan")]}, {"a": {"b": float("inf")}})
    yield from _rows("proxy.session", False, [*flawed, *others], calls)
    yield from _rows("proxy.session", False, [{"model": "m"}])
    for family in ("*/*", "multipart/*"):
        types = ("proxy.content_type", ["application/sdp", family])
        yield from _rows("proxy.session", False, [{"model": "m"}], types)
    for key in ("body_required", "count_tokens", "follow_redirects", "observe", "redact_bodies"):
        yield from _rows(f"proxy.{key}", False, BAD_FLAGS)
        yield from _rows(f"proxy.{key}", True, (True, False))


def _headers() -> Iterator[Row]:
    place = "proxy.forward_headers"
    names = [name for name in BAD_NAMES if isinstance(name, str)]
    yield from _rows(place, False, [{name: KEY} for name in names])
    yield from _rows(place, False, [{"Authorization": value} for value in BAD_SECRETS])
    yield from _rows(place, False, [{"X-Key": KEY, "x-key": KEY}, {"A": KEY, "B": KEY, "a": KEY}])
    yield from _rows(place, False, (3, True, "Bearer", [], ["Authorization"], DAY))
    bad = ("env:SECRET", "env:NO_SUCH:", "env:SECRET:env:EMPTY", "env:COLON:", ":", "SECRET:", "")
    yield from _rows(place, False, [{"Authorization": f"Basic ${{basic:{text}}}"} for text in bad])
    good = ("env:SECRET:", ":env:SECRET", "env:SECRET:env:COLON")
    yield from _rows(place, True, [{"Authorization": f"Basic ${{basic:{text}}}"} for text in good])
    yield from _rows(
        place, False, [{"Authorization": "${user_key:daydream}"}, {"A": "${user_key:}"}]
    )
    yield from _rows(place, False, [{"x-target-url": KEY}, {"X-Target-URL": "${env:SECRET}"}])
    yield from _rows(place, True, [{}, {"Authorization": f"Bearer {KEY}"}, {"X": "${env:SECRET}"}])


def _query() -> Iterator[Row]:
    place = "proxy.forward_query"
    yield from _rows(place, False, [{name: KEY} for name in ("", " ", "a\nb", "a\x00")])
    yield from _rows(place, False, [{"key": value} for value in BAD_SECRETS if value != "k\u00e9y"])
    yield from _rows(place, False, [{"key": "${user_key:daydream}"}, {"key": "${env:UMLAUT}"}])
    twins = ({"key": KEY, "KEY": KEY}, {"api-key": KEY, "api_key": KEY}, {"a b": KEY, "a.b": KEY})
    yield from _rows(place, False, twins)
    yield from _rows(place, False, (3, True, "key", [], ["key"], DAY))
    yield from _rows(place, True, [{}, {"key": "${env:SECRET}", "api-version": "2024-10-21"}])
    texts = ({"city": "Z\u00fcrich am See"}, {"filter[a]": "1", "filter": "2"})
    yield from _rows(place, True, texts)


def _hosts() -> Iterator[Row]:
    place, host = "proxy.hosts", "api.example.com"
    headers = {"forward_headers": {"Authorization": "Bearer ${env:SECRET}"}}
    query = {"forward_query": {"key": "${env:SECRET}"}}
    for name in ("", "*.example.com", ".example.com", "https://a.example.com", "a b", "a/b", KEY):
        yield Row(place, {name: headers}, False)
    yield from _rows(place, False, [{"other.example.com": headers}, {host: headers, "com": query}])
    yield from _rows(place, False, [{host: value} for value in (3, "x", [], {"headers": {}}, DAY)])
    yield from _rows(place, False, [{host: {"forward_headers": {"Host": KEY}}}])
    yield from _rows(place, False, [{host: {"forward_headers": {"A": "${env:NO_SUCH}"}}}])
    yield from _rows(place, False, [{host: {"forward_headers": {"A": "${user_key:daydream}"}}}])
    yield from _rows(place, False, [{host: {"forward_headers": {"x-target-url": KEY}}}])
    yield from _rows(place, False, [{host: {"forward_query": {"a": KEY, "A": KEY}}}])
    yield from _rows(place, False, [{host: headers, "API.example.com": query}, 3, "x", [], DAY])
    yield from _rows(place, True, [{}, {host: {}}, {host: {**headers, **query}}, {host: query}])
    yield from _rows(place, True, [{"API.EXAMPLE.com.": headers}])
    below = ("proxy.allowed_hosts", ["*.example.com"])
    yield Row(place, {"api.example.com": headers}, True, (below,))
    yield Row(place, {"example.com": headers}, False, (below,))
    networks = ("upstream.allow_networks", ["127.0.0.1/32", "::1/128"])
    loopback = ("proxy.allowed_hosts", ["127.0.0.1", "::1", "localhost"])
    for name in ("127.0.0.1", "::1", "[::1]", "localhost"):
        yield Row(place, {name: headers}, True, (networks, loopback))
    pinned = ("proxy.target", "https://api.example.com/v1")
    yield Row(place, {host: headers}, False, (pinned, ("proxy.allowed_hosts", None)))
    plain = ("proxy.allowed_schemes", ["http"])
    yield Row(place, {host: headers}, False, (plain,), "proxy.allowed_schemes")
    yield Row(place, {host: headers}, False, (("server.listen", ["tcp:0"]),), "proxy.authorize")


def _together() -> Iterator[Row]:
    """Options that are good alone and not beside one another."""
    target = ("proxy.target", "https://a.example.com/v1")
    yield Row("proxy.allowed_hosts", ["api.example.com"], False, (target,))
    for key, value in (
        ("allowed_schemes", ["http"]),
        ("allowed_ports", [8443]),
        ("target_url_header", "X-WHIP-URL"),
    ):
        yield Row(f"proxy.{key}", value, False, (target, ("proxy.allowed_hosts", None)))
    follows = ("proxy.follow_redirects", True)
    for hosts, good in ((["files.example.net"], True), (["*.example.net"], True), (["com"], False)):
        yield Row("proxy.allowed_hosts", hosts, good, (target, follows))
    for key, value in (("allowed_schemes", ["http"]), ("allowed_ports", [8443])):
        yield Row(f"proxy.{key}", value, True, (target, follows))
        yield Row(f"proxy.{key}", value, False, (target, follows, ("proxy.allowed_hosts", None)))
    yield Row("proxy.target_url_header", "X-WHIP-URL", False, (target, follows))
    yield Row("proxy.allowed_hosts", None, False)
    headers = ("proxy.forward_headers", {"Authorization": KEY})
    query = ("proxy.forward_query", {"key": "${env:SECRET}"})
    networks = ("upstream.allow_networks", ["127.0.0.1/32"])
    yield Row("proxy.oauth2", GRANT, False, (headers,))
    yield Row("proxy.sign", GOOD_SIGNERS[1], False, (headers,))
    yield Row("proxy.sign", GOOD_SIGNERS[0], True, (headers, ("proxy.oauth2", None)))
    yield Row("proxy.sign", GOOD_SIGNERS[1], False, (("proxy.oauth2", GRANT),))
    plain = {**GRANT, "token_url": "http://127.0.0.1/t"}
    yield Row("proxy.oauth2", plain, False)
    yield Row("proxy.oauth2", plain, True, (networks,))
    yield Row("proxy.allowed_schemes", ["http"], False, (("proxy.oauth2", GRANT),))
    for schemes, good in ((["http"], False), (["https", "http"], False), (["https"], True)):
        yield Row("proxy.allowed_schemes", schemes, good, (headers,))
    yield Row("proxy.allowed_schemes", ["http"], True, (headers, networks))
    yield Row("proxy.allowed_hosts", ["127.0.0.1"], True, (networks,))
    yield Row("proxy.allowed_hosts", ["127.0.0.2"], False, (networks,))
    for listen, good in (
        ("tcp:0", False),
        ("tcp:0:interface=0.0.0.0", False),
        ("haproxy:tcp:0:interface=127.0.0.1", False),
    ):
        yield Row("server.listen", [listen], True)
        yield Row("server.listen", [listen], good, (headers,), "proxy.authorize")
        yield Row("server.listen", [listen], good, (query,), "proxy.authorize")
        plain = ("proxy.forward_query", {"api-version": "2024-10-21"})
        yield Row("server.listen", [listen], True, (plain,))
        yield Row("server.listen", [listen], True, (headers, ("proxy.authorize", "anyone")))
    yield Row("proxy.path", "/healthz", False, (("server.base_path", ""),))
    yield Row("proxy.path", "/healthz", False, (("server.base_path", "/"),))
    yield Row("proxy.path", "/usage", False, (("server.state_dir", "state"),))
    yield Row("proxy.path", "/usage/x", True, (("server.state_dir", "state"),))
    yield Row("proxy.path", "/usage", True)
    admin = ("server.admin_listen", "tcp:9:interface=0.0.0.0")
    yield Row("server.admin_remote", False, False, (admin,), "server.admin_listen")


def _unknown() -> Iterator[Row]:
    for place in (
        *("proxy.alowed_hosts", "proxy.timeuot", "proxy.allowedHosts", "proxy.zzz", "proxy.limits"),
        *("server.nam", "server.cors_origin", "server.zzz", "server.servernames"),
    ):
        yield Row(place, 1, False)


ROWS = (*_server(), *_others(), *_auth(), *_routes(), *_together(), *_unknown())
ENVIRON = {
    "SECRET": KEY,
    "EMPTY": " ",
    "COLON": "a:b",
    "UMLAUT": "k\u00e9y-of-nobody",
    "SLASH": "a/b",
}
#: What every row changes: by place, as Python has it.
BASE: dict[str, Any] = {
    "server.name": "ai",
    "server.listen": ["tcp:0:interface=127.0.0.1"],
    "auth.mode": "none",
    "proxy.path": "/a",
    "proxy.allowed_hosts": ["api.example.com"],
}


def given(row: Row) -> dict[str, Any]:
    """All options of *row*, by place; ``None`` leaves one out."""
    every = BASE | dict(row.beside) | {row.place: row.value}
    return {place: value for place, value in every.items() if value is not None}


def file_of(row: Row) -> str:
    """The config file of *row*."""
    sections: dict[str, list[str]] = {"": []}
    for place, value in given(row).items():
        section, _, key = place.rpartition(".")
        sections.setdefault(section, []).append(f"{key} = {toml(value)}")
    heads = {"": "", "proxy": "[[proxy]]"}
    return "\n".join(
        line
        for section, lines in sections.items()
        for line in (heads.get(section, f"[{section}]"), *lines)
    )


def write(row: Row, directory: Path) -> Path:
    """The same on disk."""
    path = directory / "naap-proxy.toml"
    path.write_text(file_of(row), encoding="utf-8")
    path.chmod(0o600)
    return path
