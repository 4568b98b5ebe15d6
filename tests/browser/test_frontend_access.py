"""examples/frontend for everybody: by keyboard, read aloud, on a narrow screen, in the dark."""

from .frontend import ANSWER, ERROR, FrontendTestCase

NARROW = {"viewport": {"width": 375, "height": 740}}
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1000, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1000, "height": 800}},
    "narrow": {"color_scheme": "light", **NARROW},
}


def focused(page):
    """What the keyboard's user is at."""
    return page.evaluate(
        "(e => e.id || (e === document.body ? '' : e.textContent))(document.activeElement)"
    )


def pressed_until(page, wanted):
    """Tab as far as *wanted*; what was passed on the way."""
    passed = []
    while not passed or passed[-1] != wanted:
        if len(passed) > 12:
            raise AssertionError(f"Tab never came to {wanted}: {passed}")
        page.keyboard.press("Tab")
        passed.append(focused(page))
    return passed


class AccessTests(FrontendTestCase):
    async def look(self, name):
        self.demo()
        await self.visit(**LOOKS[name])
        self.assertEqual(await self.findings(), [], "the empty page")
        await self.ask("Who are you?")
        await self.shown(ANSWER, "your browser never saw it.")
        await self.shown("section:has(#prompt) [role=status]", "Complete")
        self.assertEqual(await self.findings(), [], "an answer")
        wide = await self.browse(
            lambda page: page.evaluate("document.documentElement.scrollWidth - innerWidth")
        )
        self.assertLessEqual(wide, 0, "the page scrolls sideways")
        await self.picture(name)
        self.expect_console("status of 429")
        await self.ask("Who are you?", "demo-429")
        await self.shown(ERROR, "Rate limit reached")
        await self.browse(lambda page: page.locator("summary").click())
        self.assertEqual(await self.findings(), [], "an error, and Connection open")
        await self.picture(f"{name}-error")

    async def test_light(self):
        """No serious finding of axe-core."""
        await self.look("light")

    async def test_dark(self):
        """None in dark mode, whose colours are others."""
        await self.look("dark")

    async def test_narrow(self):
        """None at 375 px, where nothing scrolls sideways."""
        await self.look("narrow")

    async def test_dark_is_dark(self):
        """The browser's preference decides."""
        self.demo()
        await self.visit(**LOOKS["dark"])
        background = await self.browse(
            lambda page: page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        )
        self.assertLess(sum(int(part) for part in background.strip("rgb()").split(",")), 150)

    async def test_keyboard(self):
        """Ask, choose and stop without a pointer; the field keeps its focus."""
        demo = self.demo()
        demo.openai._pause = 60.0  # it writes until it is stopped
        await self.visit()

        def ask(page):
            before = pressed_until(page, "prompt")
            page.keyboard.type("Hello")
            after = pressed_until(page, "model")
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Enter")  # on the button
            page.get_by_role("button", name="Stop", exact=True).wait_for()
            return before, after

        before, after = await self.browse(ask)
        self.assertEqual((before, after), (["prompt"], ["Ask", "model"]))

        def stop(page):
            page.get_by_label("Your question").focus()
            pressed_until(page, "Stop")
            page.keyboard.press("Space")
            page.get_by_text("Stopped", exact=True).wait_for()
            return focused(page)

        self.assertEqual(await self.browse(stop), "prompt")

    async def test_empty(self):
        """Nothing can be asked while the question is empty, or blank."""
        self.demo()
        await self.visit()

        def scenario(page):
            button, field = page.get_by_role("button", name="Ask"), page.get_by_label("question")
            states = []
            for text in ("", "   ", "x", ""):
                field.fill(text)
                states.append(button.is_disabled())
            field.press("Enter")
            return states

        self.assertEqual(await self.browse(scenario), [True, True, False, True])
        self.assertEqual(self.openai.calls, 0)

    async def test_read_aloud(self):
        """The answer is a polite live region, busy while it grows; errors are alerts."""
        demo = self.demo()
        demo.openai._pause = 60.0
        await self.visit()
        await self.ask("Hello")

        def scenario(page):
            region = page.locator(ANSWER)
            page.get_by_role("button", name="Stop", exact=True).wait_for()
            busy = region.get_attribute("aria-busy")
            page.get_by_role("button", name="Stop", exact=True).click()
            page.get_by_text("Stopped", exact=True).wait_for()
            return region.get_attribute("aria-live"), busy, region.get_attribute("aria-busy")

        self.assertEqual(await self.browse(scenario), ("polite", "true", "false"))
        alerts = await self.browse(lambda page: page.locator('[role="alert"]').count())
        self.assertEqual(alerts, 2, "an alert that is there before its text is read")
