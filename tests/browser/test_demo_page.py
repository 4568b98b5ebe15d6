"""The demo page's frame: tabs, addresses, what it may do, who can use it."""

from .demo_page import NARROW, WIDE, DemoPageCase, axe_findings, expect, overflow

TABS = ("chat", "guest", "camera", "console")


def shown(page):
    """The panels that can be seen."""
    return [name for name in TABS if page.locator(f"#panel-{name}").is_visible()]


def focused(page):
    return page.evaluate("document.activeElement.id")


class TabTests(DemoPageCase):
    async def test_keyboard(self):
        """Arrows move and select, around the ends; Home and End; one tab is in the tab order."""
        await self.begin()

        def scenario(page):
            page.focus("#tab-chat")
            for key, name in [
                ("ArrowRight", "guest"),
                ("ArrowRight", "camera"),
                ("ArrowRight", "console"),
                ("ArrowRight", "chat"),
                ("ArrowLeft", "console"),
                ("Home", "chat"),
                ("End", "console"),
            ]:
                page.keyboard.press(key)
                self.assertEqual((focused(page), shown(page)), (f"tab-{name}", [name]), key)
                self.assertEqual(page.url.partition("#")[2], name)
                chosen = page.locator("[role=tab][aria-selected=true]")
                self.assertEqual(chosen.get_attribute("id"), f"tab-{name}")
                order = page.locator("[role=tab]:not([tabindex='-1'])")
                self.assertEqual(order.get_attribute("id"), f"tab-{name}")
            page.keyboard.press("Tab")
            self.assertTrue(page.evaluate("document.activeElement.closest('#panel-console')"))

        await self.browse(scenario)

    async def test_addresses(self):
        """#console is the console, at once and when typed later; an unknown name is the first."""
        await self.begin("console")

        def scenario(page):
            self.assertEqual(shown(page), ["console"])
            expect()(page).to_have_title("Console - naap-proxy")
            page.goto(f"{self.url}/#camera")
            expect()(page.locator("#panel-camera")).to_be_visible()
            page.goto(f"{self.url}/#nothing")
            expect()(page.locator("#panel-chat")).to_be_visible()
            page.click("#tab-camera")
            page.reload()
            self.assertEqual(shown(page), ["camera"])

        await self.browse(scenario)

    async def test_names(self):
        """Each panel is a tabpanel that its tab names."""
        await self.begin()

        def scenario(page):
            for name in TABS:
                page.click(f"#tab-{name}")
                panel = page.get_by_role("tabpanel", name=name.capitalize())
                self.assertEqual(panel.get_attribute("id"), f"panel-{name}")

        await self.browse(scenario)


class AccessTests(DemoPageCase):
    async def check(self, **options):
        await self.begin(bypass_csp=True, **options)

        def scenario(page):
            found = {}
            for name in TABS:
                page.click(f"#tab-{name}")
                expect()(page.locator(f"#panel-{name}")).to_be_visible()
                self.assertLessEqual(overflow(page), 0, name)
                found[name] = axe_findings(page)
            expect()(page.locator("#route option").first).to_be_attached()
            page.fill("#url", "https://elsewhere.example/")
            page.click("#submit")
            expect()(page.locator(".fix")).to_be_visible()
            expect()(page.locator("#outcome > details")).to_have_count(5)
            page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            self.assertLessEqual(overflow(page), 0, "refused")
            found["refused"] = axe_findings(page)
            page.click("#tab-chat")
            page.select_option("#model", "demo-429")
            page.fill("#prompt", "Hello?")
            page.click("#send")
            expect()(page.locator("#error")).to_be_visible()
            found["error"] = axe_findings(page)
            return found

        self.expect_console("status of 400", "status of 429")
        found = await self.browse(scenario)
        self.assertEqual({name: each for name, each in found.items() if each}, {})
        self.assertEqual(len(found), 6)

    async def test_light(self):
        """axe-core has nothing serious to say about any panel, nor about its errors."""
        await self.check(color_scheme="light", viewport=WIDE)

    async def test_dark(self):
        """The same in the dark."""
        await self.check(color_scheme="dark", viewport=WIDE)

    async def test_narrow(self):
        """The same on a telephone, where nothing is wider than the screen."""
        await self.check(viewport=NARROW)

    async def test_reduced_motion(self):
        """Nothing moves for who asked for that."""
        await self.begin(reduced_motion="reduce")

        def scenario(page):
            page.select_option("#model", "demo-slow")
            page.fill("#prompt", "Hello?")
            page.click("#send")
            expect()(page.locator("#answer.busy")).to_be_visible()
            self.assertEqual(page.evaluate("document.getAnimations().length"), 0)
            page.click("#stop")

        await self.browse(scenario)


class ReloadTests(DemoPageCase):
    async def test_many(self):
        """The page's own files do not use up the demo's rate limit."""
        await self.begin("console")

        def scenario(page):
            for _ in range(12):
                page.reload()
            expect()(page.locator("#route option").first).to_be_attached()
            return page.evaluate("performance.getEntriesByType('resource').length")

        self.assertGreater(await self.browse(scenario) * 12, 200)


class PolicyTests(DemoPageCase):
    async def test_inline(self):
        """Markup that got into the page could not run a script or call another host."""
        await self.begin()
        self.expect_console("Content Security Policy", "violates")

        def scenario(page):
            page.evaluate(
                """() => {
                  const script = document.createElement("script");
                  script.textContent = "document.title = 'run'";
                  document.head.append(script);
                }"""
            )
            self.assertNotEqual(page.title(), "run")
            said = page.evaluate("fetch('http://localhost:9/').catch((error) => String(error))")
            self.assertIn("TypeError", said)

        await self.browse(scenario)
