from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers, InvalidHeaderName

from naap_twisted.downstream import headers as module
from naap_twisted.downstream.headers import (
    LeanHeaders,
    make_preset,
    put_exposed,
    put_fields,
    put_preset,
    spelled,
)

NAMES = (b"content-type", b"ETag", b"WWW-Authenticate", b"x-ReQuest-ID", b"dnt", b"X-Request-ID")


class LeanHeadersTests(SynchronousTestCase):
    def test_as_twisted(self) -> None:
        """The short way and Twisted's own give the same, value for value."""
        for name in NAMES:
            for values in ([b"a"], [b"a", b"b"], [b"a\r\nEvil: 1"], ["text"], []):
                ours, theirs = LeanHeaders(), Headers()
                for _ in range(2):  # the second time the name is known
                    ours.setRawHeaders(name, values)
                    theirs.setRawHeaders(name, values)
                self.assertEqual(list(ours.getAllRawHeaders()), list(theirs.getAllRawHeaders()))
                for asked in (name, name.lower(), name.decode(), b"other"):
                    self.assertEqual(ours.getRawHeaders(asked), theirs.getRawHeaders(asked))
                    self.assertEqual(ours.getRawHeaders(asked, 7), theirs.getRawHeaders(asked, 7))

    def test_of_fields(self) -> None:
        """A request's fields, in order, repeated ones together."""
        fields = [(b"accept", b"a"), (b"x-one", b"1"), (b"accept", b"b")]
        headers = LeanHeaders.of(fields)
        self.assertEqual(headers.getRawHeaders(b"Accept"), [b"a", b"b"])
        self.assertEqual(headers.getRawHeaders("X-One"), ["1"])
        headers.addRawHeader(b"X-One", b"2")
        self.assertEqual(headers.getRawHeaders(b"x-one"), [b"1", b"2"])

    def test_strangers_do_not_fill_the_memory(self) -> None:
        """Names that nobody uses again leave room for others, and for those that we set."""
        self.patch(module, "_SPELLED", {})
        for at in range(module._MOST_SPELLED):
            spelled(b"x-junk-%d" % at)
        spelled(b"x-fresh")
        self.assertEqual(module._SPELLED.get(b"x-fresh"), b"X-Fresh")
        LeanHeaders().setRawHeaders(b"Content-Type", [b"a/b"])
        self.assertEqual(module._SPELLED[b"Content-Type"], b"Content-Type")
        self.assertLessEqual(len(module._SPELLED), module._MOST_SPELLED)

    def test_names_that_are_none(self) -> None:
        """Refused as Twisted refuses them."""
        self.assertRaises(InvalidHeaderName, spelled, b"a b")
        self.assertRaises(InvalidHeaderName, LeanHeaders().setRawHeaders, b"a\nb", [b"x"])

    def test_relayed(self) -> None:
        """A relayed field takes the place of what was set; its own repetitions stay."""
        headers = LeanHeaders()
        headers.setRawHeaders(b"Link", [b"ours"])
        headers.relay([(b"link", b"1"), (b"X-New", b"2"), (b"link", b"3")])
        self.assertEqual(headers.getRawHeaders(b"Link"), [b"1", b"3"])
        self.assertEqual(headers.getRawHeaders(b"x-new"), [b"2"])

    def test_has(self) -> None:
        """As Twisted's, whatever the spelling and the type of the name."""
        headers = LeanHeaders()
        headers.setRawHeaders(b"ETag", [b"1"])
        for name in (b"etag", b"ETag", "Etag"):
            self.assertTrue(headers.hasHeader(name))
        self.assertFalse(headers.hasHeader(b"dnt"))


CONSTANT = {b"x-request-id": b"1", b"Content-Security-Policy": b"a; b"}


class PresetTests(SynchronousTestCase):
    def test_the_same_on_both(self) -> None:
        """Our headers and Twisted's say the same afterwards; one value each, the old one gone."""
        preset = make_preset(CONSTANT)
        for headers in (LeanHeaders(), Headers()):
            headers.setRawHeaders(b"X-Request-ID", [b"old", b"older"])
            put_preset(headers, preset)
            for name, value in CONSTANT.items():
                self.assertEqual(headers.getRawHeaders(name), [value])

    def test_values_are_not_shared(self) -> None:
        """What one answer adds to a constant header is not in the next."""
        preset = make_preset(CONSTANT)
        first, second = LeanHeaders(), LeanHeaders()
        put_preset(first, preset)
        first.addRawHeader(b"Content-Security-Policy", b"c")
        put_preset(second, preset)
        self.assertEqual(second.getRawHeaders(b"Content-Security-Policy"), [b"a; b"])

    def test_fields(self) -> None:
        """The same on both: what was set is replaced, a repeated name stays repeated."""
        for headers in (LeanHeaders(), Headers()):
            headers.setRawHeaders(b"Link", [b"old"])
            put_fields(headers, [(b"Link", b"1"), (b"ETag", b"2"), (b"Link", b"3")])
            self.assertEqual(headers.getRawHeaders(b"link"), [b"1", b"3"])
            self.assertEqual(headers.getRawHeaders(b"etag"), [b"2"])

    def test_exposed(self) -> None:
        """A page may read the header if it may read the answer; else nothing is exposed."""
        for headers in (LeanHeaders(), Headers()):
            put_exposed(headers, b"X-One", b"1")
            self.assertFalse(headers.hasHeader(b"access-control-expose-headers"))
            headers.setRawHeaders(b"Access-Control-Expose-Headers", [b"X-Request-ID"])
            put_exposed(headers, b"X-Two", b"2")
            exposed = headers.getRawHeaders(b"access-control-expose-headers")
            self.assertEqual(exposed, [b"X-Request-ID, X-Two"])
            self.assertEqual(headers.getRawHeaders(b"x-one"), [b"1"])

    def test_spelled(self) -> None:
        """A preset's name is the one under which Twisted's headers find it."""
        headers = LeanHeaders()
        put_preset(headers, ((spelled(b"x-request-id"), b"1"),))
        self.assertEqual(
            Headers(dict(headers.getAllRawHeaders())).getRawHeaders("X-Request-ID"), ["1"]
        )
