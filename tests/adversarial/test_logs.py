"""Logs that can't be written: a reader that has stopped, a disk that is full. Real processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from naap_twisted.testing import ScriptedUpstream

from .faults import eventually
from .process import LISTENS, NO_PROCESS, SERVER, TWISTD, pinned

_ROOT = Path(__file__).parent.parent.parent
_PATIENCE = 60
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_ADMIN = 'admin_listen = "tcp:0:interface=127.0.0.1"\n[auth]'
_ADMIN_AT = re.compile(rb"admin: http://127\.0\.0\.1:(\d+)")
_LINES = 300
# A queue that is soon full; the test need not ask ten thousand times.
_NARROW = f"from naap_twisted.observe.outlets import LOG_QUEUE\nLOG_QUEUE._most_lines = {_LINES}\n"
_TOLD = re.compile(rb"(\d+) log lines dropped: ([^\n]*)")
_SCRIPT = """
import sys
from naap_twisted import create_external_proxy, create_plugin_server
server = create_plugin_server(
    "script", 0, require_auth=False, rate_limit=None, allow_networks=["127.0.0.1/32"]
)
server.mount("/x", create_external_proxy(target=sys.argv[1], methods=["GET"]))
server.run()
print("the script goes on", flush=True)
"""


class LogTests(TestCase):
    """Each is a process whose standard output is a pipe, read when the test says so."""

    skip = NO_PROCESS
    timeout = 180

    def launch(self, *arguments, shell="", before=""):
        """A process in the repository's root; its first lines are read, to where it listens."""
        command = [sys.executable, "-c", before + TWISTD, "--pidfile=", *arguments]
        return self.run_command(command, shell)

    def run_command(self, command, shell=""):
        if shell:
            command = ["/bin/sh", "-c", f'{shell}; exec "$@"', "sh", *command]
        process = subprocess.Popen(
            command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def until_it_listens(self, process):
        """What it has written until then."""
        seen = b""
        while not LISTENS.search(seen):
            piece = os.read(process.stdout.fileno(), 4096)
            self.assertTrue(piece, seen.decode())
            seen += piece
        return seen

    def config(self):
        self.upstream = ScriptedUpstream(self, _OK)
        path = Path(self.mktemp()).absolute()
        path.write_text(SERVER.replace("[auth]", _ADMIN) + pinned("/x", self.upstream))
        path.chmod(0o600)
        return "naap-proxy", "--config", str(path)

    def ask(self, port, times=1):
        """In a thread: so many requests, each answered 200."""
        connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        for _ in range(times):
            connection.request("GET", "/api/v1/x/long" + "g" * 300)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"ok")
        connection.close()

    def metric(self, port, name):
        connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])

    async def test_nobody_reads(self):
        """Requests are answered; what is dropped is counted, and told once somebody reads again."""
        process = self.launch("-n", *self.config(), before=_NARROW)
        seen = await deferToThread(self.until_it_listens, process)
        port, admin = int(LISTENS.search(seen)[1]), int(_ADMIN_AT.search(seen)[1])
        asked = 1500
        await deferToThread(self.ask, port, asked)
        dropped = await deferToThread(self.metric, admin, "naap_log_lines_dropped_total")
        self.assertGreater(dropped, 0)

        def read_on():
            seen = b""
            while not _TOLD.search(seen):
                seen += os.read(process.stdout.fileno(), 65536)
            return seen

        rest = await deferToThread(read_on)
        number, reason = _TOLD.search(rest).groups()
        self.assertEqual(int(number), dropped)
        self.assertIn(b"did not take them in time", reason)
        lines = [line for line in rest.splitlines() if b"naap.access" in line]
        # The exchanges of /metrics and their lines are not among these.
        self.assertEqual(len(lines) + dropped, asked)
        for line in lines:
            self.assertEqual(json.loads(line[line.index(b"{") :])["status"], 200)

    async def test_the_end_is_bounded(self):
        """Whoever stops a server whose log is not read is not kept waiting."""
        process = self.launch("-n", *self.config())
        seen = await deferToThread(self.until_it_listens, process)
        await deferToThread(self.ask, int(LISTENS.search(seen)[1]), 600)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await deferToThread(process.wait, _PATIENCE)
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(process.returncode, 0)

    async def test_the_last_lines(self):
        """What is read is whole: the last exchange, and twistd's own last words."""
        process = self.launch("-n", *self.config())
        seen = await deferToThread(self.until_it_listens, process)
        await deferToThread(self.ask, int(LISTENS.search(seen)[1]), 20)
        process.send_signal(signal.SIGTERM)
        rest = await deferToThread(process.stdout.read)
        self.assertEqual(rest.count(b"naap.access"), 20)
        self.assertIn(b"Server Shut Down.", rest)

    async def test_a_script(self):
        """``server.run()``: the same, and the script goes on behind it."""
        upstream = ScriptedUpstream(self, _OK)
        process = self.run_command([sys.executable, "-c", _SCRIPT, upstream.origin])
        seen = await deferToThread(self.until_it_listens, process)
        await deferToThread(self.ask, int(LISTENS.search(seen)[1]), 400)
        process.send_signal(signal.SIGTERM)
        rest = await deferToThread(process.stdout.read)
        self.assertEqual(rest.count(b"naap.access"), 400)
        self.assertIn(b"the script goes on", rest)
        self.assertEqual(await deferToThread(process.wait, _PATIENCE), 0)

    async def fills(self, *arguments, log, disk, shell=""):
        """The disk fills under a log, and has room again later."""
        filler = disk / "filler"
        filler.write_bytes(b"x" * 32 * 1024)
        process = self.launch("-n", *arguments, *self.config(), shell=shell)
        await eventually(lambda: log.exists() and LISTENS.search(log.read_bytes()), _PATIENCE)
        port, admin = (int(found.search(log.read_bytes())[1]) for found in (LISTENS, _ADMIN_AT))
        await deferToThread(self.ask, port, 300)
        name = "naap_log_lines_dropped_total"
        dropped = await deferToThread(self.metric, admin, name)
        self.assertGreater(dropped, 0)
        filler.unlink()
        await deferToThread(self.ask, port, 1)
        await eventually(lambda: _TOLD.search(log.read_bytes()), _PATIENCE)
        number, reason = _TOLD.search(log.read_bytes()).groups()
        self.assertGreaterEqual(int(number), dropped)
        self.assertEqual(reason, b"No space left on device")
        process.send_signal(signal.SIGTERM)
        await deferToThread(process.wait, _PATIENCE)
        self.assertIn(b"Server Shut Down.", log.read_bytes())

    def disk(self):
        """A disk of 64 kB."""
        path = Path(self.mktemp()).absolute()
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(path)]
        try:
            done = subprocess.run(mount, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            self.skipTest("no mount(8) here")
        if done.returncode:
            self.skipTest(f"a small disk can't be mounted: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(path)], check=True)
        return path

    async def test_a_full_disk_under_a_log_file(self):
        """``--logfile``: lines are counted, and written when there is room again."""
        disk = self.disk()
        log = disk / "twistd.log"
        await self.fills(f"--logfile={log}", log=log, disk=disk)

    async def test_a_full_disk_under_standard_output(self):
        """A shell's ``>``: the same."""
        disk = self.disk()
        log = disk / "out.log"
        await self.fills(log=log, disk=disk, shell=f"exec > {log}")

    async def test_a_device_that_is_always_full(self):
        """Not one line can be written, the first included: it serves, and ends when it is asked."""
        if not os.path.exists("/dev/full"):
            self.skipTest("this system has no /dev/full")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        name, option, path = self.config()
        text = Path(path).read_text().replace("tcp:0:", f"tcp:{port}:", 1)
        Path(path).write_text(text)
        process = self.launch("-n", name, option, path, shell="exec > /dev/full 2>&1")
        await eventually(lambda: self.accepts(port), _PATIENCE)
        await deferToThread(self.ask, port, 50)
        process.send_signal(signal.SIGTERM)
        await deferToThread(process.wait, _PATIENCE)

    def accepts(self, port):
        """Whether somebody listens there."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
