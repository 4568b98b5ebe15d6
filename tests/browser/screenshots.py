"""Makes the pictures of the demo page in ``docs/images/``: ``python -m tests.browser.screenshots``.

They are looked at, not compared: fonts differ from machine to machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from naap_twisted.demo.service import DemoService

from .chromium import Chromium, missing
from .demo_page import expect

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE = {"width": 1120, "height": 700}
NARROW = {"width": 375, "height": 812}


def chat(page: Any) -> None:
    """An answer on its way."""
    page.fill("#prompt", "How does the key get there?")
    page.click("#send")
    expect()(page.locator("#answer")).to_contain_text("No model was asked")


def guest(page: Any) -> None:
    """Five questions answered, and the sixth refused."""
    left = page.locator("#guest-left")
    for count in range(5, -1, -1):
        expect()(left).to_contain_text(f"{count} question")
        page.fill("#guest-prompt", "May I ask one more?")
        page.click("#guest-send")
        expect()(page.locator("#guest-answer.busy")).to_have_count(0)
    expect()(page.locator("#guest-error")).to_be_visible()


def camera(page: Any) -> None:
    """Frames that the endpoint counted."""
    page.click("#camera-start")
    expect()(page.locator("#state-connection")).to_have_text("connected")
    expect()(page.locator("#state-frames[data-kind=good]")).to_be_visible()


def console(page: Any) -> None:
    """A host that is not allowed, and the line that would allow it."""
    expect()(page.locator("#route option").first).to_be_attached()
    page.fill("#url", "https://api.example.com/v1/chat/completions")
    page.click("#submit")
    expect()(page.locator(".fix")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")


SCENES = {
    "chat-light": (chat, "light", WIDE),
    "chat-narrow": (chat, "light", NARROW),
    "guest-light": (guest, "light", {**WIDE, "height": 820}),
    "camera-dark": (camera, "dark", WIDE),
    "console-light": (console, "light", {**WIDE, "height": 900}),
}


def take(chromium: Chromium, url: str) -> None:
    """Every scene, in a context of its own."""
    IMAGES.mkdir(exist_ok=True)
    for name, (scene, scheme, viewport) in SCENES.items():
        context = chromium.new_context(color_scheme=scheme, viewport=viewport)
        page = context.new_page()
        page.goto(f"{url}/#{name.partition('-')[0]}")
        scene(page)
        page.screenshot(path=str(IMAGES / f"demo-{name}.png"))
        context.close()
        print(f"docs/images/demo-{name}.png")


async def main(_: Any) -> None:
    """The demo, its page, the pictures."""
    if reason := missing():
        raise SystemExit(reason)
    demo = DemoService(4020, reactor, None, media=True)
    demo.startService()
    try:
        assert demo.guide is not None
        chromium = Chromium.running()
        await chromium.call(take, chromium, demo.guide.root)
    finally:
        await demo.stopService()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
