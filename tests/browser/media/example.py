"""examples/daydream_video with media, as its README has it: two commands and a script."""

import os
import re
import subprocess
import sys

from twisted.internet.threads import deferToThread

from ..namespace import ROOT, is_isolated
from ..support import BrowserTestCase, PageServer, lacks
from .stage import COUNTED, PAGE

README = (ROOT / "examples/daydream_video/README.md").read_text("utf-8")
TWISTD = "from twisted.scripts.twistd import run; run()"


class ExampleTests(BrowserTestCase):
    async def run_command(self, *arguments, until):
        """Start a command with the README's environment; wait for a line with *until* in it."""
        variables = dict(re.findall(r"^export (\w+)=(\S+)$", README, re.M))
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.terminate)
        await self.said(child, until)
        return child

    async def said(self, child, part):
        """The first line from now on with *part* in it."""

        def read():
            lines = []
            for line in child.stdout:
                lines.append(line)
                if part in line:
                    return line
            raise AssertionError("".join(lines))

        return await deferToThread(read)

    async def test_local(self):
        """The script publishes the camera through the plugin's second route, then ends it."""
        if not is_isolated():
            lacks("this has a network; tests.browser.test_media runs it where there is none")
        (app,) = re.findall(r"--app (\S+\.local:server)", README)
        (script,) = re.findall(r"```js\n(.*?)```", README, re.DOTALL)
        (end,) = re.findall(r"`(await fetch\(session[^`]*)`", README)
        self.assertIn("\npython -m naap_twisted.demo.media\n", README)
        endpoint = await self.run_command("-m", "naap_twisted.demo.media", until="Listening")
        arguments = ("-n", "--pidfile=", "naap-proxy", "--app", app)
        await self.run_command("-c", TWISTD, *arguments, until="4111")
        await self.open(permissions=["camera", "microphone"])
        url = PageServer(self).text("page", PAGE)
        await self.browse(lambda page: page.goto(url))
        start = f"async () => {{ {script} window.peer = peer; window.end = async () => {end}; }}"
        await self.browse(lambda page: page.evaluate(start))
        connected = "() => peer.connectionState === 'connected'"
        await self.browse(lambda page: page.wait_for_function(connected))
        # Sent is not received, but the first of so many are there by then.
        sent = ["peer", "outbound-rtp", "framesSent", 30]
        self.assertTrue(await self.browse(lambda page: page.evaluate(COUNTED, sent)))
        await self.browse(lambda page: page.evaluate("() => window.end()"))
        line = await self.said(endpoint, "session 1 ended")
        self.assertRegex(line, r", [1-9]\d* video frames received: its client ended it")
