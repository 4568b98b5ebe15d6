"""Debian's Chromium, driven by playwright in a thread of its own.

Playwright's synchronous interface wants one thread for all its calls; the reactor keeps the other,
so proxy, upstreams and page server go on while a scenario waits for something to appear.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

# Nothing leaves this machine: Chromium would ask its maker for updates at every start.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    "--allow-loopback-in-peer-connection",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
STEP_MS = 15_000


def executable() -> str | None:
    """Where the system's Chromium is, or ``None``."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def missing() -> str | None:
    """What this machine lacks for browser tests, and the command that brings it; or ``None``."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed: pip install '.[browser]'"
    if executable() is None:
        return "there is no chromium: apt-get install chromium"
    return None


class Chromium:
    """One browser for the whole run; each test has a context of its own in it."""

    _running: Chromium | None = None

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "chromium")
        self._browser: Any = None
        self._playwright: Any = None
        reactor.addSystemEventTrigger("during", "shutdown", self._stop)

    @classmethod
    def running(cls) -> Chromium:
        """The browser, started when first used."""
        if cls._running is None:
            cls._running = cls()
        return cls._running

    def call(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """*function*'s result, from the browser's thread."""
        done: Deferred[Any] = Deferred()

        def run() -> None:
            try:
                result = function(*arguments)
            except BaseException as error:
                reactor.callFromThread(done.errback, error)
            else:
                reactor.callFromThread(done.callback, result)

        self._thread.submit(run)
        return done

    def new_context(self, **options: Any) -> Any:
        """A fresh browser context; to be called in the browser's thread."""
        if self._browser is None:
            from playwright.sync_api import sync_playwright

            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(
                executable_path=executable(), args=list(FLAGS), headless=True
            )
        context = self._browser.new_context(**options)
        context.set_default_timeout(STEP_MS)
        return context

    def _stop(self) -> Deferred[Any]:
        def close() -> None:
            if self._browser is not None:
                self._browser.close()
                self._playwright.stop()

        stopped = self.call(close)
        stopped.addBoth(lambda result: (self._thread.shutdown(wait=False), result)[1])
        return stopped
