"""The console: what was sent, what came back, and why."""

import json

from .demo_page import ConsoleCase, DemoPageCase, expect, outcome_part, send
from .support import until

CHAT = "/api/v1/assistant/openai-proxy"


def answering(**answer):
    """A route that gives *answer*."""
    return lambda route: route.fulfill(**answer)


class SendTests(ConsoleCase):
    async def test_allowed(self):
        """An allowed request: status, timing, headers, formatted body, preflight, the request."""
        await self.begin()

        def scenario(page):
            send(page, "200 OK")
            self.assertRegex(page.inner_text("#verdict"), r"head after \d+ ms, all [\d,]+ bytes")
            shown = page.text_content("pre.body")
            answer = json.loads(shown)
            self.assertEqual(answer["object"], "chat.completion")
            self.assertIn("\n  ", shown)
            page.get_by_role("button", name="Show as received").click()
            self.assertEqual(json.loads(page.text_content("pre.body")), answer)
            self.assertIn("x-request-id", outcome_part(page, "Headers this page may read"))
            self.assertIn(
                "127.0.0.1 matches allowed_hosts", outcome_part(page, "Decision: allowed")
            )
            asked = outcome_part(page, "Request as sent")
            self.assertIn(f"POST {self.url}{CHAT}", asked)
            self.assertIn("x-target-url", asked)
            return outcome_part(page, "Preflight: allowed")

        preflight = await self.browse(scenario)
        self.assertIn("your browser sent no preflight", preflight)
        self.assertIn("A page of http://localhost:3000", preflight)
        self.assertIn(f"OPTIONS {CHAT}", preflight)
        self.assertIn("Answer 204", preflight)
        self.assertRegex(preflight, r"access-control-allow-headers\s.*X-Target-URL")

    async def test_refused_host(self):
        """A host that is not allowed: code, request id, the steps up to it, the line to write."""
        await self.begin()
        self.expect_console("status of 400")

        def scenario(page):
            page.fill("#url", "https://evil.example/v1")
            send(page, "400 HOST_NOT_ALLOWED")
            verdict = page.inner_text("#verdict")
            self.assertIn('Host "evil.example" is not in the allowed list', verdict)
            self.assertRegex(verdict, "request [0-9a-f]{32}")
            decision = page.locator("#outcome > details").first
            expect()(decision.locator("summary").first).to_have_text("Decision: refused")
            steps = decision.locator(".steps li")
            kinds = [step.get_attribute("class") for step in steps.all()]
            self.assertEqual(kinds[-1], "refused")
            self.assertEqual(set(kinds[:-1]), {"passed"})
            self.assertIn("host", steps.last.inner_text())
            hint = page.text_content(".hint-line")
            self.assertEqual(hint, 'allowed_hosts = ["127.0.0.1", "evil.example"]')
            expect()(page.locator(".fix p")).to_contain_text("in this route's [[proxy]]")

        await self.browse(scenario)
        self.assertEqual(self.openai.calls, 0)

    async def test_refused_beyond(self):
        """What the decision does not cover is said beside it; a 5xx points to the server's log."""
        await self.begin()
        self.expect_console("status of 400", "status of 500")

        def scenario(page):
            page.fill("#body", "{")
            send(page, "400 INVALID_JSON")
            self.assertNotIn("log", page.inner_text("#verdict"))
            self.assertIn("body", outcome_part(page, "Decision: refused"))
            page.fill("#body", json.dumps({"model": "demo-500", "messages": []}))
            send(page, "500 UPSTREAM_ERROR")
            self.assertIn("Not judged here", outcome_part(page, "Decision: allowed"))
            self.assertRegex(page.inner_text("#verdict"), "request [0-9a-f]{32}; more in the serv")

        await self.browse(scenario)

    async def test_streamed(self):
        """A streamed body grows while it comes; Stop ends the call to the upstream."""
        await self.begin()
        # It is quoted, so the answer is long enough to be stopped on its way.
        question = [{"role": "user", "content": "why " * 60}]
        body = {"model": "demo-chat", "stream": True, "messages": question}

        def scenario(page):
            page.fill("#body", json.dumps(body))
            page.click("#submit")
            expect()(page.locator("pre.body")).to_contain_text('"content": "asked: "')
            self.assertIn("receiving", page.inner_text("#verdict"))
            self.assertNotIn("[DONE]", page.text_content("pre.body"))
            page.click("#abort")
            expect()(page.locator("#verdict strong")).to_have_text("Stopped")
            expect()(page.locator("#submit")).to_be_enabled()

        await self.browse(scenario)
        await until(lambda: self.openai.aborts == 1)

    async def test_cut(self):
        """A body that breaks off is told from a whole one."""
        await self.begin()
        self.expect_console("ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION")

        def scenario(page):
            page.fill("#body", json.dumps({"model": "demo-cut", "stream": True, "messages": []}))
            send(page, "200 OK, cut")
            expect()(page.locator("#verdict")).to_have_class("verdict bad")
            expect()(page.locator("#outcome")).to_contain_text("Cut: the connection ended early")

        await self.browse(scenario)

    async def test_bodies(self):
        """A big body is shown in part, a binary one not at all, none is said to be none."""
        await self.begin()
        whole = "x" * (256 * 1024)

        def scenario(page):
            for kind, body, shown, note in [
                ("text/plain", whole, whole, ""),
                ("text/plain", whole + "y", whole, "The first 262,144 bytes; the rest was not"),
                ("image/png", b"\x89PNG", "4 bytes of image/png, not shown", ""),
                ("application/json", '{"a": 1.0}', '{\n  "a": 1\n}', ""),
                ("application/json", '{"a":', '{"a":', ""),
                ("text/plain", "", "(empty)", ""),
            ]:
                page.route(f"**{CHAT}", answering(content_type=kind, body=body))
                send(page, "200 OK")
                self.assertEqual(page.text_content("pre.body"), shown)
                told = page.locator("#outcome pre.body + .hint")
                expect()(told).to_contain_text(note) if note else expect()(told).to_have_text("")
                page.unroute(f"**{CHAT}")

        await self.browse(scenario)

    async def test_focus(self):
        """Who sends by keyboard can stop by keyboard, and is back where they were."""
        await self.begin()

        def scenario(page):
            body = {"model": "demo-slow", "messages": []}
            page.fill("#body", json.dumps(body))
            for button in ("#submit", "#explain"):
                page.focus(button)
                page.keyboard.press("Enter")
                if button == "#submit":
                    expect()(page.locator("#abort")).to_be_focused()
                    page.keyboard.press("Enter")
                    expect()(page.locator("#verdict strong")).to_have_text("Stopped")
                expect()(page.locator(button)).to_be_focused()

        await self.browse(scenario)

    async def test_explain_only(self):
        """The decision alone asks no upstream."""
        await self.begin()

        def scenario(page):
            page.click("#explain")
            expect()(page.locator("#verdict strong")).to_have_text("Would be sent")
            page.fill("#url", "ftp://127.0.0.1/")
            page.click("#explain")
            expect()(page.locator("#verdict.bad strong")).to_have_text("SCHEME_NOT_ALLOWED")

        await self.browse(scenario)
        self.assertEqual(self.openai.calls, 0)

    async def test_pinned(self):
        """A pinned route takes a path below its base, and the methods it has; GET has no body."""
        await self.begin()
        self.expect_console("status of 404")

        def scenario(page):
            page.select_option("#route", "/api/v1/openai/...")
            expect()(page.locator("#url-label")).to_have_text("Path below the base")
            self.assertEqual(page.input_value("#url"), "/models")
            page.select_option("#method", "GET")
            expect()(page.locator("#body")).to_be_hidden()
            send(page, "200 OK")
            models = json.loads(page.text_content("pre.body"))
            self.assertIn("demo-429", [model["id"] for model in models["data"]])
            self.assertIn(
                f"GET {self.url}/api/v1/openai/models", outcome_part(page, "Request as sent")
            )
            page.fill("#url", "nothing/here")
            send(page, "404 unknown_url")

        await self.browse(scenario)

    async def test_routes(self):
        """Another route brings its own URL, header and content type; a typed body stays."""
        await self.begin()

        def scenario(page):
            page.select_option("#route", "/api/v1/daydream/whip-proxy")
            self.assertIn("/whip/", page.input_value("#url"))
            self.assertEqual(page.input_value(".header-row .value"), "application/sdp")
            self.assertTrue(page.input_value("#body").startswith("v=0"))
            self.assertIn("X-WHIP-URL", page.inner_text("#route-facts"))
            page.fill("#body", "typed")
            page.select_option("#route", CHAT)
            self.assertEqual(page.input_value("#body"), "typed")
            self.assertEqual(page.input_value(".header-row .value"), "application/json")

        await self.browse(scenario)

    async def test_headers(self):
        """Rows come and go by keyboard; what no page may set is said before it is sent."""
        await self.begin()

        def scenario(page):
            page.click("#add-header")
            page.keyboard.type("Cookie")
            page.keyboard.press("Tab")
            page.keyboard.type("a=b")
            note = page.locator("#headers-note")
            expect()(note).to_have_text("A page may not set Cookie: the browser leaves it out.")
            name = page.locator(".header-row .name").last
            name.fill("Bad name")
            expect()(note).to_have_text('"Bad name" is not a header name.')
            page.click("#submit")
            expect()(page.locator("#verdict.bad strong")).to_have_text("Not sent")
            name.fill("X-Emoji")
            page.locator(".header-row .value").last.fill("\U0001f600")
            expect()(note).to_contain_text("The value of X-Emoji holds a character")
            page.locator(".drop").last.focus()
            page.keyboard.press("Enter")
            expect()(page.locator(".header-row")).to_have_count(1)
            expect()(note).to_have_text("")
            self.assertEqual(page.evaluate("document.activeElement.className"), "quiet drop")

        await self.browse(scenario)

    async def test_tokens_stay(self):
        """A typed token goes to the route alone: not to explain, an address or any storage."""
        await self.begin()

        def scenario(page):
            asked = []
            page.on("request", lambda request: asked.append((request.url, request.post_data)))
            page.click("#add-header")
            page.locator(".name").last.fill("Authorization")
            page.locator(".value").last.fill("Bearer sk-secret")
            send(page, "200 OK")
            self.assertIn("sk-secret", outcome_part(page, "Request as sent"))
            stored = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
            self.assertEqual(page.evaluate(stored), '[{},{},""]')
            return asked, page.url

        asked, url = await self.browse(scenario)
        self.assertEqual(len(asked), 2)
        self.assertNotIn("sk-secret", repr(asked) + url)
        (explained,) = [body for where, body in asked if where.endswith("/console/explain")]
        self.assertEqual(json.loads(explained)["headers"]["Authorization"], "")


class WithoutApiTests(DemoPageCase):
    async def test_setup_fails(self):
        """A console that is given nothing says why, and tries again when it is shown again."""
        await self.begin()
        self.expect_console("status of 503")

        def scenario(page):
            page.route("**/console/setup", lambda route: route.fulfill(status=503, body="no"))
            page.click("#tab-console")
            trouble = page.locator("#console-trouble")
            expect()(trouble).to_contain_text("The proxy answered 503.")
            page.unroute("**/console/setup")
            page.click("#tab-chat")
            page.click("#tab-console")
            expect()(trouble).to_be_hidden()
            expect()(page.locator("#route option").first).to_be_attached()

        await self.browse(scenario)
