"""The HTTP of WHIP encoders byte for byte: FFmpeg's muxer, GStreamer's ``whipsink``.

The heads are those that FFmpeg 8 was seen to send, and those that the source of gst-plugins-rs has
reqwest send: a page's habits (Origin, preflights, keep-alive) are none of theirs.
"""

from __future__ import annotations

from urllib.parse import urljoin

from naap_twisted.testing.upstream import Received

from .support import AUTHORIZATION, response
from .whip_case import ADA, ANSWER, CREATED, SDP, WhipTestCase

OFFER = b"v=0\r\no=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1\r\ns=FFmpegPublishSession\r\n"
ROOM = "/api/v1/pinned/room"
BASE = "http://127.0.0.1"
LOCATION = "/api/v1/pinned/whip-session/"


def ffmpeg(method: str, path: str, body: bytes = b"", token: str = ADA) -> bytes:
    """What FFmpeg's HTTP client sends, one connection a request."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "User-Agent: Lavf/62.12.102",
        "Accept: */*",
        "Connection: close",
        "Host: 127.0.0.1",
        *([f"Content-Length: {len(body)}"] if body else []),
        "Icy-MetaData: 1",
        "Cache-Control: no-cache",
        *([f"Content-Type: {SDP}"] if body else []),
        f"Authorization: {token}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def gstreamer(method: str, path: str, body: bytes = b"", token: str = ADA) -> bytes:
    """What reqwest sends for ``whipsink``: names in lower case, the connection kept."""
    lines = [
        f"{method} {path} HTTP/1.1",
        *([f"content-type: {SDP}"] if body else []),
        f"authorization: {token}",
        "accept: */*",
        "host: 127.0.0.1",
        *([f"content-length: {len(body)}"] if body else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


ENCODERS = (ffmpeg, gstreamer)


class EncoderTests(WhipTestCase):
    def pinned(self) -> None:
        self.begin(CREATED)
        self.mount("/pinned", target=self.upstream.origin + "/whip", content_type=SDP)

    async def told(self, head: bytes):
        """The answer to bytes on a connection of their own."""
        client = await self.running.client()
        client.send(head)
        return await client.answer(head.partition(b" ")[0].decode())

    def seen(self) -> list[tuple[bytes, list[bytes], list[bytes]]]:
        """Request line, key and what FFmpeg asks a web radio for, of each request that went up."""
        return [
            (received.line, values(received, b"authorization"), values(received, b"icy-metadata"))
            for received in self.upstream.requests
        ]

    async def test_session(self) -> None:
        """Offer, answer, DELETE at the Location as RFC 3986 resolves it; the key goes up."""
        for encoder in ENCODERS:
            with self.subTest(encoder=encoder.__name__):
                self.pinned()
                answer = await self.told(encoder("POST", ROOM, OFFER))
                self.assertEqual((answer.status, answer.body), (201, ANSWER))
                location = answer.header("Location")
                self.assertTrue(location.startswith(LOCATION), location)
                end = urljoin(BASE + ROOM, location).removeprefix(BASE)
                self.upstream.steps = (response(200),)
                self.assertEqual((await self.told(encoder("DELETE", end))).status, 200)
                key = [AUTHORIZATION.encode()]
                self.assertEqual(
                    self.seen(),
                    [
                        (b"POST /whip/room HTTP/1.1", key, []),
                        (b"DELETE /session/secret-session-7?t=1 HTTP/1.1", key, []),
                    ],
                )
                self.assertEqual(self.upstream.requests[0].body, OFFER)

    async def test_links(self) -> None:
        """Each ICE server is a line of its own, as ``use-link-headers`` reads them."""
        self.pinned()
        answer = await self.told(gstreamer("POST", ROOM, OFFER))
        self.assertEqual(len(answer.headers.getRawHeaders("Link")), 2)

    async def test_redirect(self) -> None:
        """``whipsink`` follows a redirect by itself: it gets the endpoint's, absolute."""
        self.pinned()
        self.upstream.steps = (response(307, b"", "Location: /whip/other"),)
        answer = await self.told(gstreamer("POST", ROOM, OFFER))
        self.assertEqual(answer.status, 307)
        self.assertEqual(answer.header("Location"), self.upstream.origin + "/whip/other")

    async def test_token(self) -> None:
        """Without the caller's token, or with another's: 401, and nothing goes up."""
        for encoder in ENCODERS:
            self.pinned()
            for head in (
                encoder("POST", ROOM, OFFER, "Bearer other"),
                encoder("DELETE", LOCATION + "x", token="Bearer other"),
            ):
                answer = await self.told(head)
                self.assert_refused(answer, 401, "INVALID_TOKEN")
            self.assertEqual(self.upstream.requests, [])


def values(received: Received, name: bytes) -> list[bytes]:
    """The values of one header of a request."""
    return [value for known, value in received.head.fields if known.lower() == name]
