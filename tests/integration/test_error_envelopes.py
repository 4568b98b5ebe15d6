"""An upstream's error in our envelope: in time, and in words that can be read."""

import gzip
import zlib

from twisted.internet import reactor
from twisted.internet.task import LoopingCall

from naap_twisted.testing import PAUSE

from .canary import CANARY
from .support import CHUNKED, PATH, PINNED, IntegrationTestCase, chunk, response

TEXT = "Content-Type: text/plain"
GZIP = "Content-Encoding: gzip"
RETRY = "Retry-After: 7"
LONG = "Content-Length: 1000"
# The envelope waits two seconds; this machine may be busy.
PATIENCE = 2.0
LATE = 2.5


class EnvelopeTestCase(IntegrationTestCase):
    async def message(self, status):
        """The envelope's text; Retry-After is beside it."""
        answer = await self.post()
        self.assertEqual(answer.header("Retry-After"), "7")
        self.assert_readable(answer)
        return self.assert_refused(answer, status, "UPSTREAM_ERROR")


class InTime(EnvelopeTestCase):
    async def in_time(self, status, text, *steps, **route):
        """*text* comes two seconds after the head, and its connection serves nobody else."""
        self.start(*steps, **route)
        began = reactor.seconds()
        message = await self.message(status)
        self.assertTrue(PATIENCE * 0.9 < reactor.seconds() - began < PATIENCE + LATE)
        self.assertEqual(message, f"External API returned {status}: {text}")
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def test_no_text(self):
        await self.in_time(429, "", response(429, b"", RETRY, LONG, TEXT, length=False), PAUSE)

    async def test_a_short_text(self):
        """The socket stays open behind it, whatever frames the text."""
        await self.in_time(503, "busy", response(503, b"busy", RETRY, LONG, length=False), PAUSE)
        await self.in_time(503, "busy", response(503, b"busy", RETRY, length=False), PAUSE)
        chunked = response(503, chunk(b"busy"), RETRY, CHUNKED, length=False)
        await self.in_time(503, "busy", chunked, PAUSE)

    async def test_a_text_in_drops(self):
        """Each drop is no reason to wait for the next one."""
        head = response(429, b"", RETRY, CHUNKED, length=False)
        self.start(head, *[step for _ in range(200) for step in (chunk(b" "), PAUSE)])
        trickle = LoopingCall(self.upstream.release)
        trickle.start(0.1, now=False)
        self.addCleanup(trickle.stop)
        began = reactor.seconds()
        self.assertEqual(await self.message(429), "External API returned 429: ")
        self.assertLess(reactor.seconds() - began, PATIENCE + LATE)
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def test_a_compressed_text(self):
        """What can be read of it by then."""
        packer = zlib.compressobj(wbits=31)
        begun = packer.compress(b"too many") + packer.flush(zlib.Z_SYNC_FLUSH)
        head = response(429, begun, RETRY, LONG, GZIP, length=False)
        await self.in_time(429, "too many", head, PAUSE)

    async def test_a_compressed_text_that_is_passed_through(self):
        """It has to be searched as a whole, so its status would wait as well."""
        head = response(429, gzip.compress(b"no")[:-1], RETRY, LONG, GZIP, length=False)
        await self.in_time(429, "(compressed)", head, PAUSE, errors="passthrough")


class AtOnce(EnvelopeTestCase):
    async def test_whole_texts(self):
        """Nothing is waited for behind the end, and the connection serves on."""
        self.start(response(429, b"slow down", RETRY))
        began = reactor.seconds()
        for _ in range(3):
            self.assertEqual(await self.message(429), "External API returned 429: slow down")
        self.assertLess(reactor.seconds() - began, PATIENCE)
        self.assertEqual(self.upstream.connections, 1)

    async def test_head(self):
        """A length, or a coding, of a text that never comes."""
        for coding in ("X-A: b", GZIP, "Content-Encoding: br"):
            self.start(response(429, b"", RETRY, LONG, coding, length=False), methods=("HEAD",))
            began = reactor.seconds()
            answer = await self.post(None, "HEAD", Content_Type=None)
            self.assertEqual((answer.status, answer.header("Retry-After")), (429, "7"))
            self.assertLess(reactor.seconds() - began, PATIENCE)


