"""An upstream repeats the key: no spelling of it gets to the browser, from no place or coding."""

import base64
import gzip
import json
from time import process_time

from naap_twisted.testing import CLOSE, PAUSE
from tests.spelling_vectors import KEY, VALUE, reveals

from .echo_vectors import ECHOES, TEXT, UNREADABLE, answer
from .oracle import Stage, one_test_per

_UNREAD = "(compressed)"


class EchoStage(Stage):
    """A route that injects the key of the spellings."""

    def play(self, *steps, **route):
        self.start(*steps, forward_headers={"Authorization": VALUE}, **route)

    async def ask(self, *lines):
        """The one answer to a request with header *lines*."""
        (reply,) = await self.converse(self.request(*lines))
        self.assertTrue(reply.complete)
        self.assertFalse(reveals(b"".join(self.heard)), self.heard)
        return reply


@one_test_per(ECHOES)
class EchoTests(EchoStage):
    """Each spelling in each place."""

    async def check(self, row):
        raw = row.place.raw(row.spelled)
        self.play(raw, **row.place.route)
        reply = await self.ask()
        self.assertEqual(b"%d" % reply.status, raw.split(b" ")[1])
        self.assertEqual(b"[redacted]" in self.heard[0], row.place.shown, self.heard)
        if b"Content-Encoding" in raw:
            self.assertEqual(reply.values("content-encoding"), [])
        if row.place.shown and row.place.name != "header value":
            self.assertIn(b"ask support", reply.body)
        await self.judge(sent=1)


class Unreadable:
    """A row for :func:`one_test_per`."""

    def __init__(self, name, coding, body):
        self.name, self.coding, self.body = name, coding, body


@one_test_per([Unreadable(*row) for row in UNREADABLE])
class UnreadableTests(EchoStage):
    """What can't be looked into is replaced, fast; the status and when to retry stay."""

    async def check(self, row):
        lines = (b"Content-Encoding: " + row.coding, b"Retry-After: 7")
        for errors in ("passthrough", "envelope"):
            raw = answer(429, row.body, *lines)
            self.play(raw, errors=errors, response_headers=["Retry-After"])
            began = process_time()
            reply = await self.ask()
            self.assertLess(process_time() - began, 1.0)
            self.assertEqual((reply.status, reply.values("retry-after")), (429, [b"7"]))
            error = json.loads(reply.body)["error"]
            self.assertEqual(error["code"], "UPSTREAM_ERROR")
            if errors == "passthrough":
                self.assertIn(_UNREAD, error["message"])
            self.assertEqual(reply.values("content-encoding"), [])
            await self.judge(sent=1)


