"""No signal but SIGINT and SIGTERM ends a process, nor a stream in flight: real processes."""

import os
import signal
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from naap_twisted.demo.media.process import is_installed
from naap_twisted.testing import PAUSE, ScriptedUpstream
from naap_twisted.testing.client import RawClient

from .faults import eventually
from .process import LISTENS, NO_PROCESS, SERVER, TWISTD, Child, pinned

_ROOT = Path(__file__).parent.parent.parent
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_FIRST = b"7\r\ndata: 1\r\n"
_LAST = b"7\r\ndata: 2\r\n0\r\n\r\n"
_TIMERS = (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO)
_OTHERS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, *_TIMERS)
# Python itself ignores SIGPIPE.
_LOGGED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, *_TIMERS)
_SCRIPT = """
import sys
from naap_twisted import create_external_proxy, create_plugin_server
server = create_plugin_server("script", 0, require_auth=False, allow_networks=["127.0.0.1/32"])
server.mount("/x", create_external_proxy(target=sys.argv[1], methods=["GET"]))
server.run()
"""


class SignalTests(TestCase):
    """A stream is in flight while each of them comes."""

    skip = NO_PROCESS
    timeout = 120

    def launch(self, *arguments, before=""):
        """A process in the repository's root; *before* is for the shell."""
        command = [sys.executable, *arguments]
        if before:
            command = ["/bin/sh", "-c", f'{before}; exec "$@"', "sh", *command]
        return Child(self, command, path=str(_ROOT))

    def config(self, upstream):
        path = Path(self.mktemp()).absolute()
        path.write_text(SERVER + pinned("/x", upstream))
        path.chmod(0o600)
        return path

    def twistd(self, *arguments, **options):
        return self.launch("-c", TWISTD, "--pidfile=", *arguments, **options)

    def upstream(self):
        return ScriptedUpstream(self, _HEAD + _FIRST, PAUSE, _LAST)

    async def survives(self, process, upstream, logged=_LOGGED, log=None, *, reloads=True):
        """Every signal comes in the middle of a stream, which ends whole.

        :param logged: those that nobody else has a meaning for: a line of the log each.
        :param reloads: SIGHUP lets the server read its config again.
        :param log: the file that the log goes to.
        """
        said = log.read_bytes if log else lambda: process.output
        await eventually(lambda: process.ended or (_there(log) and LISTENS.search(said())), 30)
        self.assertFalse(process.ended, process.output.decode())
        client = await RawClient.connect(self, int(LISTENS.search(said())[1]))
        client.request("GET", "/api/v1/x", [(b"Host", b"localhost")])
        await client.read_until(b"data: 1")
        for number in _OTHERS:
            os.kill(process.pid, number)
            line = f"{number.name}: nothing changed".encode()
            if number is signal.SIGHUP and reloads:
                line = b"generation 2; changed: no option"
            if number in logged:
                await eventually(lambda line=line: process.ended or line in said(), 10)
            self.assertFalse(process.ended, f"{number.name} ended it: {process.output.decode()}")
        upstream.release()
        self.assertIn(b"data: 2", await client.read_until(b"0\r\n\r\n"))
        for number in set(_OTHERS) - set(logged):
            self.assertNotIn(number.name.encode() + b":", said())

    async def test_twistd(self):
        """``twistd -n naap-proxy``."""
        upstream = self.upstream()
        process = self.twistd("-n", "naap-proxy", "--config", str(self.config(upstream)))
        await self.survives(process, upstream)

    async def test_tac(self):
        """``twistd -ny tac/naap_proxy.tac``."""
        upstream = self.upstream()
        variable = f"export NAAP_PROXY_CONFIG={self.config(upstream)}"
        process = self.twistd("-ny", "tac/naap_proxy.tac", before=variable)
        await self.survives(process, upstream)

    async def test_script(self):
        """``server.run()`` of a script."""
        upstream = self.upstream()
        script = self.launch("-c", _SCRIPT, upstream.origin)
        await self.survives(script, upstream, reloads=False)

    async def test_ignored(self):
        """Under nohup SIGHUP reloads all the same; another that is ignored stays so."""
        upstream = self.upstream()
        arguments = ("-n", "naap-proxy", "--config", str(self.config(upstream)))
        process = self.twistd(*arguments, before='trap "" HUP USR2')
        logged = tuple(number for number in _LOGGED if number is not signal.SIGUSR2)
        await self.survives(process, upstream, logged=logged)

    async def test_log_file(self):
        """With a log file SIGUSR1 is twistd's own: it begins a new one."""
        upstream = self.upstream()
        log = Path(self.mktemp()).absolute()
        config = str(self.config(upstream))
        process = self.twistd("-n", "--logfile", str(log), "naap-proxy", "--config", config)
        await self.survives(process, upstream, logged=(*_LOGGED[:1], *_LOGGED[2:]), log=log)
        await eventually(lambda: log.with_name(log.name + ".1").exists(), 10)

    async def test_demo(self):
        """The demo and, where there is one, the process of its media, to which a terminal's go."""
        process = self.twistd("-n", "naap-proxy", "--demo", "--port", "0")
        await process.until(lambda: process.ended or LISTENS.search(process.output))
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self.assertEqual(len(children), int(is_installed()))
        client = await RawClient.connect(self, int(LISTENS.search(process.output)[1]))
        await self.demo_answers(client, len(children))
        for number in _OTHERS:
            os.kill(process.pid, number)
            for pid in map(int, children if number not in _TIMERS else ()):
                os.kill(pid, number)
        line = b"SIGUSR2: nothing changed"
        await process.until(lambda: process.ended or line in process.output)
        await self.demo_answers(client, len(children))
        self.assertNotIn(b"ended by itself", process.output)

    async def demo_answers(self, client, media):
        client.request("GET", "/demo/media", [(b"Host", b"localhost")])
        answer = await client.answer()
        self.assertEqual(answer.status, 200)


def _there(path):
    return path is None or path.exists()
