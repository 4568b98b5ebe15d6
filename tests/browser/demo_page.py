"""The stage of the demo page's tests: the real demo, and its page in Chromium."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor

from naap_twisted.demo.service import DemoService

from ..demo.loopback import Tally
from .support import PACKAGES, BrowserTestCase, need_packages

WIDE = {"width": 1200, "height": 800}
NARROW = {"width": 375, "height": 720}
SERIOUS = ("serious", "critical")


def expect() -> Any:
    """Playwright's assertions, which wait; not there without playwright."""
    from playwright.sync_api import expect as it

    return it


class DemoPageCase(BrowserTestCase):
    """:ivar demo: the running demo; ``url`` is its root."""

    async def begin(self, tab: str = "", *, media: bool = False, **options: Any) -> None:
        """Start the demo, with or without media, and open its page at *tab*."""
        self.demo = DemoService(0, reactor, None, media)
        self.openai = Tally(self.demo.openai)
        self.demo.startService()
        self.addCleanup(self.demo.stopService)
        assert self.demo.guide is not None
        self.url = self.demo.guide.root
        await self.open(**{"viewport": WIDE, **options})
        await self.browse(lambda page: page.goto(f"{self.url}/{tab and '#' + tab}"))


class ConsoleCase(DemoPageCase):
    """The page at the console, which has its routes."""

    async def begin(self, tab: str = "console", **options: Any) -> None:
        await super().begin(tab, **options)
        await self.browse(
            lambda page: expect()(page.locator("#route option").first).to_be_attached()
        )


def send(page: Any, title: str) -> None:
    """Send, and wait until the verdict says *title*."""
    page.click("#submit")
    expect()(page.locator("#verdict strong")).to_have_text(title)
    expect()(page.locator("#submit")).to_be_enabled()


def axe_findings(page: Any) -> list[str]:
    """Serious and critical findings of axe-core, as ``rule: elements``.

    The page's policy would not let it in: the context needs ``bypass_csp``.
    """
    need_packages("axe-core")
    page.add_script_tag(path=str(PACKAGES / "axe-core" / "axe.min.js"))
    found = page.evaluate("axe.run(document)")["violations"]
    return [
        f"{each['id']}: {[node['html'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in SERIOUS
    ]


def outcome_part(page: Any, title: str) -> str:
    """The text of the console's outcome below *title*, opened."""
    place = page.locator("#outcome > details").filter(has_text=title).first
    expect()(place).to_be_visible()
    if place.get_attribute("open") is None:
        place.locator("summary").click()
    return str(place.inner_text())


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
