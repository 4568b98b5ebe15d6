"""What describes a body or an answer travels with it, on a route to many hosts and a pinned one."""

from __future__ import annotations

import gzip
import json

from twisted.logger import capturedLogs

from naap_twisted.headers import PASSED

from ..browser.support import BrowserTestCase, PageServer
from .support import OK, ORIGIN, PATH, PINNED, IntegrationTestCase, response

JSON = "Content-Type: application/json"
OCTETS = gzip.compress(b"text" * 50)
#: What every route relays, as an upstream may send it.
DESCRIBING = {
    "ETag": '"v1"',
    "Last-Modified": "Mon, 01 Jun 2026 00:00:00 GMT",
    "Content-Disposition": 'attachment; filename="a.bin"',
    "Content-Language": "en",
    "Content-Range": "bytes 0-3/10",
    "Accept-Ranges": "bytes",
    "Retry-After": "7",
    "Retry-After-Ms": "7000",
    "X-RateLimit-Reset-Tokens": "6m0s",
}


class FateTestCase(IntegrationTestCase):
    def both(self, *steps, **route):
        """A header route, then a pinned one, each with *route*; their paths."""
        options = {"methods": ["GET", "POST"], "content_type": ["*/*"], **route}
        self.start(*steps, server={"cors_origins": [ORIGIN]}, **options)
        self.mount("/p", target=self.upstream.origin, **options)
        return PATH, PINNED


class RequestTests(FateTestCase):
    async def test_usual_names(self):
        """Each of the usual headers goes up, and a page may send it (field cases A1, A2, A6)."""
        names = {name: f"v-{name}" for name in PASSED if name != "Content-Encoding"}
        for more in ({}, {"pass_headers": ["OpenAI-Organization"]}):
            for path in self.both(OK, **more):
                answer = await self.post(path=path, Content_Type="a/b", **names)
                self.assertEqual(answer.status, 200)
                received = self.upstream.requests[-1]
                for name, value in names.items():
                    self.assertEqual(received.values(name), [value.encode()], (path, name))
                asked = {
                    "Origin": ORIGIN,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": ",".join(sorted(map(str.lower, names))),
                }
                preflight = await self.running.ask("OPTIONS", path, asked.items())
                allowed = preflight.header("Access-Control-Allow-Headers").lower().split(", ")
                self.assertLessEqual({name.lower() for name in names}, set(allowed))

    async def test_nothing_that_a_preflight_allows_is_lost(self):
        """What the preflight named goes up, or is read here: no header is allowed and dropped."""
        for path in self.both(OK, pass_headers=["X-Mine"]):
            asked = {
                "Origin": ORIGIN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "x-mine,idempotency-key,x-other,stripe-account",
            }
            preflight = await self.running.ask("OPTIONS", path, asked.items())
            allowed = preflight.header("Access-Control-Allow-Headers").split(", ")
            self.assertFalse({"x-other", "stripe-account"} & {name.lower() for name in allowed})
            with capturedLogs() as events:
                await self.post(path=path, **dict.fromkeys((*PASSED, "X-Mine"), "identity"))
                await self.post(path=path, X_Other="1")
            lost = [event["name"] for event in events if "drops the" in event["log_format"]]
            self.assertEqual(lost, ["X-Other"])

    async def test_coded_octets(self):
        """Content-Encoding goes with the bytes that it describes (field case A3)."""
        for path in self.both(OK):
            coded = {"Content_Type": "application/octet-stream", "Content_Encoding": "gzip"}
            await self.post(OCTETS, path=path, **coded)
            received = self.upstream.requests[-1]
            self.assertEqual(received.body, OCTETS)
            self.assertEqual(received.values("Content-Encoding"), [b"gzip"])


class AnswerTests(FateTestCase):
    async def test_relayed_and_exposed(self):
        """A page reads all that is relayed, of a success and of an error (A5, A8)."""
        lines = [f"{name}: {value}" for name, value in DESCRIBING.items()]
        for status in (206, 429):
            for path in self.both(response(status, b"0123", "Content-Type: a/b", *lines)):
                answer = await self.post(path=path)
                exposed = answer.header("Access-Control-Expose-Headers").lower().split(", ")
                for name, value in DESCRIBING.items():
                    if path == PATH and status == 429 and not name.startswith(("Retry", "X-")):
                        continue  # what describes the body went with it
                    self.assertEqual(answer.header(name), value, (status, path, name))
                    self.assertIn(name.lower(), exposed)

    async def test_head(self):
        """The length that a GET's body has (field case A7)."""
        for path in self.both(response(200, b"", "Content-Length: 123456", JSON, length=False)):
            answer = await self.post(None, "HEAD", path=path)
            self.assertEqual(answer.header("Content-Length"), "123456")

    async def test_no_type(self):
        """None is invented for an answer without (field case A9)."""
        for status in (304, 302):
            for path in self.both(response(status, b"", 'ETag: "v1"', "Location: /there")):
                answer = await self.post(None, "GET", path=path, Content_Type=None)
                self.assertEqual(answer.status, status)
                self.assertIsNone(answer.header("Content-Type"))
                self.assertEqual(answer.header("ETag"), '"v1"')


class PageTests(FateTestCase, BrowserTestCase):
    timeout = 60

    async def test_range(self):
        """A page of another origin asks for a part, and reads which part it got (A5)."""
        part = response(
            206,
            b"0123",
            "Content-Type: audio/wav",
            "Content-Range: bytes 0-3/10",
            "Accept-Ranges: bytes",
            'ETag: "v1"',
        )
        pages = PageServer(self)
        self.start(part, server={"cors_origins": [pages.origin]}, methods=["GET"])
        self.mount("/p", target=self.upstream.origin, methods=["GET"])
        await self.open()
        page = pages.text("page", "<!doctype html><title>page</title><link rel=icon href=data:,>")
        script = """async ([url, more]) => {
          const headers = { Range: "bytes=0-3", "If-Range": '"v1"', ...more };
          const answer = await fetch(url, { headers });
          const names = ["content-range", "accept-ranges", "etag"];
          return [answer.status, await answer.text(), ...names.map((n) => answer.headers.get(n))];
        }"""
        await self.browse(lambda shown: shown.goto(page))
        named = {"X-Target-URL": self.upstream.origin + "/a.wav"}
        for path, more in ((PATH, named), (f"{PINNED}/a.wav", {})):
            asked = [self.running.url + path, more]
            got = await self.browse(lambda shown, asked=asked: shown.evaluate(script, asked))
            self.assertEqual(got, [206, "0123", "bytes 0-3/10", "bytes", '"v1"'], json.dumps(more))
            received = self.upstream.requests[-1]
            self.assertEqual(received.values("Range"), [b"bytes=0-3"])
            self.assertEqual(received.values("If-Range"), [b'"v1"'])
