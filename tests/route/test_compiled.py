"""A route's options: what is refused, and what the others become."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ConfigError, ExposeHeader, Secret, create_external_proxy
from naap_twisted.errors import HostNotAllowed, PortNotAllowed, SchemeNotAllowed
from naap_twisted.headers import PASSED
from naap_twisted.model import AllowedNetwork, RateLimit, RouteCors, Timeouts
from naap_twisted.policy.target import parse_target
from naap_twisted.route.compiled import compile_again
from tests.keys.memory import MemoryKeyStore

HOSTS = {"allowed_hosts": ["api.example.com"]}
PINNED = {"target": "https://api.example.com/v1"}

# One mistake each, and how its line opens.
MISTAKES = [
    ({}, "allowed_hosts: "),
    ({"allowed_hosts": "api.example.com"}, "allowed_hosts: "),
    ({"allowed_hosts": ["api.example.com", "*"]}, "allowed_hosts[1]: "),
    ({"allowed_hosts": [".com"]}, "allowed_hosts[0]: "),
    ({"allowed_hosts": ["https://api.example.com"]}, "allowed_hosts[0]: "),
    ({"allowed_hosts": [""]}, "allowed_hosts[0]: "),
    ({"target": "api.example.com"}, "target: "),
    ({"target": "ftp://api.example.com"}, "target: "),
    ({"target": "https://user:pw@api.example.com"}, "target: "),
    (PINNED | HOSTS, "allowed_hosts: has no meaning beside target"),
    (HOSTS | {"location_ttl": 0}, "location_ttl: "),
    (HOSTS | {"location_ttl": "soon"}, "location_ttl: "),
    (HOSTS | {"target_url_header": ""}, "target_url_header: "),
    (HOSTS | {"target_url_header": "X Target"}, "target_url_header: "),
    (HOSTS | {"target_url_header": "X-Ziel-Ä"}, "target_url_header: "),
    (HOSTS | {"content_type": "json"}, "content_type: is not a content type"),
    (HOSTS | {"content_type": "application/"}, "content_type: "),
    (HOSTS | {"content_type": "application/json; charset=utf-8"}, "content_type: "),
    (HOSTS | {"content_type": "application/*x y"}, "content_type: "),
    (HOSTS | {"content_type": ()}, "content_type: must list at least one"),
    (HOSTS | {"content_type": ("text/plain", "")}, "content_type[1]: is not a content type"),
    (HOSTS | {"body_limit": 0}, "body_limit: "),
    (HOSTS | {"body_limit": -1}, "body_limit: "),
    (HOSTS | {"body_limit": "1 megabyte"}, "body_limit: "),
    (HOSTS | {"body_limit": None}, "body_limit: "),
    (HOSTS | {"timeout": 0}, "timeout: "),
    (HOSTS | {"timeout": None}, "timeout: "),
    (HOSTS | {"timeout": float("nan")}, "timeout: "),
    (HOSTS | {"timeout": "30 parsecs"}, "timeout: "),
    (HOSTS | {"connect_timeout": -1}, "connect_timeout: "),
    (HOSTS | {"idle_timeout": 0}, "idle_timeout: "),
    (HOSTS | {"total_timeout": float("inf")}, "total_timeout: "),
    (HOSTS | {"forward_headers": {"A B": "key-value"}}, "forward_headers[name 1]: "),
    (HOSTS | {"forward_headers": {"Host": "key-value"}}, "forward_headers[name 1]: "),
    (HOSTS | {"forward_headers": {"Authorization": ""}}, "forward_headers.Authorization: "),
    (
        HOSTS | {"forward_headers": {"Authorization": "key-value\n"}},
        "forward_headers.Authorization: ",
    ),
    (HOSTS | {"expose_headers": [ExposeHeader("A B", "C")]}, "expose_headers[0].from: "),
    (HOSTS | {"expose_headers": [ExposeHeader("Set-Cookie", "C")]}, "expose_headers[0].from: "),
    (HOSTS | {"response_headers": ["*"]}, "response_headers[0]: "),
    (HOSTS | {"response_headers": ["Set-Cookie"]}, "response_headers[0]: "),
    (HOSTS | {"pass_headers": ["*"]}, "pass_headers[0]: "),
    (HOSTS | {"pass_headers": ["X-*-Y"]}, "pass_headers[0]: "),
    (HOSTS | {"authorize": "nobody"}, "authorize: "),
    (HOSTS | {"authorize": True}, "authorize: "),
    (HOSTS | {"methods": ()}, "methods: "),
    (HOSTS | {"methods": "POST"}, "methods: "),
    (HOSTS | {"methods": ("POST", "post")}, "methods[1]: is not a method"),
    (HOSTS | {"methods": ("CONNECT",)}, "methods[0]: "),
    (HOSTS | {"methods": ("TRACE",)}, "methods[0]: "),
    (HOSTS | {"methods": ("OPTIONS",)}, "methods[0]: "),
    (HOSTS | {"methods": ("P OST",)}, "methods[0]: "),
    (HOSTS | {"allowed_schemes": ()}, "allowed_schemes: "),
    (HOSTS | {"allowed_schemes": "https"}, "allowed_schemes: "),
    (HOSTS | {"allowed_schemes": ["https", "ftp"]}, "allowed_schemes[1]: "),
    (HOSTS | {"allowed_ports": []}, "allowed_ports: "),
    (HOSTS | {"allowed_ports": [443, 0]}, "allowed_ports[1]: "),
    (HOSTS | {"allowed_ports": [65536]}, "allowed_ports[0]: "),
    (HOSTS | {"errors": "raw"}, "errors: "),
    (HOSTS | {"allow_networks": ["somewhere"]}, "allow_networks[0]: "),
    (HOSTS | {"max_in_flight": 0}, "max_in_flight: "),
    (HOSTS | {"rate_limit": RateLimit(0, 1.0)}, "rate_limit.requests: "),
    (HOSTS | {"rate_limit": RateLimit(1, float("inf"))}, "rate_limit.window: "),
    (HOSTS | {"rate_limit": "200 in 15m"}, "rate_limit: expected"),
]


class Mistakes(SynchronousTestCase):
    def problems(self, options):
        with self.assertRaises(ConfigError) as caught:
            create_external_proxy(**options)
        return caught.exception.problems

    def test_each(self):
        """One mistake is one line, which opens with the option's name."""
        for options, opening in MISTAKES:
            with self.subTest(options=options):
                lines = self.problems(options)
                self.assertEqual(len(lines), 1, lines)
                self.assertTrue(lines[0].startswith(opening), lines)
                self.assertNotIn("\n", lines[0])

    def test_all_at_once(self):
        """Several mistakes are one ConfigError with a line each."""
        lines = self.problems(
            {
                "allowed_hosts": ["*", "api.example.com", ".com"],
                "target_url_header": "X Target",
                "content_type": "json",
                "body_limit": "much",
                "timeout": 0,
                "total_timeout": -1,
                "forward_headers": {"Host": "x"},
                "expose_headers": [ExposeHeader("A B", "C"), ExposeHeader("Set-Cookie", "C")],
                "response_headers": ["Set-Cookie"],
                "pass_headers": ["*"],
                "authorize": "nobody",
                "methods": ["post"],
                "allowed_schemes": ["ftp"],
                "allowed_ports": [0],
                "errors": "raw",
                "allow_networks": ["somewhere"],
            }
        )
        self.assertEqual(
            sorted(line.partition(":")[0] for line in lines),
            [
                "allow_networks[0]",
                "allowed_hosts[0]",
                "allowed_hosts[2]",
                "allowed_ports[0]",
                "allowed_schemes[0]",
                "authorize",
                "body_limit",
                "content_type",
                "errors",
                "expose_headers[0].from",
                "expose_headers[1].from",
                "forward_headers[name 1]",
                "methods[0]",
                "pass_headers[0]",
                "response_headers[0]",
                "target_url_header",
                "timeout",
                "total_timeout",
            ],
        )

    def test_no_secret_in_a_line(self):
        """A line about a key or a URL with a password repeats neither."""
        for options in (
            HOSTS | {"forward_headers": {"Authorization": "sk-canary\r\n"}},
            HOSTS | {"forward_headers": {"Bad Name": "sk-canary"}},
            {"target": "https://user:sk-canary@api.example.com"},
            {"allowed_hosts": ["https://user:sk-canary@api.example.com"]},
        ):
            with self.subTest(options=list(options)):
                self.assertNotIn("sk-canary", "".join(self.problems(options)))


