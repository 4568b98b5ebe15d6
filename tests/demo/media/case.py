"""The endpoint as the demo runs it: a child process, asked over HTTP."""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from naap_twisted.demo.media.process import MediaProcess
from naap_twisted.secret import Secret

from ..loopback import AUTHORIZATION, call
from .publisher import need_aiortc

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"


def is_running(pid):
    """Whether there is such a process that is not just waiting to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class MediaCase(TestCase):
    """Starts an endpoint for each test.

    :ivar said: what it said so far.
    """

    timeout = 60

    def setUp(self):
        need_aiortc()
        self.said = []
        self._waiting = []
        self.media = MediaProcess(Secret(AUTHORIZATION), reactor, self._say)
        self.media.startService()
        self.addCleanup(self.media.stopService)
        self.base = f"http://127.0.0.1:{self.media.port}"

    def _say(self, line):
        self.said.append(line)
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)

    async def until_said(self, part):
        """The first line with *part* in it, once it is there."""
        while True:
            for line in self.said:
                if part in line:
                    return line
            done = Deferred()
            self._waiting.append(done)
            await done

    async def post(self, offer, content_type=SDP, path="/whip/room", **options):
        """The answer to *offer*, its body in ``text``."""
        headers = {"Content-Type": content_type}
        answer = await call(
            "POST", self.base + path, headers=headers, data=offer.encode(), **options
        )
        return answer, await answer.text()

    async def ask(self, method, path, body=None, **headers):
        """Status and text of an answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await call(method, self.base + path, headers=headers, data=body)
        return answer.code, await answer.text()

    async def trickle(self, path, body, **headers):
        """Status and text of a PATCH's answer."""
        return await self.ask("PATCH", path, body, **{"Content_Type": FRAGMENT, **headers})
