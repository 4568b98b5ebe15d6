"""examples/frontend's chat in a browser: what a user sees of an answer, and of what goes wrong."""

from naap_twisted.testing import ABORT, PAUSE

from .frontend import ANSWER, DONE, ERROR, STREAM, FrontendTestCase, answer, event

FAILED = "Failed to load resource: the server responded with a status of {}"


class DemoTests(FrontendTestCase):
    """The page as shipped, before the demo as it comes."""

    async def test_answer(self):
        """A typed question is answered, word by word, to the end."""
        self.demo()
        await self.visit()
        await self.ask("Who are you?")
        text = await self.shown(ANSWER, "your browser never saw it.")
        self.assertTrue(text.startswith("You asked: Who are you?"), text)
        await self.shown("section:has(#prompt) [role=status]", "Complete")
        self.assertEqual((self.openai.completed, self.openai.aborts), (1, 0))

    async def test_upstream_errors(self):
        """The API's own refusals are shown in its words, with what is needed to ask for help."""
        self.demo()
        await self.visit()
        for model, status, code, words in (
            ("demo-429", 429, "rate_limit_exceeded", "Rate limit reached for the demo model."),
            ("demo-401", 401, "invalid_api_key", "Incorrect API key provided."),
        ):
            self.expect_console(FAILED.format(status))
            await self.ask("Hello", model)
            text = await self.shown(ERROR, words)
            self.assertIn(f"code {code}", text)
            self.assertIn(f"status {status}", text)
            self.assertRegex(text, r"request \S+")
            if status == 429:
                self.assertIn("try again in 1 s", text)
        color = await self.browse(
            lambda page: page.eval_on_selector(ERROR, "e => getComputedStyle(e).color")
        )
        red, green, blue = (int(part) for part in color.strip("rgb()").split(","))
        self.assertGreater(red, 2 * max(green, blue), "errors are red")

    async def test_cut(self):
        """Half an answer is not passed off as a whole one."""
        self.demo()
        self.expect_console("net::ERR")
        await self.visit()
        await self.ask("Hello", "demo-cut")
        text = await self.shown(ERROR, "The answer was cut")
        self.assertIn("code STREAM_CUT", text)
        self.assertIn("You asked: Hello", await self.shown(ANSWER, "You asked"))


class ScriptedTests(FrontendTestCase):
    """The seed's way: a route that reads X-Target-URL."""

    async def test_growing(self):
        """What has come is shown while the API still writes the rest."""
        self.stage(STREAM + event("One"), PAUSE, event(", two"), PAUSE, event(", three") + DONE)
        await self.visit()
        await self.ask("Count")
        self.assertEqual(await self.shown(ANSWER, "One"), "One")
        self.assertEqual(
            await self.browse(lambda page: page.inner_text("form button")), "Thinking..."
        )
        self.upstream.release()
        self.assertEqual(await self.shown(ANSWER, ", two"), "One, two")
        self.upstream.release()
        self.assertEqual(await self.shown(ANSWER, ", three"), "One, two, three")
        await self.shown("section:has(#prompt) [role=status]", "Complete")
        (request,) = self.upstream.requests
        self.assertEqual(request.values("authorization"), [b"Bearer sk-of-the-browser-tests"])
        self.assertEqual(request.values("x-target-url"), [])

    async def test_at_once(self):
        """Without streaming the answer comes whole, and Stop works as well."""
        document = {"choices": [{"message": {"content": "One, two, three"}}]}
        self.stage(PAUSE, answer(200, document), chat={"stream": False})
        await self.visit()
        await self.ask("Count")
        await self.upstream.until(lambda: self.upstream.requests)
        await self.browse(lambda page: page.get_by_role("button", name="Stop", exact=True).click())
        await self.upstream.until(lambda: self.upstream.requests[0].lost)
        await self.shown("section:has(#prompt) [role=status]", "Stopped")
        self.upstream.steps = self.upstream.steps[1:]
        await self.ask("Count")
        self.assertEqual(await self.shown(ANSWER, "One"), "One, two, three")
        self.assertNotIn(b"stream", self.upstream.requests[1].body)

    async def test_stop(self):
        """Stop ends the call to the API, and is no error."""
        self.stage(STREAM + event("One"), PAUSE)
        await self.visit()
        await self.ask("Count")
        await self.shown(ANSWER, "One")
        self.assertFalse(self.upstream.requests[0].lost)
        await self.browse(lambda page: page.get_by_role("button", name="Stop", exact=True).click())
        await self.upstream.until(lambda: self.upstream.requests[0].lost)
        await self.shown("section:has(#prompt) [role=status]", "Stopped")
        self.assertEqual(await self.browse(lambda page: page.locator(ERROR).count()), 0)
        focused = await self.browse(lambda page: page.evaluate("document.activeElement.id"))
        self.assertEqual(focused, "prompt")

    async def test_leaving(self):
        """A page that is closed ends its call, too."""
        self.stage(STREAM + event("One"), PAUSE)
        await self.visit()
        await self.ask("Count")
        await self.shown(ANSWER, "One")
        await self.browse(lambda page: page.goto("about:blank"))
        await self.upstream.until(lambda: self.upstream.requests[0].lost)

    async def refused(self, status, words, code):
        self.expect_console(FAILED.format(status))
        await self.visit()
        await self.ask("Hello")
        text = await self.shown(ERROR, words)
        self.assertIn(f"code {code}", text)
        self.assertIn(f"status {status}", text)
        self.assertRegex(text, r"request \S+")
        return text

    async def test_envelope(self):
        """An error in the proxy's envelope is shown in the API's words."""
        document = {"error": {"message": "Slow down.", "type": "requests", "code": "slow"}}
        self.stage(answer(429, document, "Retry-After: 7"), response_headers=["Retry-After"])
        text = await self.refused(429, "External API returned 429: Slow down.", "UPSTREAM_ERROR")
        self.assertIn("try again in 7 s", text)

    async def test_timeout(self):
        """An API that does not begin to answer in time."""
        self.stage(PAUSE, timeout=0.2)
        await self.refused(504, "External API request timed out", "UPSTREAM_TIMEOUT")

    async def test_api_down(self):
        """An API that nobody listens for."""
        self.stage()
        await self.upstream.stop()
        await self.refused(502, "External proxy failed", "BAD_GATEWAY")

    async def test_api_aborts(self):
        """An API that hangs up without a word."""
        self.stage(ABORT)
        await self.refused(502, "External proxy failed", "BAD_GATEWAY")

    async def test_misconfigured(self):
        """An address without its scheme in config.js: the page is there and says so."""
        self.stage(app={"backends": {"ai-assistant": "127.0.0.1:4020"}})
        await self.visit()
        await self.ask("Hello")
        text = await self.shown(ERROR, 'config.js: backends["ai-assistant"] is "127.0.0.1:4020"')
        self.assertIn("code BAD_CONFIG", text)

    async def test_proxy_down(self):
        """A proxy that nobody listens for: the browser says where to look."""
        self.stage()
        self.expect_console("net::ERR_CONNECTION_REFUSED")
        await self.visit()
        await self.proxy.server.stopService()
        await self.ask("Hello")
        text = await self.shown(ERROR, "The proxy can not be reached")
        self.assertIn("code NETWORK", text)
        self.assertNotIn("status", text)
