"""Offers of Realtime calls on a route with the server's own session, over real sockets."""

from __future__ import annotations

import json
from email import message_from_bytes

from .support import response
from .whip_case import ADA, ANSWER, SDP, WhipTestCase

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
SERVER = {"type": "realtime", "model": "gpt-realtime"}
CALL = response(201, ANSWER, f"Content-Type: {SDP}", "Location: /v1/realtime/calls/rtc_1")


class CallTests(WhipTestCase):
    def calls(self) -> None:
        self.begin(CALL)
        target = self.upstream.origin + "/v1/realtime/calls"
        types = [SDP, "multipart/form-data", "application/json"]
        self.mount("/calls", target=target, content_type=types, session=SERVER)

    async def told(self, body: bytes, kind: str = FORM, **headers: str):
        return await self.ask("POST", "/api/v1/calls", body, Content_Type=kind, **headers)

    def session(self) -> object:
        """What the upstream was told beside the offer."""
        (received,) = self.upstream.requests
        fields = {name.lower(): value for name, value in received.head.fields}
        self.assertEqual(int(fields[b"content-length"]), len(received.body))
        head = b"Content-Type: " + fields[b"content-type"]
        offer, session = message_from_bytes(head + b"\r\n\r\n" + received.body).get_payload()
        self.assertEqual(offer.get_payload(decode=True), OFFER)
        return json.loads(session.get_payload())

    async def test_form(self) -> None:
        """The model is the server's; what it does not say is the page's."""
        self.calls()
        page = b'{"model": "gpt-realtime-mega", "instructions": "Be brief"}'
        answer = await self.told(PART % (b"sdp", OFFER) + PART % (b"session", page) + b"--b--\r\n")
        self.assertEqual((answer.status, answer.body), (201, ANSWER))
        self.assertTrue(answer.header("Location").endswith("/rtc_1"))
        self.assertEqual(self.session(), {**SERVER, "instructions": "Be brief"})

    async def test_sdp(self) -> None:
        """Plain SDP in pieces of no declared length."""
        self.calls()
        client = await self.running.client()
        client.send(
            b"POST /api/v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/sdp\r\nAuthorization: " + ADA.encode() + b"\r\n\r\n"
        )
        for piece in (OFFER[:9], OFFER[9:], b""):
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.assertEqual((await client.answer("POST")).status, 201)
        self.assertEqual(self.session(), SERVER)

    async def test_json(self) -> None:
        """Another body passes as it came."""
        self.calls()
        self.assertEqual((await self.told(b'{"a": 1}', "application/json")).status, 201)
        self.assertEqual(self.upstream.requests[0].body, b'{"a": 1}')

    async def test_refused(self) -> None:
        self.calls()
        whole = PART % (b"sdp", OFFER) + b"--b--\r\n"
        for body, status, code, headers in (
            (PART % (b"file", b"x") + b"--b--\r\n", 400, "INVALID_FORM", {}),
            (PART % (b"sdp", OFFER) + whole, 400, "INVALID_FORM", {}),
            (PART % (b"session", b"{") + whole, 400, "INVALID_JSON", {}),
            (whole, 415, "UNSUPPORTED_MEDIA_TYPE", {"Content_Encoding": "gzip"}),
            (whole + b" " * 262_144, 413, "BODY_TOO_LARGE", {}),
        ):
            with self.subTest(code=code, body=body[:99]):
                self.assert_refused(await self.told(body, **headers), status, code)
        self.assertEqual(self.upstream.requests, [])