def route(**options):
    return create_external_proxy(**options).route


class Compiled(SynchronousTestCase):
    def test_timeouts(self):
        """Seconds as numbers or text; the defaults are the contract's."""
        self.assertEqual(route(**HOSTS).timeouts, Timeouts(10.0, 30.0, 300.0, None))
        self.assertEqual(
            route(
                **HOSTS,
                timeout="1m",
                connect_timeout=2,
                idle_timeout=None,
                total_timeout="500ms",
            ).timeouts,
            Timeouts(2.0, 60.0, None, 0.5),
        )

    def test_body(self):
        """Size as a number or text; one type or several; a pinned route needs no body."""
        self.assertEqual(route(**HOSTS).body.limit, 1024 * 1024)
        self.assertEqual(route(**HOSTS, body_limit="500kb").body.limit, 500 * 1024)
        self.assertEqual(route(**HOSTS, body_limit=7).body.limit, 7)
        self.assertEqual(route(**HOSTS).body.content_types, ("application/json",))
        both = ("application/sdp", "text/plain")
        self.assertEqual(route(**HOSTS, content_type=both).body.content_types, both)

    def test_sessions(self):
        """A route that takes SDP offers has sessions: methods, PATCH's type, If-Match, a ttl."""
        plain = route(**HOSTS, methods=["POST", "PATCH"])
        self.assertIsNone(plain.session_ttl)
        self.assertEqual(plain.patch.content_types, ("application/json",))
        whip = route(**HOSTS, content_type="application/sdp", location_ttl="2h")
        self.assertEqual(whip.session_ttl, 7200.0)
        methods = (b"POST", b"PATCH", b"DELETE", b"GET", b"HEAD")
        self.assertEqual((whip.methods, whip.own_methods), (methods, methods))
        both = ("application/sdp", "application/trickle-ice-sdpfrag")
        self.assertEqual(whip.body.content_types, both[:1])
        self.assertEqual(whip.patch.content_types, both)
        self.assertIn("If-Match", whip.cors.allow_patterns)
        pinned = route(**PINNED, content_type="application/sdp")
        self.assertEqual((pinned.methods, pinned.own_methods), (methods, (b"POST",)))

    def test_methods(self):
        """POST by default; who may GET may ask for the head alone."""
        for given, compiled in [
            (None, (b"POST",)),
            (["PATCH", "DELETE"], (b"PATCH", b"DELETE")),
            (["GET"], (b"GET", b"HEAD")),
            (["HEAD", "GET"], (b"HEAD", b"GET")),
            (["REPORT"], (b"REPORT",)),
        ]:
            with self.subTest(given=given):
                options = HOSTS if given is None else HOSTS | {"methods": given}
                self.assertEqual(route(**options).methods, compiled)

    def test_errors(self):
        """Enveloped, but for an API's own clients passed through; a word overrides both."""
        for options, envelope in [
            (HOSTS, True),
            (PINNED, False),
            (HOSTS | {"errors": "passthrough"}, False),
            (HOSTS | {"provider": "openai"}, False),
            (HOSTS | {"provider": "openai", "errors": "envelope"}, True),
            (PINNED | {"errors": "envelope"}, True),
        ]:
            with self.subTest(options=options):
                self.assertEqual(route(**options).envelope, envelope)

    def test_injects(self):
        """Names only; where code decides, that it does."""
        values = {"Authorization": "Bearer sk-123456789", "X-Key": Secret("sk-987654321")}
        self.assertEqual(route(**HOSTS).injects, ())
        self.assertEqual(route(**HOSTS, forward_headers={}).injects, ())
        self.assertEqual(route(**HOSTS, forward_headers=values).injects, ("Authorization", "X-Key"))
        self.assertEqual(route(**HOSTS, forward_headers=lambda r: {}).injects, ("(callable)",))

    def test_injects_everywhere(self):
        """In a query, in the base's path, for single hosts; each name once, plain text never."""
        key = Secret("sk-canary")
        query = {"key": key, "api-version": "2024-10-21"}
        table = {"forward_headers": {"X-Key": key}, "forward_query": {"token": key}}
        headers = {"X-Key": key}
        hosts = {"b.example.com": table, "api.example.com": {}}
        compiled = route(
            allowed_hosts=["*.example.com"],
            forward_headers=headers,
            forward_query=query,
            hosts=hosts,
        )
        self.assertEqual(compiled.injects, ("X-Key", "key", "token"))
        plain = {"api-version": "2024-10-21"}
        self.assertEqual(route(**HOSTS, forward_query=plain).injects, ())
        self.patch(os, "environ", {**os.environ, "HOOK": "canary-hook"})
        pinned = create_external_proxy(target="https://api.example.com/${env:HOOK}").route
        self.assertEqual(pinned.injects, ("target",))
        self.assertNotIn("canary", repr((compiled, pinned)))

    def test_user_keys_of_a_host(self):
        """A store is needed, and asked for that host only."""
        table = {"forward_headers": {"X-Key": "${user_key:daydream}"}}
        compiled = route(**HOSTS, hosts={"api.example.com": table})
        self.assertTrue(compiled.needs_keys)
        keyed = compiled.with_keys(MemoryKeyStore())
        self.assertIsNone(keyed.injection.forward)
        self.assertIsNotNone(keyed.hosts["api.example.com"].forward)
        self.assertFalse(route(**HOSTS, forward_headers={"A": "sk-canary"}).needs_keys)

    def test_repr_shows_no_key(self):
        """A route in a log or traceback gives no key away."""
        compiled = route(**HOSTS, forward_headers={"Authorization": "Bearer sk-123456789"})
        self.assertNotIn("sk-123456789", repr(compiled))

    def test_egress(self):
        """Hosts, schemes and ports as listed."""
        policy = route(**HOSTS, allowed_schemes=["https", "http"], allowed_ports=[8443]).egress(())
        vetted = policy.vet(parse_target(b"http://api.example.com:8443/"))
        self.assertEqual(vetted.rule, "api.example.com")
        with self.assertRaises(PortNotAllowed):
            policy.vet(parse_target(b"https://api.example.com/"))

    def test_egress_of_a_pinned_route(self):
        """Its base's origin and nothing else; the options of other routes have no meaning there."""
        policy = route(target="https://api.example.com:8443/v1").egress(())
        policy.vet(parse_target(b"https://api.example.com:8443/other"))
        for url, error in [
            (b"https://example.com:8443/", HostNotAllowed),
            (b"http://api.example.com:8443/", SchemeNotAllowed),
            (b"https://api.example.com/", PortNotAllowed),
        ]:
            with self.subTest(url=url), self.assertRaises(error):
                policy.vet(parse_target(url))

    def test_networks(self):
        """The route's and those of the server it is mounted on, as text or values."""
        own = AllowedNetwork(ip_network("10.0.0.0/8"), 80)
        servers = AllowedNetwork(ip_network("192.168.0.0/16"))
        compiled = route(**HOSTS, allow_networks=["127.0.0.1/32:9100", own])
        loopback = AllowedNetwork(ip_network("127.0.0.1/32"), 9100)
        self.assertEqual(compiled.egress((servers,)).allow_networks, (loopback, own, servers))

    def test_address_as_host_waits_for_its_networks(self):
        """An address that the server's networks may cover is judged again when it is mounted."""
        compiled = route(allowed_hosts=["127.0.0.1"])
        with self.assertRaises(ConfigError):
            compiled.egress(())
        compiled.egress((AllowedNetwork(ip_network("127.0.0.0/8")),))

    def test_cors(self):
        """A preflight allows the route's target header by itself; a pinned route has none."""
        self.assertEqual(
            route(**HOSTS, target_url_header="X-New", pass_headers=["X-A-*"], methods=["GET"]).cors,
            RouteCors((b"GET", b"HEAD"), ("X-New",), (*PASSED, "X-A-*"), ("X-A-*",)),
        )
        cors = route(**PINNED, pass_headers=["X-A"]).cors
        self.assertEqual(cors.allow_headers, ())
        self.assertEqual(cors.allow_patterns, (*PASSED, "X-Stainless-*", "OpenAI-Beta", "X-A"))


class AgainTests(SynchronousTestCase):
    def test_other_secrets(self) -> None:
        """A route compiled again sends the new secret, and guards the one before, too."""
        files = (Path("key"),)
        options = [
            create_external_proxy(
                **PINNED, forward_headers={"X-Key": Secret(text, files=files)}
            ).options
            for text in ("first-of-two-keys", "second-of-two-keys")
        ]
        route = compile_again(options[1], options[0])
        self.assertEqual(route.injection.headers, ((b"X-Key", Secret("second-of-two-keys")),))
        for text in (b"first-of-two-keys", b"second-of-two-keys"):
            self.assertEqual(route.guard.clean(text), b"[redacted]")
