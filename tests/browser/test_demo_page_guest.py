"""The demo page's guest: five questions, and a sixth that is refused in words."""

import re

from .demo_page import DemoPageCase, expect

OVER = r"You have asked your 5 questions\. The next one is yours at .+, in \d+ minutes?\."


def ask(page, question="How many may I ask?"):
    page.fill("#guest-prompt", question)
    page.click("#guest-send")


class GuestTests(DemoPageCase):
    async def test_five(self):
        """Five are answered and counted down; the sixth is refused, with the time of the next."""
        await self.begin("guest")
        self.expect_console("status of 429")

        def scenario(page):
            left = page.locator("#guest-left")
            expect()(left).to_have_text("5 questions of 5 left.")
            for count in (4, 3, 2, 1, 0):
                ask(page, f"Question {count}")
                words = "1 question of 5" if count == 1 else f"{count} questions of 5"
                expect()(left).to_contain_text(f"{words} left.")
                expect()(page.locator("#guest-answer")).to_contain_text(f"Question {count}")
                self.assertFalse(page.locator("#guest-error").is_visible())
            expect()(left).to_contain_text("The next one is yours at ")
            ask(page, "One more?")
            error = page.get_by_role("alert").filter(has_text=re.compile(OVER))
            expect()(error).to_be_visible()
            expect()(page.locator("#guest-error-code")).to_have_text("code BUDGET_EXCEEDED")
            for name in ("answer", "left"):
                self.assertFalse(page.locator(f"#guest-{name}").is_visible())

        await self.browse(scenario)
        self.assertEqual(self.openai.calls, 5)

    async def test_same(self):
        """A reload is the same guest with what is left; another browser is another guest."""
        await self.begin("guest")

        def scenario(page):
            left, who = page.locator("#guest-left"), page.locator("#guest-id")
            expect()(left).to_have_text("5 questions of 5 left.")
            ask(page)
            expect()(left).to_contain_text("4 questions")
            first = who.text_content()
            self.assertRegex(first, "^guest:[A-Za-z0-9_-]{16}$")
            page.reload()
            expect()(left).to_have_text("4 questions of 5 left.")
            expect()(who).to_have_text(first)
            self.assertNotIn("naap_guest", page.evaluate("document.cookie"))
            cookies = {each["name"]: each for each in self.context.cookies()}
            self.assertTrue(cookies["naap_guest"]["httpOnly"])
            self.assertEqual(cookies["naap_guest"]["sameSite"], "Lax")
            self.context.clear_cookies()
            page.reload()
            expect()(left).to_have_text("5 questions of 5 left.")
            self.assertNotEqual(who.text_content(), first)

        await self.browse(scenario)

    async def test_other_tabs(self):
        """Who looks at the rest of the page gets no cookie."""
        await self.begin("chat")

        def scenario(page):
            expect()(page.locator("#panel-chat")).to_be_visible()
            page.click("#tab-console")
            expect()(page.locator("#route option").first).to_be_attached()
            self.assertEqual(self.context.cookies(), [])
            page.click("#tab-guest")
            expect()(page.locator("#guest-left")).to_have_text("5 questions of 5 left.")
            self.assertEqual(len(self.context.cookies()), 2)

        await self.browse(scenario)

    async def test_gone(self):
        """A proxy that is not there any more is told in words."""
        await self.begin("guest")
        self.expect_console("ERR_CONNECTION")

        def arrive(page):
            expect()(page.locator("#guest-left")).to_have_text("5 questions of 5 left.")

        await self.browse(arrive)
        await self.demo.stopService()

        def scenario(page):
            ask(page)
            expect()(page.locator("#guest-error-message")).to_have_text(
                "The proxy can not be reached."
            )

        await self.browse(scenario)

    async def test_times(self):
        """A wait in words: of minutes, never of none."""
        await self.begin("guest")

        def scenario(page):
            said = [
                page.evaluate(
                    "async (seconds) => (await import('/page/guest.js')).whenIn(seconds,"
                    " new Date(2026, 0, 1, 12, 30))",
                    seconds,
                )
                for seconds in (1, 60, 61, 3600)
            ]
            self.assertEqual(
                [text.partition(", ")[2] for text in said],
                ["in 1 minute", "in 1 minute", "in 2 minutes", "in 60 minutes"],
            )
            self.assertIn("01:30", said[3])

        await self.browse(scenario)
