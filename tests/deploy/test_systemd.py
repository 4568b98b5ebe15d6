"""deploy/systemd: the units as systemd reads them, and the server behind a socket of systemd's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.error import ConnectError
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from naap_twisted.testing import RawClient
from tests.adversarial.peers import free_port
from tests.adversarial.process import TWISTD, Child

from .support import DEPLOY, ROOT, checked, filled, secret_file

CREDENTIAL = "/run/credentials/naap-proxy.service/openai_key"
#: Of ten; the issue's bound.
MOST_EXPOSED = 2.5


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SkipTest(f"{name} is not installed (Debian: systemd)")
    return found


class UnitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        # The program is looked for where it is not installed.
        changes = {"/opt/naap-proxy/bin/twistd": "/bin/true"}
        self.unit = filled("systemd/naap-proxy.service", self.folder, changes)
        self.socket = filled("systemd/naap-proxy.socket", self.folder, {})

    def test_verify(self) -> None:
        """systemd knows every line of both."""
        command = [tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no"]
        done = subprocess.run(
            [*command, str(self.unit), str(self.socket)], capture_output=True, text=True, timeout=60
        )
        about_ours = [line for line in done.stderr.splitlines() if "naap-proxy" in line]
        self.assertEqual((done.returncode, about_ours), (0, []), done.stderr)

    def test_exposure(self) -> None:
        """``systemd-analyze security`` finds little that the service could do to the machine."""
        command = [tool("systemd-analyze"), "security", "--offline=true", "--no-pager"]
        done = subprocess.run(
            [*command, str(self.unit)], capture_output=True, text=True, timeout=60
        )
        found = re.search(r"exposure level for naap-proxy.service: ([0-9.]+)", done.stdout)
        assert found is not None, done.stdout + done.stderr
        self.assertLess(float(found[1]), MOST_EXPOSED, done.stdout)

    def test_stops_after_the_drain(self) -> None:
        """systemd waits for longer than the server takes."""
        config = (DEPLOY / "systemd/naap-proxy.toml").read_text()
        ours = sum(
            int(re.search(rf'{name} = "(\d+)s"', config)[1])  # type: ignore[index]
            for name in ("lame_duck", "drain_timeout")
        )
        theirs = re.search(r"TimeoutStopSec=(\d+)s", self.unit.read_text())
        assert theirs is not None
        self.assertGreater(int(theirs[1]), ours)


class ConfigTests(SynchronousTestCase):
    def test_check(self) -> None:
        """The config that goes with the unit passes, but for its socket, which systemd opens."""
        folder = Path(self.mktemp()).absolute()
        key = secret_file(folder, "key")
        changes = {CREDENTIAL: str(key), "/var/lib/naap-proxy": str(folder / "state")}
        done = checked(filled("systemd/naap-proxy.toml", folder, changes))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class ActivationTests(TestCase):
    timeout = 60

    async def test_socket(self) -> None:
        """The first caller's connection, made before the server runs, is answered."""
        activate = tool("systemd-socket-activate")
        folder = Path(self.mktemp()).absolute()
        port, admin = free_port(), free_port()
        changes = {
            CREDENTIAL: str(secret_file(folder, "key")),
            "/var/lib/naap-proxy": str(folder / "state"),
            "tcp:4021": f"tcp:{admin}",
        }
        config = filled("systemd/naap-proxy.toml", folder, changes)
        server = [sys.executable, "-c", TWISTD, "--pidfile=", "-n", "naap-proxy", "--config"]
        # systemd itself always names the sockets; Twisted takes none that has no name.
        listen = [activate, f"--listen=127.0.0.1:{port}", "--fdname=naap-proxy"]
        listen.append(f"--setenv=PYTHONPATH={ROOT}")
        child = Child(self, [*listen, *server, str(config)], path=str(folder))
        client = await self.connected(child, port)
        client.request("GET", "/healthz", {"Host": "proxy.example.org"})
        try:
            answer = await client.answer()
        except EOFError:
            raise AssertionError(child.output.decode()) from None
        self.assertEqual((answer.status, answer.json()["status"]), (200, "ok"))
        await client.stop()
        probe = await RawClient.connect(self, admin)
        probe.request("GET", "/readyz", {"Host": "127.0.0.1"})
        ready = await probe.answer()
        self.assertEqual((ready.status, json.loads(ready.body)["failing"]), (200, []))
        await probe.stop()

    async def connected(self, child: Child, port: int) -> RawClient:
        """A client, as soon as the launcher listens."""
        for _ in range(200):
            try:
                return await RawClient.connect(self, port)
            except ConnectError:
                assert not child.ended, child.output.decode()
                await deferLater(reactor, 0.02)  # type: ignore[arg-type]
        raise AssertionError(f"nobody listens: {child.output!r}")
