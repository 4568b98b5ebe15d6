"""Headers that both sides write."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.downstream.headers import put_fields
from naap_twisted.route.shared_headers import beside_ours, is_stream, merged, unheld


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
