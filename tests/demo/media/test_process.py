"""The child: it has the key, answers, and is gone when its parent is."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.support import INTERRUPTIBLE

from ..loopback import call, until
from .case import MediaCase, is_running
from .publisher import need_aiortc

ROOT = Path(__file__).parents[3]
# Starts the endpoint as the demo does, tells its pid and waits.
PARENT = """
import sys
from twisted.internet import reactor
from naap_twisted.demo.media.process import MediaProcess
from naap_twisted.secret import Secret
media = MediaProcess(Secret("Bearer x"), reactor, print)
media.startService()
print(media._child.transport.pid, flush=True)
reactor.run()
"""


TWISTD = "from twisted.scripts.twistd import run; run()"
OPTIONS = ("-n", "--pidfile=", "naap-proxy", "--demo", "--port=0")


def alive(group):
    """How many processes of a process group run."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        count += state != "Z" and int(its_group) == group
    return count


class WholeDemoTests(TestCase):
    timeout = 60

    async def test_interrupt(self):
        """Ctrl-C at a terminal, which goes to parent and child: both end, and nothing is left."""
        need_aiortc()
        demo = subprocess.Popen(
            [*INTERRUPTIBLE, sys.executable, "-c", TWISTD, *OPTIONS],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        self.addCleanup(demo.wait)
        self.addCleanup(demo.stdout.close)
        self.addCleanup(demo.kill)

        def ask():
            for line in demo.stdout:
                if found := re.search(r"Open (http://\S+)/ in", line):
                    with urlopen(found[1] + "/demo/media", timeout=20) as answer:
                        return json.load(answer)

        self.assertEqual(await deferToThread(ask), {"media": True, "sessions": []})
        self.assertEqual(alive(demo.pid), 2)
        os.killpg(demo.pid, signal.SIGINT)
        said = await deferToThread(demo.stdout.read)
        await until(lambda: not alive(demo.pid), tries=2000)
        self.assertIn("Server Shut Down", said)
        self.assertNotIn("Traceback", said)
        self.assertNotIn("ended by itself", said)


class ProcessTests(MediaCase):
    async def test_stops(self):
        """stopService waits until the child is gone and its port closed."""
        await self.media.sessions()  # it is up
        pid, port = self.media._child.transport.pid, self.media.port
        await self.media.stopService()
        self.assertFalse(is_running(pid))
        self.assertEqual((self.media.port, self.said), (0, []))
        with self.assertRaises(Exception):  # noqa: B017
            await call("GET", f"http://127.0.0.1:{port}/media")

    async def test_stops_at_once(self):
        """Also a child that has not come up yet."""
        pid = self.media._child.transport.pid
        await self.media.stopService()
        self.assertFalse(is_running(pid))

    async def test_key(self):
        """The key is neither in the child's arguments nor in its environment."""
        await self.media.sessions()
        folder = Path(f"/proc/{self.media._child.transport.pid}")
        key = self.media._authorization.reveal()
        for name in ("cmdline", "environ"):
            self.assertNotIn(key, (folder / name).read_bytes())

    async def test_interrupt(self):
        """A terminal's Ctrl-C reaches the child as well; it waits for its parent."""
        await self.media.sessions()
        os.kill(self.media._child.transport.pid, signal.SIGINT)
        answer = await call("GET", self.base + "/media")
        await answer.content()
        self.assertEqual(answer.code, 200)

    async def test_dies(self):
        """A child that ends by itself is told of."""
        await self.media.sessions()
        self.media._child.transport.signalProcess("KILL")
        self.assertIn("start the demo again", await self.until_said("ended by itself"))
        self.assertEqual(await self.media.sessions(), [])

    async def test_parent_dies(self):
        """However the parent ends, the child ends, too."""

        def run():
            parent = subprocess.Popen(
                [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT, text=True
            )
            try:
                return int(parent.stdout.readline())
            finally:
                parent.kill()
                parent.wait()
                parent.stdout.close()

        pid = await deferToThread(run)
        await until(lambda: not is_running(pid), tries=2000)
        self.assertTrue(reactor.running)