class WhenToComeBack(EnvelopeTestCase):
    LINES = {
        "Retry-After": "7",
        "retry-after-ms": "7000",
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
        "RateLimit-Policy": '"burst";q=100;w=60',
        "RateLimit": '"burst";r=0;t=7',
        "RateLimit-Reset": "7",
    }

    async def test_limits(self):
        """On every route, whatever its options: relayed, and readable by the page."""
        lines = [f"{name}: {value}" for name, value in self.LINES.items()]
        for errors in ("envelope", "passthrough"):
            for path, pinned in ((PATH, False), (PINNED, True)):
                self.start(response(429, b"slow down", TEXT, *lines), errors=errors)
                if pinned:
                    self.mount("/p", target=self.upstream.origin + "/v1", errors=errors)
                answer = await self.post(path=path)
                self.assertEqual(answer.status, 429)
                exposed = answer.header("Access-Control-Expose-Headers").lower().split(", ")
                for name, value in self.LINES.items():
                    self.assertEqual(answer.header(name), value, (errors, path, name))
                    self.assertIn(name.lower(), exposed)


class Readable(EnvelopeTestCase):
    async def reads(self, body, *lines):
        self.start(response(429, body, RETRY, *lines))
        return (await self.message(429)).removeprefix("External API returned 429: ")

    async def test_charsets(self):
        for charset in ("ISO-8859-1", '"windows-1252"', "utf-8", "utf-16"):
            body = "trop tôt".encode(charset.strip('"'))
            kind = f"Content-Type: text/plain; charset={charset}"
            self.assertEqual(await self.reads(body, kind), "trop tôt")
            self.assertEqual(await self.reads(gzip.compress(body), kind, GZIP), "trop tôt")

    async def test_codings(self):
        """Those that are undone, and those that are not."""
        text = b"slow down"
        for coding, body, read in (
            ("gzip", gzip.compress(text), "slow down"),
            ("x-gzip", gzip.compress(text), "slow down"),
            ("deflate", zlib.compress(text), "slow down"),
            ("identity", text, "slow down"),
            ("br", b"\x0b\x04\x80slow down\x03", "(compressed)"),
            ("zstd", b"\x28\xb5\x2f\xfd slow down", "(compressed)"),
            ("gzip, br", gzip.compress(text), "(compressed)"),
            ("gzip", b"not gzip", "(compressed)"),
            ("gzip", gzip.compress(bytes(10_000_000)), ""),
        ):
            self.assertEqual(await self.reads(body, f"Content-Encoding: {coding}"), read, coding)

    async def test_the_key(self):
        """It is not read, in whatever charset and coding it comes back."""
        for charset in ("utf-8", "iso-8859-1", "utf-16", "utf-16-be", "utf-32", "shift_jis"):
            kind = f"Content-Type: text/plain; charset={charset}"
            for body in (f"bad key {CANARY} !".encode(charset), f"bad key {CANARY} !".encode()):
                self.assertNotIn(CANARY[:12], await self.reads(body, kind))
                self.assertNotIn(CANARY[:12], await self.reads(gzip.compress(body), kind, GZIP))


class Passed(EnvelopeTestCase):
    async def test_of_a_provider(self):
        """A vendor's clients read their own vendor's errors, also where they name the URL."""
        body = b'{"error": {"message": "busy", "type": "rate_limit_error", "code": "busy"}}'
        for options, passed in (
            ({"provider": "openai"}, True),
            ({"provider": "openai", "errors": "envelope"}, False),
            ({}, False),
        ):
            self.start(response(429, body, "Content-Type: application/json"), **options)
            answer = await self.post()
            self.assertEqual(answer.status, 429)
            self.assertEqual(answer.body == body, passed)
