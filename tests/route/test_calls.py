"""The offers of calls: the server's session over the page's, and what is no such form."""

from __future__ import annotations

import json
from email import message_from_bytes
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import InvalidForm, InvalidJson
from naap_twisted.route.calls import call_rewrite, overlaid

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n \x00\xff --b\r\n"
SERVER = {"model": "gpt-realtime", "audio": {"output": {"voice": "marin"}}, "tools": []}
HEAD = b'Content-Disposition: form-data; name="%b"'


def form(*parts: tuple[bytes, bytes], end: bytes = b"--b--\r\n") -> bytes:
    """A form of parts, each its header lines and its content."""
    return b"".join(b"--b\r\n%b\r\n\r\n%b\r\n" % part for part in parts) + end


def named(name: bytes, content: bytes) -> tuple[bytes, bytes]:
    return HEAD % name, content


OFFER = named(b"sdp", SDP)


class CallTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rewrite = call_rewrite(SERVER)

    def sent(self, body: bytes, kind: bytes = b"multipart/form-data; boundary=b") -> Any:
        """The session in the form that leaves, whose offer is the page's."""
        form, written = self.rewrite.make(body, kind)
        message = message_from_bytes(b"Content-Type: %b\r\n\r\n%b" % (written, form))
        self.assertEqual(message.defects, [])
        offer, session = message.get_payload()
        names = [p.get_param("name", header="content-disposition") for p in (offer, session)]
        self.assertEqual(names, ["sdp", "session"])
        self.assertIn(b"\r\n\r\n" + SDP + b"\r\n--", form)
        self.assertEqual(offer.get_content_type(), "application/sdp")
        return json.loads(session.get_payload())

    def test_overlaid(self) -> None:
        """The server's members count, inside of tables too; lists and other values are whole."""
        page = {
            "model": "gpt-realtime-mega",
            "tools": [{"type": "mcp"}],
            "audio": {"output": {"voice": "x", "speed": 1.5}, "input": {"noise": None}},
            "instructions": "Be brief \ud83d\ude00",
        }
        expected = {
            "model": "gpt-realtime",
            "tools": [],
            "audio": {"output": {"voice": "marin", "speed": 1.5}, "input": {"noise": None}},
            "instructions": "Be brief \ud83d\ude00",
        }
        body = form(OFFER, named(b"session", json.dumps(page).encode()))
        self.assertEqual(self.sent(body), json.loads(json.dumps(expected)))
        self.assertEqual(overlaid({"audio": "none"}, SERVER)["audio"], SERVER["audio"])

    def test_forms(self) -> None:
        """Plain SDP, a form without a session, parts in another order and with other headers."""
        self.assertEqual(self.sent(SDP, b"Application/SDP; charset=utf-8"), SERVER)
        session = named(b"session", b'{"model": "m", "model": "n"}')
        curl = (b'content-disposition: form-data; name=sdp; filename="o.sdp"\r\nX-A: b', SDP)
        for body in (
            form(OFFER),
            form(OFFER, end=b"--b--"),
            form(session, OFFER),
            form(curl, session),
        ):
            self.assertEqual(self.sent(body), SERVER)
        self.assertEqual(self.sent(form(OFFER), b'multipart/form-data;boundary="b"'), SERVER)

    def test_refused(self) -> None:
        """What another parser could read as a second session, or as an upload."""
        session = named(b"session", b"{}")
        nested = (HEAD % b"session" + b"\r\nContent-Type: multipart/mixed; boundary=c", b"--c--")
        for body in (
            b"",
            b"--b",
            form(),
            form(session),
            form(OFFER, end=b""),
            form(OFFER, end=b"--b--\r\n--b\r\n"),
            form(OFFER, end=b"--b--\r\nepilogue"),
            b"preamble\r\n" + form(OFFER),
            form(OFFER).replace(b"--b\r\n", b"--b \r\n", 1),
            form(OFFER).replace(b"\r\n", b"\n"),
            form(OFFER, OFFER),
            form(OFFER, session, session),
            form(OFFER, session, named(b"file", b"x")),
            form(OFFER, named(b"Session", b"{}")),
            form(OFFER, (b"Content-Disposition: form-data; name*=utf-8''session", b"{}")),
            form(OFFER, (b"Content-Type: text/plain", b"{}")),
            form(OFFER, (HEAD % b"session" + b"\r\nX-A: " + b"a" * 5000, b"{}")),
            form(OFFER, named(b"session", b"[]")),
            form(OFFER, named(b"session", b'{"a": 1e999999}')),
            form(OFFER, named(b"session", b'{"a": ' + b"9" * 5000 + b"}")),
            *[form(*[OFFER] * 2000), form(nested)],
        ):
            with self.subTest(body=body[:200]), self.assertRaises(InvalidForm):
                self.rewrite.make(body, b"multipart/form-data; boundary=b")
        for kind in (b"multipart/form-data", b"multipart/form-data; boundary=c"):
            with self.assertRaises(InvalidForm):
                self.rewrite.make(form(OFFER), kind)

    def test_no_json(self) -> None:
        for text in (b"", b"{", b'{"model": NaN}', b"\xff", b"[" * 100_000):
            body = form(OFFER, named(b"session", text))
            with self.subTest(text=text[:9]), self.assertRaises(InvalidJson):
                self.rewrite.make(body, b"multipart/form-data; boundary=b")
