"""Real processes: a proxy under twistd whose memory can be read, and tools that attack it."""

import os
import re
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater

import naap_twisted
from naap_twisted.testing import Watchable

#: Why tests of a process can't run here, or ``None``.
NO_PROCESS = None if sys.platform == "linux" else "reads /proc, which only Linux has"
_ROOT = Path(naap_twisted.__file__).parent.parent
TWISTD = "from twisted.scripts.twistd import run; run()"
LISTENS = re.compile(rb"listens on http://127\.0\.0\.1:(\d+)")

SERVER = """
[server]
name = "besieged"
listen = ["tcp:0:interface=127.0.0.1"]
rate_limit = false
drain_timeout = 1

[auth]
mode = "none"

[upstream]
allow_networks = ["127.0.0.1/32"]
"""


class Child(Watchable, ProcessProtocol):
    """A child process, killed at the test's end.

    :ivar output: what it wrote to stdout and stderr.
    :ivar ended: it is gone.
    """

    def __init__(self, test, arguments, **options):
        super().__init__()
        self.output, self.ended = b"", False
        self._process = reactor.spawnProcess(
            self, arguments[0], arguments, env=dict(os.environ), **options
        )
        self.pid = self._process.pid
        test.addCleanup(self.kill)

    def childDataReceived(self, descriptor, data):
        self.output += data
        self.changed()

    def processEnded(self, reason):
        self.ended = True
        self.changed()

    def kill(self):
        """End it now; fires when it is gone."""
        if not self.ended:
            self._process.signalProcess("KILL")
        return self.until(lambda: self.ended)


class ProxyProcess(Child):
    """``twistd naap-proxy`` with *routes*: TOML tables ``[[proxy]]``.

    :param files: its soft limit of open files; ``None``: as ours.
    :param server: TOML of everything else.
    :param before: Python that runs before Twisted is imported.
    :ivar port: where it listens, after :meth:`started`.
    """

    def __init__(self, test, routes, files=None, before="", server=SERVER):
        config = Path(test.mktemp())
        config.write_text(server + routes)
        config.chmod(0o600)  # it holds a key
        config = config.resolve()
        arguments = [sys.executable, "-c", before + TWISTD, "--pidfile=", "-n", "naap-proxy"]
        if files:
            arguments = ["/bin/sh", "-c", f'ulimit -Sn {files}; exec "$@"', "sh", *arguments]
        super().__init__(test, [*arguments, "--config", str(config)], path=str(_ROOT))
        self.port = 0

    async def started(self):
        """Once it listens.

        :raises AssertionError: it ended instead.
        """
        await self.until(lambda: self.ended or LISTENS.search(self.output))
        assert not self.ended, self.output.decode()
        self.port = int(LISTENS.search(self.output)[1])
        return self

    def memory(self):
        """Resident bytes now (Linux)."""
        return self._status("VmRSS")

    def peak(self):
        """The most resident bytes since the start or :meth:`forget_peak` (Linux)."""
        return self._status("VmHWM")

    def forget_peak(self):
        """Begin to measure anew (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    async def at_rest(self):
        """Once it has used no processor time for a third of a second (Linux)."""
        before = None
        while before != (now := self._ticks()):
            before = now
            await deferLater(reactor, 0.33)

    def _ticks(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])  # utime, stime

    def sockets(self):
        """How many sockets it has open (Linux)."""
        found = 0
        for entry in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                found += os.readlink(entry).startswith("socket:")
            except FileNotFoundError:
                pass
        return found

    def _status(self, key):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(key)


def pinned(path, upstream, *lines):
    """A ``[[proxy]]`` table that streams anything to *upstream*; *lines* are further keys."""
    return "\n".join(
        [
            "",
            "[[proxy]]",
            f'path = "{path}"',
            f'target = "{upstream.origin}"',
            'methods = ["GET", "POST"]',
            'content_type = ["application/json", "text/*", "application/octet-stream"]',
            'forward_headers = { Authorization = "Bearer key-of-the-besieged" }',
            *lines,
            "",
        ]
    )
