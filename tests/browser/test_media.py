"""Real media between Chromium and the demo's endpoint, with no network but loopback."""

import re
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from . import chromium, namespace
from .frontend import need_build
from .support import lacks, need_packages

MODULES = Path(__file__).with_name("media")


class MediaTests(TestCase):
    timeout = namespace.TIMEOUT + 20

    async def run_module(self, name, **options):
        """The tests of ``media/<name>.py`` all pass, and there are some."""
        for reason in (chromium.missing(), namespace.missing(**options)):
            if reason:
                lacks(reason)
        folder = str(Path(self.mktemp()).absolute())
        status, output = await deferToThread(
            namespace.run_trial, f"tests.browser.media.{name}", folder, **options
        )
        counts = {key: int(n) for key, n in re.findall(r"(successes|skips)=(\d+)", output)}
        if status or not counts.get("successes") or counts.get("skips"):
            self.fail(f"in the network namespace, exit status {status}:\n{output}")

    def test_flow(self):
        """The way of the seed's useWHIP: connected, frames counted, ended by DELETE."""
        return self.run_module("flow")

    def test_clients(self):
        """Stock client libraries against the pinned route."""
        return self.run_module("clients")

    def test_player(self):
        """WHEP: a stock player shows what a stock publisher sends, both through the proxy."""
        return self.run_module("player")

    def test_restart(self):
        """An ICE restart of a stock client, with the new ETag used afterwards."""
        return self.run_module("restart")

    def test_example(self):
        """The commands and the script of examples/daydream_video's README."""
        return self.run_module("example")

    def test_frontend(self):
        """examples/frontend's camera: on air, refused, stopped, left."""
        need_build()
        need_packages("axe-core")
        return self.run_module("frontend")

    def test_demo_page(self):
        """The demo page's camera: connected, frames shown growing, ended."""
        return self.run_module("demo_page")

    def test_everyday(self):
        """A browser with no flags for loopback, on a machine with an ordinary interface."""
        return self.run_module("everyday", interface=True)

    def test_modules(self):
        """Each module in ``media/`` is run by a test here."""
        run = {name.removeprefix("test_") for name in dir(self) if name.startswith("test_")}
        there = {path.stem for path in MODULES.glob("*.py")} - {"__init__", "stage"}
        self.assertEqual(run - {"modules"}, there)
