"""Which headers pass, which way, under which name.

(More than 300 lines. One test module mirrors one module: this one has both directions.)
"""

from __future__ import annotations

from sys import getrefcount

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import create_external_proxy
from naap_twisted.errors import ConfigError
from naap_twisted.headers import PINNED_RELAY, SDP_RELAY
from naap_twisted.model import ExposeHeader, Target
from naap_twisted.policy.own_headers import is_never_relayed
from naap_twisted.route.rewrite import (
    USER_AGENT,
    Guard,
    RequestRewrite,
    ResponseRewrite,
    absolute_location,
    injected_headers,
)
from naap_twisted.secret import Secret
from tests.rewrite_vectors import (
    CLEANED,
    LOCATIONS,
    NEVER_RELAYED,
    NEVER_SENT,
    NO_GUARD,
    NOT_INJECTED,
    REFUSED,
    RELAYED,
    SENT,
    TARGET,
    apply,
    outbound,
    values_of,
)


class Outbound(SynchronousTestCase):
    def test_what_passes(self):
        """Browser header x pass_headers: an allow-list, whatever the case of the name."""
        for name, passed, goes in SENT:
            with self.subTest(name=name, passed=passed):
                sent = outbound({name: "value"}, passed=passed)
                self.assertEqual("value" in values_of(sent, name), goes)

    def test_accept_encoding(self):
        """None, for what comes back is looked at; unless a page may ask, or the server does."""
        for passed, injected, browser, sent in [
            ((), {}, {}, ["identity"]),
            ((), {}, {"Accept-Encoding": "br"}, ["identity"]),
            (("Accept-*",), {}, {}, ["identity"]),
            (("Accept-*",), {}, {"accept-encoding": "br"}, ["br"]),
            (
                ("Accept-*",),
                {},
                {"Accept-Encoding": "br", "Connection": "accept-encoding"},
                ["identity"],
            ),
            (("Accept-*",), {"Accept-Encoding": "gzip"}, {"accept-encoding": "br"}, ["gzip"]),
        ]:
            with self.subTest(passed=passed, injected=injected, browser=browser):
                out = outbound(browser, injected, passed=passed)
                self.assertEqual(values_of(out, "accept-encoding"), sent)

    def test_never_passes(self):
        """What belongs to one connection does not pass even where ``pass_headers`` names it."""
        for name in NEVER_SENT:
            with self.subTest(name=name):
                self.assertEqual(values_of(outbound({name: "x"}, passed=(name,)), name), [])

    def test_connection_nominates(self):
        """A header that Connection names is not forwarded (RFC 9110 section 7.6.1)."""
        for connection in ("X-Hop", "close, x-hop", "X-HOP ,close", [b"close", b"x-hop"]):
            for order in (1, -1):
                with self.subTest(connection=connection, order=order):
                    pairs = [("Connection", connection), ("X-Hop", "1"), ("X-End", "2")][::order]
                    sent = outbound(pairs, passed=("X-*",))
                    self.assertEqual(values_of(sent, "X-Hop"), [])
                    self.assertEqual(values_of(sent, "X-End"), ["2"])

    def test_injected_wins(self):
        """No spelling of a browser header stands beside or instead of an injected key."""
        for name in ("Authorization", "authorization", "AUTHORIZATION", "aUTHORIZATION"):
            with self.subTest(name=name):
                sent = outbound(
                    {name: "Bearer browser"},
                    {"AuthoriZation": "Bearer server"},
                    passed=("Authorization",),
                )
                self.assertEqual(values_of(sent, "authorization"), ["Bearer server"])

    def test_connection_cannot_remove_injected(self):
        """Naming the key's header in Connection does not strip it."""
        sent = outbound({"Connection": "authorization"}, {"Authorization": "Bearer server"})
        self.assertEqual(values_of(sent, "authorization"), ["Bearer server"])

    def test_injected_comes_last(self):
        """Keys are the last lines of the head, in their own order."""
        sent = outbound({"Accept": "*/*"}, {"X-B": "2", "X-A": "1"})
        self.assertEqual(sent[-2:], [("X-B", "2"), ("X-A", "1")])

    def test_underscores(self):
        """CGI reads X_API_Key as X-API-Key: such a name could pose as a key."""
        sent = outbound({"X_Api_Key": "1", "X-Api_Key": "2"}, passed=("X*", "X_Api_Key"))
        self.assertEqual([pair for pair in sent if "_" in pair[0]], [])

    def test_repeated_header(self):
        """Repeated lines stay repeated and in order."""
        sent = outbound([("If-Match", [b'"a"', b'"b"'])])
        self.assertEqual(values_of(sent, "If-Match"), ['"a"', '"b"'])

    def test_content_type(self):
        """The body's type is sent once, as checked, whatever passes; an injected one wins."""
        browser = {"Content-Type": "text/html"}
        for content_type, injected, sent in [
            (b"application/json", {}, ["application/json"]),
            (None, {}, []),
            (b"application/json", {"content-type": "application/x"}, ["application/x"]),
        ]:
            with self.subTest(content_type=content_type, injected=injected):
                out = outbound(browser, injected, passed=("Content-*",), content_type=content_type)
                self.assertEqual(values_of(out, "content-type"), sent)

    def test_request_id(self):
        """Ours is sent, never the browser's line; an injected one replaces it."""
        sent = outbound({"X-Request-ID": "theirs"}, passed=("X-*",))
        self.assertEqual(values_of(sent, "x-request-id"), ["id-1"])

    def test_user_agent(self):
        """Ours, unless the browser's passes or the server sets one."""
        ours = USER_AGENT.decode()
        for passed, injected, sent in [
            ((), {}, [ours]),
            (("User-Agent",), {}, ["browser"]),
            ((), {"User-Agent": "set"}, ["set"]),
            (("User-Agent",), {"user-agent": "set"}, ["set"]),
        ]:
            with self.subTest(passed=passed, injected=injected):
                out = outbound({"User-Agent": "browser"}, injected, passed=passed)
                self.assertEqual(values_of(out, "user-agent"), sent)


