"""CORS as a browser enforces it, not as a client that ignores it sees it."""

import json

from twisted.logger import globalLogPublisher

from naap_twisted import create_external_proxy
from naap_twisted.testing import ScriptedUpstream

from .support import BrowserTestCase, PageServer, proxy_to

ASK = """async ([url, headers]) => {
  try {
    const answer = await fetch(url, {method: "POST", headers, body: "{}"});
    return {status: answer.status, body: await answer.text()};
  } catch (error) {
    return {error: String(error)};
  }
}"""
FRAME = """html => new Promise((resolve) => {
  addEventListener("message", (event) => resolve(event.data), {once: true});
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  frame.srcdoc = html;
  document.body.append(frame);
})"""
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n" + b'{"ok":1}'


class CorsTests(BrowserTestCase):
    async def begin(self, cors_origins, **route):
        self.upstream = ScriptedUpstream(self, OK)
        self.pages = PageServer(self)
        options = {
            "require_auth": False,
            "cors_origins": cors_origins or [self.pages.origin],
        }
        self.proxy = proxy_to(self, self.upstream.port, "/x", options, **route)
        await self.open()
        url = self.pages.text(
            "page", "<!doctype html><title>page</title><link rel=icon href=data:,>"
        )
        await self.browse(lambda page: page.goto(url))

    def headers(self, header="X-Target-URL"):
        return {
            "Content-Type": "application/json",
            header: f"http://127.0.0.1:{self.upstream.port}/v1",
        }

    async def ask(self, header):
        arguments = [self.proxy.url + "/api/v1/x", self.headers(header)]
        return await self.browse(lambda page: page.evaluate(ASK, arguments))

    async def test_custom_target_header(self):
        """A route's own target_url_header passes its preflight without any list edited by hand."""
        await self.begin(None, target_url_header="X-Stripe-URL")
        answer = await self.ask("X-Stripe-URL")
        self.assertEqual(answer, {"status": 200, "body": '{"ok":1}'})
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_disallowed_origin(self):
        """A page of an origin that is not listed reads nothing, and no upstream is asked."""
        await self.begin(["https://elsewhere.example"])
        self.expect_console("blocked by CORS policy", "Failed to load resource")
        answer = await self.ask("X-Target-URL")
        self.assertIn("Failed to fetch", answer["error"])
        self.assertEqual(self.upstream.requests, [])

    async def test_sandboxed_frame(self):
        """Nobody's origin, ``null``, is never let in, whatever the list says."""
        for listed in ("*", None):
            await self.begin(listed)
            self.expect_console("blocked by CORS policy", "Failed to load resource")
            script = f"({ASK})({json.dumps([self.proxy.url + '/api/v1/x', self.headers()])})"
            frame = f"<script>{script}.then((got) => parent.postMessage(got, '*'))</script>"
            got = await self.browse(lambda page, html=frame: page.evaluate(FRAME, html))
            self.assertIn("Failed to fetch", got["error"])
            self.assertEqual(self.upstream.requests, [])

    async def test_exposed(self):
        """A page reads the request id, and of the upstream's headers those that the route names."""
        await self.begin(None, response_headers=["X-Quota"])
        self.upstream.steps = (OK.replace(b"\r\n\r\n", b"\r\nX-Quota: 7\r\nX-Secret: 8\r\n\r\n"),)
        script = """async ([url, headers]) => {
          const answer = await fetch(url, {method: "POST", headers, body: "{}"});
          return ["X-Request-ID", "X-Quota", "X-Secret"].map((name) => answer.headers.get(name));
        }"""
        arguments = [self.proxy.url + "/api/v1/x", self.headers()]
        request_id, quota, secret = await self.browse(lambda page: page.evaluate(script, arguments))
        self.assertTrue(request_id)
        self.assertEqual((quota, secret), ("7", None))

    async def test_too_long(self):
        """A page reads that its URL, or a header of its own, was too long."""
        await self.begin(None)
        self.proxy.server.mount("/p", create_external_proxy(target=self.upstream.origin))
        self.expect_console("414", "431")
        for path, headers, code in (
            (f"?{'q' * 5_000}", {}, 200),
            (f"?{'q' * 9_000}", {}, 414),
            ("", {"X-Trace-ID": "a" * 40_000}, 431),
        ):
            sent = {"Content-Type": "application/json", **headers}
            url = f"{self.proxy.url}/api/v1/p{path}"
            answer = await self.browse(
                lambda page, url=url, sent=sent: page.evaluate(ASK, [url, sent])
            )
            self.assertEqual(answer.get("status"), code, answer)
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_preflight_is_remembered(self):
        """One preflight serves many requests: the browser keeps it for its max-age."""
        await self.begin(None)
        seen = []
        observer = lambda event: seen.append(str(event.get("line")))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        for _ in range(3):
            self.assertEqual((await self.ask("X-Target-URL"))["status"], 200)
        asked = [json.loads(line)["method"] for line in seen if line.startswith("{")]
        self.assertEqual(asked, ["OPTIONS", "POST", "POST", "POST"])
