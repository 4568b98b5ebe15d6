"""The demo page's chat, against the demo's own upstream."""

import json
import subprocess

from twisted.internet.threads import deferToThread

from .demo_page import DemoPageCase, expect
from .support import until

ANSWER_END = "your browser never saw it."
# It is quoted, so the answer is long enough to be stopped on its way.
LONG = "why " * 60
WATCH = """() => {
  window.seen = [];
  const answer = document.getElementById("answer");
  new MutationObserver(() => window.seen.push(answer.textContent))
    .observe(answer, { childList: true, characterData: true, subtree: true });
}"""


def ask(page, question="Who are you?", model="demo-chat"):
    page.select_option("#model", model)
    page.fill("#prompt", question)
    page.click("#send")


class ChatTests(DemoPageCase):
    async def test_grows(self):
        """The answer is read while it is still being written; then it says that it is complete."""
        await self.begin()

        def scenario(page):
            page.evaluate(WATCH)
            send = page.locator("#send")
            expect()(page.locator("#prompt")).to_be_focused()
            expect()(send).to_be_disabled()
            ask(page)
            expect()(send).to_have_text("Thinking...")
            expect()(page.locator("#note")).to_contain_text("Complete. Request ")
            expect()(send).to_have_text("Ask")
            seen = page.evaluate("window.seen")
            self.assertGreater(len(set(seen)), 5)
            self.assertEqual(seen, sorted(seen, key=len))
            self.assertTrue(seen[-1].startswith("You asked: Who are you?"))
            self.assertTrue(seen[-1].endswith(ANSWER_END))

        await self.browse(scenario)
        self.assertEqual(self.openai.completed, 1)

    async def test_stop(self):
        """Stop ends the call to the upstream too."""
        await self.begin()

        def scenario(page):
            ask(page, LONG)
            expect()(page.locator("#answer")).to_contain_text("You asked")
            page.click("#stop")
            expect()(page.locator("#note")).to_contain_text("Stopped")
            expect()(page.locator("#send")).to_be_enabled()

        await self.browse(scenario)
        await until(lambda: self.openai.aborts == 1)
        self.assertEqual(self.openai.completed, 0)

    async def test_slow(self):
        """While nothing comes it says that it thinks, and can be stopped."""
        await self.begin()

        def scenario(page):
            ask(page, model="demo-slow")
            expect()(page.locator("#answer.busy")).to_be_visible()
            expect()(page.locator("#send")).to_have_text("Thinking...")

        await self.browse(scenario)
        await until(lambda: self.openai.calls == 1)
        await self.browse(lambda page: page.click("#stop"))
        await until(lambda: self.openai.aborts == 1)

    async def test_errors(self):
        """An upstream's error is told with its code and the request id of the log line."""
        await self.begin()
        self.expect_console("status of 429", "status of 500")

        def scenario(page):
            for model, words in [
                ("demo-429", "External API returned 429: Rate limit reached"),
                ("demo-500", "External API returned 500: The demo upstream had an error"),
            ]:
                ask(page, model=model)
                error = page.get_by_role("alert").filter(has_text=words)
                expect()(error).to_be_visible()
                expect()(page.locator("#error-code")).to_have_text("code UPSTREAM_ERROR")
                self.assertRegex(page.text_content("#error-request"), r"^request [0-9a-f]{32}$")

        await self.browse(scenario)

    async def test_cut(self):
        """Half an answer is never taken for a whole one."""
        await self.begin()
        self.expect_console("ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION", "network error")

        def scenario(page):
            ask(page, model="demo-cut")
            expect()(page.locator("#error-code")).to_have_text("code CUT")
            self.assertIn("You asked", page.text_content("#answer"))
            self.assertEqual(page.text_content("#note"), "")

        await self.browse(scenario)

    async def test_gone(self):
        """A proxy that is not there any more is told in words."""
        await self.begin()
        self.expect_console("ERR_CONNECTION")
        await self.demo.stopService()

        def scenario(page):
            ask(page)
            expect()(page.locator("#error-message")).to_have_text("The proxy can not be reached.")

        await self.browse(scenario)

    async def test_curl(self):
        """The command shown is the question asked: it runs as it stands, quotes and all."""
        await self.begin()
        question = """It's "quoted" $HOME `id` \\ and ends!"""

        def scenario(page):
            page.fill("#prompt", question)
            return page.text_content("#curl")

        command = await self.browse(scenario)
        done = await deferToThread(
            subprocess.run, ["sh", "-c", command], capture_output=True, timeout=60
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", head.splitlines()[0])
        events = [line[6:] for line in body.splitlines() if line.startswith(b"data: {")]
        words = "".join(
            json.loads(event)["choices"][0]["delta"].get("content", "") for event in events
        )
        self.assertIn(question, words)