class Injected(SynchronousTestCase):
    def test_values(self):
        """Text, bytes and secrets all become secrets."""
        pairs = injected_headers({"A": "a", "B": b"b", "C": Secret("c")})
        self.assertEqual([name for name, _ in pairs], [b"A", b"B", b"C"])
        self.assertEqual([value.reveal() for _, value in pairs], [b"a", b"b", b"c"])
        self.assertTrue(all(isinstance(value, Secret) for _, value in pairs))

    def test_refused(self):
        """Framing, names that are none and values that would break the line; never the value."""
        for name, value in NOT_INJECTED:
            with self.subTest(name=name), self.assertRaises(ValueError) as caught:
                injected_headers({name: value})
            self.assertNotIn("secret\r", str(caught.exception))


class GuardTests(SynchronousTestCase):
    def guard(self, **values):
        return Guard(injected_headers(values))

    def test_clean(self):
        """The whole value, and the token behind its scheme, wherever they stand."""
        guard = self.guard(Authorization="Bearer sk-123456789", Key="abcdefgh")
        for data, cleaned in CLEANED:
            with self.subTest(data=data):
                self.assertEqual(guard.clean(data), cleaned)

    def test_longest_first(self):
        """A secret that holds another one leaves no tail behind."""
        guard = self.guard(A="abcdefgh", B="abcdefgh-and-more")
        self.assertEqual(guard.clean(b"abcdefgh-and-more"), b"[redacted]")

    def test_short_values_are_no_keys(self):
        """``2023-06`` in every answer is a version, not a leak."""
        guard = self.guard(A="2023-06", B="Bearer short")
        self.assertEqual(guard.clean(b"2023-06 short"), b"2023-06 short")
        self.assertEqual(guard.clean(b"Bearer short"), b"[redacted]")


OURS = [("Content-Type", "text/x"), ("Cache-Control", "private, no-store")]


