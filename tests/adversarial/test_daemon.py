"""Starts in the background: a command that waits is told, by one line, and nothing stays behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from naap_twisted.whip.key import FILE_NAME

from .faults import eventually
from .process import NO_PROCESS, TWISTD

_ROOT = Path(__file__).parent.parent.parent
_CONFIG = """
[server]
listen = ["tcp:%d:interface=127.0.0.1"]
[auth]
mode = "none"
[[proxy]]
path = "/x"
allowed_hosts = ["api.example.com"]
"""
TCP = "tcp:0:interface=127.0.0.1"
_WHIP = 'content_type = "application/sdp"\n'
_PATIENCE = 60


class DaemonTests(TestCase):
    """``twistd naap-proxy`` without ``-n``, and with it: the same words and the same exit."""

    skip = NO_PROCESS
    timeout = 180

    def setUp(self):
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(mode=0o700)
        self.pidfile = self.directory / "twistd.pid"
        self.log = self.directory / "twistd.log"
        self.addCleanup(self.kill)

    def kill(self):
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)

    def left(self):
        """The processes of this test that run; their command line names its pid file."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                arguments = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
            except OSError:
                continue  # it ended meanwhile
            if str(self.pidfile).encode() in arguments:
                found.append(int(entry.name))
        return found

    def twistd(self, *arguments, environ=None):
        """The command, until it ends."""
        return subprocess.run(
            [sys.executable, "-c", TWISTD, *self.files(), *arguments],
            cwd=_ROOT,
            env={**os.environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )

    def files(self):
        return f"--pidfile={self.pidfile}", f"--logfile={self.log}"

    def config(self, text):
        path = self.directory / "naap-proxy.toml"
        path.write_text(text)
        return str(path)

    def taken(self, host="127.0.0.1"):
        """A port that somebody listens on."""
        listening = socket.create_server((host, 0))
        self.addCleanup(listening.close)
        return listening.getsockname()[1]

    def free(self):
        """A port that nobody has, a moment ago at least."""
        with socket.create_server(("127.0.0.1", 0)) as found:
            return found.getsockname()[1]

    def refused(self, done, *words):
        """One line, non-zero, no pid file, no process."""
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertNotIn("Traceback", done.stdout + done.stderr)
        self.assertFalse(self.pidfile.exists())
        self.assertEqual(self.left(), [])

    def test_refused(self):
        """What can be known before the fork: one line, in the background as in the foreground."""
        taken = self.taken()
        admin = f'admin_listen = "tcp:{taken}:interface=127.0.0.1"'
        open_relay = (
            "import naap_twisted as n\n"
            's = n.create_plugin_server("s", 0, host="0.0.0.0", require_auth=False)\n'
            's.mount("/a", n.create_external_proxy(allowed_hosts=["api.example.com"],'
            ' forward_headers={"Authorization": "Bearer k"}))\n'
        )
        name = f"relay_{os.getpid()}"
        (self.directory / f"{name}.py").write_text(open_relay)
        path = {"PYTHONPATH": f"{self.directory}:{_ROOT}"}
        good = _CONFIG % 0
        anyone = good + 'authorize = "anyone"\n'
        lock = self.directory / "socket"
        # As Twisted has it beside a socket, of a process that lives.
        lock.with_name("socket.lock").symlink_to(str(os.getpid()))
        for text, words in (
            (_CONFIG % taken, ("cannot listen on 127.0.0.1", str(taken))),
            (good.replace("[auth]", f"{admin}\n[auth]"), ("cannot listen", str(taken))),
            (good.replace("tcp:0", "ssl:0"), ("cannot read server.pem",)),
            (good + "timeout = 0\n", ("proxy[0].timeout: ",)),
            (good + 'response_headers = ["Date"]\n', ("Date is never relayed",)),
            (good.replace(TCP, f"unix:{lock}"), (f"listen on {lock}",)),
            (good.replace(TCP, "unix:/nowhere/s"), ("No such file",)),
            (anyone.replace(TCP, "systemd:domain=INET:index=0"), ("systemd gave",)),
            ("[", ("not TOML",)),
        ):
            self.refused(self.twistd("naap-proxy", "--config", self.config(text)), *words)
        for arguments, words in (
            (["-n", "naap-proxy", "--config", self.config(_CONFIG % taken)], ("cannot listen",)),
            (["naap-proxy", "--config", "/nonexistent.toml"], ("cannot read",)),
            (["naap-proxy", "--app", f"{name}:s"], ("could use the keys of this route",)),
            (["naap-proxy", "--demo", "--port", str(taken)], ("cannot listen", str(taken))),
        ):
            self.refused(self.twistd(*arguments, environ=path), *words)

    def test_tac(self):
        """The same by way of a .tac file."""
        environ = {"NAAP_PROXY_CONFIG": self.config(_CONFIG % self.taken())}
        for flags in ("-y", "-ny"):
            done = self.twistd(flags, "tac/naap_proxy.tac", environ=environ)
            self.refused(done, "cannot listen on 127.0.0.1")

    async def test_found_by_the_start_only(self):
        """After the fork twistd itself tells: the command ends, and nothing stays behind."""
        state = self.directory / "state"
        state.mkdir(mode=0o700)
        key = state / FILE_NAME
        key.write_bytes(b"short")
        key.chmod(0o600)
        text = (_CONFIG % 0).replace("[auth]", f'state_dir = "{state}"\n[auth]') + _WHIP
        config = self.config(text)
        done = self.twistd("naap-proxy", "--config", config)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("state_dir: ", done.stderr)
        self.assertIn("holds no key", self.log.read_text())
        await eventually(lambda: not self.left(), 20)
        self.assertFalse(self.pidfile.exists())
        self.refused(self.twistd("-n", "naap-proxy", "--config", config), "holds no key")

    async def test_good(self):
        """A good one runs, answers, and SIGTERM ends it with its pid file."""
        port = self.free()
        done = self.twistd("naap-proxy", "--config", self.config(_CONFIG % port))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        pid = int(self.pidfile.read_text())
        self.assertEqual(self.left(), [pid])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as browser:
            browser.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b"200", browser.recv(4096))
        os.kill(pid, signal.SIGTERM)
        await eventually(lambda: not self.left(), 20)
        self.assertFalse(self.pidfile.exists())

    async def test_root(self):
        """Root is warned of, and is not where twistd becomes somebody else before it serves."""
        if os.geteuid() != 0:
            self.skipTest("needs root, to be it and to become another")
        config = self.config(_CONFIG % 0)
        for user, warned in (([], True), (["--uid=65534", "--gid=65534"], False)):
            self.log.unlink(missing_ok=True)
            done = self.twistd(*user, "naap-proxy", "--config", config)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            said = self.log.read_text()
            self.assertEqual("runs as root" in said, warned, said)
            os.kill(int(self.pidfile.read_text()), signal.SIGTERM)
            await eventually(lambda: not self.left(), 20)
            self.pidfile.unlink(missing_ok=True)  # which the other may not remove
