"""The demo page's camera, against the demo as it is installed with media."""

import io

from twisted.internet import reactor

from naap_twisted.demo.service import DemoService

from ..demo_page import NARROW, WIDE, axe_findings, expect, overflow
from ..namespace import is_isolated
from ..support import BrowserTestCase, lacks


class CameraTabTests(BrowserTestCase):
    async def begin(self, **options):
        """The demo with media, and its page at the camera."""
        if not is_isolated():
            lacks("this has a network; tests.browser.test_media runs it where there is none")
        self.out = io.StringIO()
        self.demo = DemoService(0, reactor, self.out, media=True)
        self.demo.startService()
        self.addCleanup(self.demo.stopService)
        await self.open(permissions=["camera"], **{"viewport": WIDE, **options})
        await self.browse(lambda page: page.goto(f"{self.demo.guide.root}/#camera"))

    def start(self, page):
        """Press Start, and wait until the endpoint has counted frames; how many."""
        page.click("#camera-start")
        expect()(page.locator("#state-connection")).to_have_text("connected", timeout=15_000)
        frames = page.locator("#state-frames[data-kind=good]")
        expect()(frames).to_be_visible(timeout=15_000)
        return frames.text_content()

    async def sessions(self):
        return await self.demo.media.sessions()

    async def test_session(self):
        """Connected; the frames shown grow; Stop ends the session; Start makes another."""
        await self.begin()

        def run(page):
            first = self.start(page)
            expect()(page.locator("#state-whip")).to_have_text("201 Created")
            expect()(page.locator("#state-location")).to_contain_text("/whip-session/")
            expect()(page.locator("#state-frames")).not_to_have_text(first)
            more = page.text_content("#state-frames")
            self.assertGreater(int(more.replace(",", "")), int(first.replace(",", "")))
            self.assertTrue(page.evaluate("document.getElementById('preview').videoWidth > 0"))

        def stop(page):
            page.click("#camera-stop")
            expect()(page.locator("#state-whip")).to_have_text("ended: DELETE 200")
            expect()(page.locator("#state-connection")).to_have_text("closed")

        await self.browse(run)
        self.assertEqual([each["state"] for each in await self.sessions()], ["connected"])
        await self.browse(stop)
        self.assertEqual(await self.sessions(), [])
        await self.browse(self.start)
        self.assertEqual(len(await self.sessions()), 1)
        await self.browse(stop)

    async def test_left(self):
        """A page that is left ends its session on its way out, by DELETE."""
        await self.begin()
        await self.browse(self.start)
        await self.browse(lambda page: page.goto("about:blank"))
        for _ in range(100):
            if not await self.sessions():
                break
            await self.browse(lambda page: page.wait_for_timeout(50))
        self.assertEqual(await self.sessions(), [])
        self.assertIn("its client ended it", self.out.getvalue())

    async def test_access(self):
        """axe-core has nothing serious to say while it runs: light, dark, and on a telephone."""
        await self.begin(bypass_csp=True)

        def scenario(page):
            self.start(page)
            found = []
            for scheme, size in [("light", WIDE), ("dark", WIDE), ("light", NARROW)]:
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size(size)
                self.assertLessEqual(overflow(page), 0)
                found += axe_findings(page)
            page.click("#camera-stop")
            expect()(page.locator("#state-whip")).to_have_text("ended: DELETE 200")
            return found

        self.assertEqual(await self.browse(scenario), [])