class Response(SynchronousTestCase):
    def test_what_is_relayed(self):
        """Upstream header x options -> (relayed under, exposed)."""
        for name, relayed, under, exposed in RELAYED:
            with self.subTest(name=name, relayed=relayed):
                headers, names = apply([(name, "v")], relayed)
                self.assertEqual(headers, ([(under, "v")] if under else []) + OURS)
                self.assertEqual(names, [under] if exposed else [])

    def test_never_relayed(self):
        """No pattern makes these pass."""
        everything = [f"{letter}*" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
        for name in NEVER_RELAYED:
            with self.subTest(name=name):
                headers, exposed = apply([(name, "v")], everything)
                self.assertEqual([pair for pair in headers if pair[1] == "v"], [])
                self.assertEqual(exposed, [])
                self.assertTrue(is_never_relayed(name.encode()))

    def test_connection_nominates(self):
        """What the upstream's Connection names stays on its side, wherever the line stands."""
        for connection in ("X-A", "close, x-a", "keep-alive,X-a "):
            for order in (1, -1):
                with self.subTest(connection=connection, order=order):
                    fields = [("connection", connection), ("x-a", "1"), ("x-b", "2")][::order]
                    self.assertEqual(apply(fields, ("X-*",))[0], [("X-B", "2"), *OURS])

    def test_expose_headers(self):
        """Relayed under the other name and exposed; under its own too where that is relayed."""
        pair = ExposeHeader("X-Upstream", "X-Ours")
        self.assertEqual(
            apply([("x-upstream", "v")], (), [pair]), ([("X-Ours", "v"), *OURS], ["X-Ours"])
        )
        headers, exposed = apply([("x-upstream", "v")], ("X-Upstream",), [pair])
        self.assertEqual(headers[:2], [("X-Upstream", "v"), ("X-Ours", "v")])
        self.assertEqual(sorted(exposed), ["X-Ours", "X-Upstream"])

    def test_one_header_under_two_names(self):
        """Two entries for one upstream header both count."""
        pairs = [ExposeHeader("A", "B"), ExposeHeader("a", "C")]
        headers, exposed = apply([("a", "v")], (), pairs)
        self.assertEqual((headers[:2], exposed), ([("B", "v"), ("C", "v")], ["B", "C"]))

    def test_whip_resource(self):
        """The seed's pair: Location becomes absolute under both names."""
        headers, exposed = apply(
            [("location", "/whip/1")], (), [ExposeHeader("Location", "X-WHIP-Resource")]
        )
        url = "https://api.example.com/whip/1"
        self.assertEqual(headers[:2], [("Location", url), ("X-WHIP-Resource", url)])
        self.assertEqual(exposed, ["X-WHIP-Resource"])

    def test_repeated_header(self):
        """Several Link lines stay several; their name is exposed once."""
        headers, exposed = apply([("link", "a"), ("link", "b")], SDP_RELAY)
        self.assertEqual(headers[:2], [("Link", "a"), ("Link", "b")])
        self.assertEqual(exposed, ["Link"])

    def test_content_type(self):
        """The upstream's; the route's where it sent none."""
        self.assertEqual(apply([("content-type", "a/b")])[0][0], ("Content-Type", "a/b"))
        self.assertEqual(apply([])[0], OURS)

    def test_cache_control(self):
        """Private by default: one user's answer is no other's. A route that says so relays it."""
        fields = [("cache-control", "public, max-age=60")]
        self.assertEqual(values_of(apply(fields)[0], "Cache-Control"), ["private, no-store"])
        self.assertEqual(
            values_of(apply(fields, ("Cache-Control",))[0], "Cache-Control"),
            ["public, max-age=60"],
        )
        for relayed in (("Cache-Control",), ("C*",)):
            self.assertEqual(apply([], relayed)[0], OURS)

    def test_streams(self):
        """What comes piece by piece says that nobody may hold or change it; the rest does not."""
        kept = "private, no-store, no-transform"
        for kind, said in (("text/event-stream", kept), ("text/event-streams", OURS[1][1])):
            headers, _ = apply([("content-type", kind)])
            self.assertEqual(values_of(headers, "Cache-Control"), [said])
            accel = values_of(headers, "X-Accel-Buffering")
            self.assertEqual(accel, ["no"] if said == kept else [])

    def test_the_request_id_of_the_upstream_is_named_once(self):
        """A pinned route's own rule for it beside the same in the options."""
        pair = ExposeHeader("x-request-id", "X-UPSTREAM-Request-ID")
        headers, _ = apply([("x-request-id", "req_1")], (), [pair], pinned=True)
        self.assertEqual([pair for pair in headers if pair[1] == "req_1"], headers[:1])

    def test_request_id_of_a_pinned_route(self):
        """X-Request-ID is ours; the upstream's comes under another name."""
        headers, exposed = apply([("x-request-id", "req_1")], PINNED_RELAY, pinned=True)
        self.assertEqual(headers[0], ("X-Upstream-Request-Id".replace("Id", "ID"), "req_1"))
        self.assertEqual(exposed, ["X-Upstream-Request-ID"])

    def test_reflected_secret(self):
        """A key that comes back in a header is blotted out."""
        guard = Guard(injected_headers({"Authorization": "Bearer sk-123456789"}))
        headers, _ = apply(
            [("location", "/a?key=sk-123456789"), ("x-echo", "Bearer sk-123456789")],
            ("X-Echo",),
            guard=guard,
        )
        self.assertEqual(
            headers[:2],
            [("Location", "https://api.example.com/a?key=[redacted]"), ("X-Echo", "[redacted]")],
        )

    def test_a_secret_in_a_name(self):
        """Where an option gives the beginning of a name only, the upstream chooses the rest."""
        guard = Guard(injected_headers({"Authorization": "Bearer sk-123456789"}))
        fields = [("x-echo-sk-123456789", "1"), ("x-echo-other", "2")]
        headers, exposed = apply(fields, ("X-Echo-*",), guard=guard)
        self.assertEqual(headers, [("X-Echo-Other", "2"), *OURS])
        self.assertEqual(exposed, ["X-Echo-Other"])

    def test_decisions_are_bounded(self):
        """An upstream that invents names does not grow the table; the answer stays right."""
        rewrite = ResponseRewrite(("X-A-*",), (), content_type=b"text/x", pinned=False)
        fields = [(b"x-a-%d" % number, b"v") for number in range(2000)]
        headers, _ = rewrite.apply(fields, TARGET, NO_GUARD)
        self.assertEqual(len(headers), 2002)
        self.assertEqual(len(rewrite._decisions), 512)

    def test_refused_options(self):
        """What can never be relayed, or is no name, is refused with its place; all at once."""
        for relayed, exposed_as, problems in REFUSED:
            pairs = [ExposeHeader(*pair) for pair in exposed_as]
            with self.subTest(relayed=relayed, pairs=pairs), self.assertRaises(ConfigError) as no:
                create_external_proxy(
                    allowed_hosts=["a.example"], response_headers=relayed, expose_headers=pairs
                )
            self.assertEqual(len(no.exception.problems), len(problems))
            for line, opening in zip(no.exception.problems, problems, strict=True):
                self.assertTrue(line.startswith(opening), line)


class Location(SynchronousTestCase):
    def test_absolute(self):
        """Resolved against the upstream URL; what is no URL in ASCII stays."""
        for value, absolute in LOCATIONS:
            with self.subTest(value=value):
                self.assertEqual(absolute_location(value, TARGET), absolute)

    def test_port(self):
        """A port of the upstream's that is not the default stays in the URL."""
        target = Target("http", "127.0.0.1", 9100, "/whip")
        self.assertEqual(absolute_location(b"/r", target), b"http://127.0.0.1:9100/r")


class InjectedTests(SynchronousTestCase):
    def test_nothing_of_a_user_is_kept(self):
        """What a callable injected for one request is referred to by nothing afterwards."""
        rewrite, headers = RequestRewrite(()), injected_headers({"X-Key": "ada's own key"})
        before = getrefcount(headers)
        rewrite.outbound((), headers, content_type=None, request_id="1")
        self.assertEqual(getrefcount(headers), before)


class Verdicts(SynchronousTestCase):
    def test_strangers_do_not_fill_the_memory(self):
        """Names that nobody sends again leave room for others."""
        rewrite = RequestRewrite(("Accept",))
        for at in range(512):
            rewrite._verdict(b"X-Junk-%d" % at)
        rewrite._verdict(b"Accept")
        self.assertEqual(rewrite._verdicts.get(b"Accept"), b"accept")
        self.assertLessEqual(len(rewrite._verdicts), 512)
