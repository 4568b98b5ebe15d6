"""Which headers of an upstream come back, under which name, beside those of this server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted import create_external_proxy
from naap_twisted.downstream.headers import put_fields
from naap_twisted.errors import ConfigError
from naap_twisted.headers import PINNED_RELAY, SDP_RELAY
from naap_twisted.model import ExposeHeader, Target
from naap_twisted.policy.own_headers import is_never_relayed
from naap_twisted.route.request_headers import injected_headers
from naap_twisted.route.response_headers import (
    ResponseRewrite,
    absolute_location,
    beside_ours,
    is_stream,
    merged,
    unheld,
)
from naap_twisted.route.scrub import Guard
from tests.rewrite_vectors import (
    LOCATIONS,
    NEVER_RELAYED,
    NO_GUARD,
    REFUSED,
    RELAYED,
    TARGET,
    apply,
    values_of,
)

OURS = [("Cache-Control", "private, no-store")]


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
        self.assertEqual(exposed, ["Location", "X-WHIP-Resource"])

    def test_repeated_header(self):
        """Several Link lines stay several; their name is exposed once."""
        headers, exposed = apply([("link", "a"), ("link", "b")], SDP_RELAY)
        self.assertEqual(headers[:2], [("Link", "a"), ("Link", "b")])
        self.assertEqual(exposed, ["Link"])

    def test_content_type(self):
        """The upstream's; none is made up where it sent none."""
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
        for kind, said in (("text/event-stream", kept), ("text/event-streams", OURS[0][1])):
            headers, _ = apply([("content-type", kind)])
            self.assertEqual(values_of(headers, "Cache-Control"), [said])
            accel = values_of(headers, "X-Accel-Buffering")
            self.assertEqual(accel, ["no"] if said == kept else [])

    def test_the_request_id_of_the_upstream_is_named_once(self):
        """The rule of every route beside the same in the options."""
        pair = ExposeHeader("x-request-id", "X-UPSTREAM-Request-ID")
        headers, _ = apply([("x-request-id", "req_1")], (), [pair])
        self.assertEqual([pair for pair in headers if pair[1] == "req_1"], headers[:1])

    def test_request_id(self):
        """X-Request-ID is ours; the upstream's comes under another name."""
        headers, exposed = apply([("x-request-id", "req_1")], PINNED_RELAY)
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
        rewrite = ResponseRewrite(("X-A-*",), ())
        fields = [(b"x-a-%d" % number, b"v") for number in range(2000)]
        headers, _ = rewrite.apply(fields, TARGET, NO_GUARD)
        self.assertEqual(len(headers), 2001)
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


class SharedTests(SynchronousTestCase):
    def test_merged(self) -> None:
        """Each name once, the first spelling stays, a star is all; what is empty is nothing."""
        for lists, one in (
            ((b"Origin",), b"Origin"),
            ((b"Origin", b"origin, Accept"), b"Origin, Accept"),
            ((b"A,B", b" b ,, C "), b"A, B, C"),
            ((b"A", b"B, *"), b"*"),
            ((b"", b","), b""),
        ):
            self.assertEqual(merged(lists), one)

    def test_vary(self) -> None:
        """One line of both; without ours the upstream's alone."""
        theirs = [(b"ETag", b"e"), (b"Vary", b"Accept"), (b"Vary", b"Origin")]
        for ours, value in (({"Vary": ["Origin"]}, b"Origin, Accept"), ({}, b"Accept, Origin")):
            found = beside_ours(Headers(ours), theirs, [b"Vary"])
            self.assertEqual(found, ([(b"ETag", b"e"), (b"Vary", value)], [b"Vary"]))

    def test_lines(self) -> None:
        """A list that our side has begun goes on, line by line; one that nobody relays is ours."""
        ours = Headers({"Link": ["<a, b>; rel=x"], "Server-Timing": ["db"]})
        headers, _ = beside_ours(ours, [(b"Link", b"<c>"), (b"Link", b"<d>")], [b"Link"])
        self.assertEqual([value for _, value in headers], [b"<a, b>; rel=x", b"<c>", b"<d>"])
        put_fields(ours, headers)
        self.assertEqual(ours.getRawHeaders("Link"), ["<a, b>; rel=x", "<c>", "<d>"])
        self.assertEqual(ours.getRawHeaders("Server-Timing"), ["db"])

    def test_limits(self) -> None:
        """The upstream's have a name of their own beside ours, and theirs where there are none."""
        theirs = [(b"Ratelimit", b"a"), (b"Ratelimit-Policy", b"b"), (b"Ratelimit-Reset", b"c")]
        names = [name for name, _ in theirs]
        self.assertEqual(beside_ours(Headers(), theirs, names), (theirs, names))
        headers, exposed = beside_ours(Headers({"RateLimit": ["x"]}), theirs, names)
        renamed = [b"X-Upstream-RateLimit", b"X-Upstream-RateLimit-Policy", b"Ratelimit-Reset"]
        self.assertEqual([name for name, _ in headers], renamed)
        self.assertEqual(exposed, renamed)

    def test_streams(self) -> None:
        """By media type, whatever its case and parameters."""
        for kind in (b"text/event-stream", b"TEXT/Event-Stream;a=b", b"application/x-ndjson "):
            self.assertTrue(is_stream(kind), kind)
        for kind in (b"", b"text/event-streams", b"text/plain; text/event-stream", b"*/*"):
            self.assertFalse(is_stream(kind), kind)

    def test_unheld(self) -> None:
        """What Cache-Control says stays, and is said once."""
        for said, now in (
            ([], b"no-transform"),
            ([b"private"], b"private, no-transform"),
            ([b"a", b"b"], b"a, b, no-transform"),
            ([b"a, NO-transform"], b"a, NO-transform"),
            ([b'a="no-transform"'], b'a="no-transform", no-transform'),
        ):
            headers = unheld([(b"X", b"1"), *((b"Cache-Control", value) for value in said)])
            self.assertEqual(
                headers, [(b"X", b"1"), (b"Cache-Control", now), (b"X-Accel-Buffering", b"no")]
            )
