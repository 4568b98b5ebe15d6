"""Constant headers."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.downstream.headers import LeanHeaders
from naap_twisted.downstream.presets import make_preset, put_fields, put_preset, spelling

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

    def test_spelling(self) -> None:
        """A preset's name is the one under which Twisted's headers find it."""
        headers = LeanHeaders()
        put_preset(headers, ((spelling(b"x-request-id"), b"1"),))
        self.assertEqual(
            Headers(dict(headers.getAllRawHeaders())).getRawHeaders("X-Request-ID"), ["1"]
        )
