"""Tests of naap_twisted.wrappers.compression."""

from __future__ import annotations

import gzip
import zlib

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.wrappers.compression import (
    SMALLEST,
    Compression,
    GzipEncoder,
    accepts_gzip,
    choose_encoder,
)

from ..support import Answer, FakeRequest

LONG = str(SMALLEST)


def answer(
    sent: dict[str, str], *, accept: str = "gzip", method: bytes = b"GET", code: int = 200
) -> FakeRequest:
    """A request whose answer is about to begin, with *sent* as response headers."""
    request = FakeRequest(method, headers={"Accept-Encoding": accept})
    request.code = code
    for name, value in sent.items():
        request.responseHeaders.setRawHeaders(name, [value])
    return request


class AcceptsGzipTests(SynchronousTestCase):
    def test_table(self) -> None:
        """RFC 9110 section 12.5.3: by name first, weight 0 is a no."""
        for value, expected in [
            ("gzip", True),
            ("GZIP", True),
            ("x-gzip", True),
            ("deflate, gzip;q=1.0, *;q=0.5", True),
            ("gzip ; q=0.001", True),
            ("*", True),
            ("br, *;q=0.1", True),
            ("", False),
            ("identity", False),
            ("br", False),
            ("gzip;q=0", False),
            ("gzip;q=0.000", False),
            ("gzip;Q=0", False),
            ("gzip;q=0, *", False),
            ("*;q=0", False),
            ("gzip;q=", False),
            ("gzip;q=nan", False),
            ("gzip;q=-1", False),
            ("gzip;q=2", False),
            ("xgzip", False),
        ]:
            self.assertEqual(accepts_gzip([value.encode()]), expected, value)

    def test_lines(self) -> None:
        """Several lines are one list; none at all is a no, for safety."""
        self.assertTrue(accepts_gzip([b"br", b"gzip"]))
        self.assertFalse(accepts_gzip([]))


class GzipEncoderTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """The pieces make one gzip stream of the body."""
        encoder = GzipEncoder()
        out = b"".join(map(encoder.encode, [b"a" * 5000, b"", b"b" * 5000]))
        self.assertEqual(gzip.decompress(out + encoder.finish()), b"a" * 5000 + b"b" * 5000)
        self.assertLess(len(out), 200)

    def test_flush(self) -> None:
        """A streamed answer's pieces can be read as they come."""
        encoder = GzipEncoder(flush=True)
        reader = zlib.decompressobj(31)
        for piece in (b"one", b"two"):
            self.assertEqual(reader.decompress(encoder.encode(piece)), piece)
        reader.decompress(encoder.finish())
        self.assertTrue(reader.eof)


class ChooseEncoderTests(SynchronousTestCase):
    def test_head(self) -> None:
        """The head tells what the body became."""
        request = answer(
            {
                "Content-Type": "application/json",
                "Content-Length": LONG,
                "Accept-Ranges": "bytes",
                "ETag": '"v1"',
                "Vary": "Origin",
            }
        )
        self.assertIsInstance(choose_encoder(request), GzipEncoder)
        self.assertEqual(request.sent("Content-Encoding"), "gzip")
        self.assertIsNone(request.sent("Content-Length"))
        self.assertIsNone(request.sent("Accept-Ranges"))
        self.assertEqual(request.sent("ETag"), 'W/"v1"')
        vary = request.responseHeaders.getRawHeaders("Vary")
        self.assertEqual(vary, ["Origin, Accept-Encoding"])

    def test_etag_set_aside(self) -> None:
        """A tag given to setETag() is weakened too; a weak one stays as it is."""
        for tag in (b'"v1"', b'W/"v1"'):
            request = answer({"Content-Type": "text/plain"})
            request.etag = tag
            choose_encoder(request)
            self.assertEqual(request.etag, b'W/"v1"')

    def test_types(self) -> None:
        """Text compresses; pictures are compressed already, and events must not wait."""
        for kind, expected in [
            ("text/html", True),
            ("Text/Plain; charset=utf-8", True),
            ("application/json", True),
            ("application/problem+json", True),
            ("application/javascript", True),
            ("image/svg+xml", True),
            ("application/atom+xml;q=1", True),
            ("text/event-stream", False),
            ("text/event-stream; charset=utf-8", False),
            ("image/png", False),
            ("application/octet-stream", False),
            ("application/jsonx", False),
            ("application/zip; name=x+json", False),
            ("text/", False),
            ("", False),
        ]:
            request = answer({"Content-Type": kind})
            self.assertEqual(choose_encoder(request) is not None, expected, kind)

    def test_default_type(self) -> None:
        """An answer that names no type will be sent as the request's default."""
        for default, expected in [(b"text/html", True), (b"image/png", False), (None, False)]:
            request = answer({})
            request.defaultContentType = default
            self.assertEqual(choose_encoder(request) is not None, expected, default)

    def test_left_alone(self) -> None:
        """Small, bodiless, partial, encoded or untouchable answers go as they are."""
        text = {"Content-Type": "text/plain", "Content-Length": LONG}
        for request in [
            answer({**text, "Content-Length": str(SMALLEST - 1)}),
            answer({**text, "Content-Length": "0"}),
            answer({**text, "Content-Encoding": "br"}),
            answer({**text, "Cache-Control": "private, No-Transform"}),
            answer(text, method=b"HEAD"),
            answer(text, code=101),
            answer(text, code=204),
            answer(text, code=206),
            answer(text, code=304),
        ]:
            before = list(request.responseHeaders.getAllRawHeaders())
            self.assertIsNone(choose_encoder(request), before)
            self.assertEqual(list(request.responseHeaders.getAllRawHeaders()), before)

    def test_http_1_0(self) -> None:
        """Without chunks the end of a body of unknown length is only a cut."""
        request = answer({"Content-Type": "text/plain"})
        request.clientproto = b"HTTP/1.0"
        self.assertIsNone(choose_encoder(request))

    def test_not_accepted(self) -> None:
        """A client without gzip gets the plain bytes; caches learn that others may not."""
        request = answer({"Content-Type": "text/plain", "Content-Length": LONG}, accept="br")
        self.assertIsNone(choose_encoder(request))
        self.assertIsNone(request.sent("Content-Encoding"))
        self.assertEqual(request.sent("Content-Length"), LONG)
        self.assertEqual(request.sent("Vary"), "Accept-Encoding")

    def test_vary_once(self) -> None:
        """Vary names Accept-Encoding once."""
        request = answer({"Content-Type": "text/plain", "Vary": "accept-encoding"})
        choose_encoder(request)
        self.assertEqual(request.sent("Vary"), "accept-encoding")

    def test_flushes_unknown_lengths(self) -> None:
        """A body with no declared length may be slow: each piece goes out at once."""
        encoder = choose_encoder(answer({"Content-Type": "text/plain"}))
        reader = zlib.decompressobj(31)
        self.assertEqual(reader.decompress(encoder.encode(b"tick")), b"tick")
        known = choose_encoder(answer({"Content-Type": "text/plain", "Content-Length": LONG}))
        self.assertEqual(zlib.decompressobj(31).decompress(known.encode(b"tick")), b"")


class CompressionTests(SynchronousTestCase):
    def test_leaves_the_choice_to_the_request(self) -> None:
        """Nothing can be decided before the answer's head is known."""
        request = FakeRequest()
        Compression(Answer()).render(request)
        self.assertIs(request.compression, choose_encoder)
        self.assertEqual(len(request.rendered), 1)
        self.assertIsNone(request.sent("Content-Encoding"))