class CodingTests(EchoStage):
    """What goes up, and what of an encoded answer stays as it is."""

    async def test_upstreams_are_asked_for_no_coding(self):
        """Whatever the browser takes, unless the route passes that on and the page says it."""
        for passed, asked in (
            (None, b"identity"),
            (["Accept"], b"identity"),
            (["Accept-Encoding"], b"gzip, br"),
        ):
            self.play(answer(200, b"{}"), pass_headers=passed)
            await self.ask(b"Accept-Encoding: gzip, br")
            (received,) = self.upstream.requests
            self.assertEqual(received.values("accept-encoding"), [asked])
            await self.judge(sent=1)

    async def test_a_clean_error_keeps_its_bytes(self):
        """Looked into, and relayed in its coding; no body at all is none that is broken."""
        for body in (gzip.compress(b'{"error": "slow down"}'), b""):
            self.play(answer(429, body, b"Content-Encoding: gzip"), errors="passthrough")
            reply = await self.ask()
            self.assertEqual((reply.status, reply.body), (429, body))
            self.assertEqual(reply.values("content-encoding"), [b"gzip"])
            self.assertEqual(reply.values("content-length"), [b"%d" % len(body)])
            await self.judge(sent=1)

    async def test_an_encoded_error_that_stalls(self):
        """Its idle timeout ends it, and our envelope stands for it."""
        body = gzip.compress(TEXT % KEY)
        raw = answer(503, body, b"Content-Encoding: gzip")
        self.play(raw[:-9], PAUSE, errors="passthrough", idle_timeout=0.2)
        reply = await self.ask()
        self.assertEqual(reply.status, 503)
        self.assertIn(b"UPSTREAM_ERROR", reply.body)
        await self.judge(sent=1)

    async def test_an_encoded_error_that_is_cut_behind_its_coding(self):
        """A cut reply is never delivered as complete, though its coding is."""
        raw = answer(503, gzip.compress(b"{}") + b"12345", b"Content-Encoding: gzip")
        self.play(raw[:-5], CLOSE, errors="passthrough")
        reply = await self.ask()
        self.assertEqual(reply.status, 503)
        self.assertIn(b"UPSTREAM_ERROR", reply.body)
        await self.judge(sent=1)

    async def test_what_is_not_read_is_not_waited_for(self):
        """A body in an unknown coding that never ends: its connection is let go at once."""
        for status, route, code in (
            (401, {"errors": "passthrough"}, b"UPSTREAM_ERROR"),
            (401, {"errors": "envelope"}, b"UPSTREAM_ERROR"),
            (200, {"redact_bodies": True}, b"BAD_GATEWAY"),
        ):
            raw = answer(status, KEY, b"Content-Encoding: br")
            self.play(raw[:-1], PAUSE, **route)
            self.assertIn(code, (await self.ask()).body)
            await self.judge(sent=1)

    async def test_a_good_answer_that_can_not_be_read(self):
        """With ``redact_bodies``: refused, for its status can't be kept. Without: relayed."""
        raw = answer(200, b"\x1b" + b"brotli", b"Content-Encoding: br")
        self.play(raw, redact_bodies=True)
        reply = await self.ask()
        self.assertEqual(reply.status, 502)
        self.assertIn(b"BAD_GATEWAY", reply.body)
        await self.judge(sent=1)
        self.play(raw)
        self.assertEqual((await self.ask()).body, b"\x1bbrotli")
        await self.judge(sent=1)

    async def test_a_good_answer_in_parts(self):
        """Two halves of a key in two ranges: with ``redact_bodies`` there are none."""
        for kind in (b"application/json", b"multipart/byteranges; boundary=x"):
            raw = answer(206, KEY[:9]).replace(b"application/json", kind)
            self.play(raw, redact_bodies=True, pass_headers=["Range"])
            self.assertEqual((await self.ask(b"Range: bytes=0-8")).status, 502)
            await self.judge(sent=1)

    async def test_a_good_answer_that_breaks_in_its_coding(self):
        """The head is out: the browser's connection is reset."""
        for body in (
            gzip.compress(TEXT % KEY)[:-9],
            gzip.compress(bytes(10_000_000)),
            gzip.compress(b"{}") + b"evil",
        ):
            raw = answer(200, body, b"Content-Encoding: gzip")
            self.play(raw, redact_bodies=True)
            replies = await self.converse(self.request())
            self.assertFalse(any(reply.complete for reply in replies), replies)
            self.assertFalse(self.clean)
            await self.judge(sent=1)

    async def test_a_long_answer_is_inflated_whole(self):
        """Megabytes through a reader that is slower than they come."""
        text = b"".join(b'{"line": %d}' % number for number in range(300_000)) + KEY
        raw = answer(200, gzip.compress(text), b"Content-Encoding: gzip")
        self.play(raw, redact_bodies=True)
        reply = await self.ask_unread()
        self.assertEqual(reply.body, text.replace(KEY, b"[redacted]"))
        await self.judge(sent=1)

    async def ask_unread(self):
        """The answer alone: the reader of spellings would need minutes."""
        (reply,) = await self.converse(self.request())
        self.assertTrue(reply.complete)
        return reply


class SecretTests(EchoStage):
    """What is the secret in a header value."""

    async def test_a_password(self):
        """An upstream reads Basic credentials, and may quote the user or the password alone."""
        pair = b"our-user:pa55word-of-ours"
        value = b"Basic " + base64.b64encode(pair)
        for said in (pair, b"pa55word-of-ours", value, base64.b64encode(pair)):
            self.start(
                answer(401, TEXT % said),
                forward_headers={"Authorization": value},
                errors="passthrough",
            )
            (reply,) = await self.converse(self.request())
            self.assertEqual(reply.body, TEXT % b"[redacted]")
            await self.judge(sent=1)
