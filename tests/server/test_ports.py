"""Listening on endpoint strings."""

import os
import socket
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.errors import ConfigError
from naap_twisted.server.ports import ListeningPort, check_free, check_tls, tls_problems
from tests.certs import Authority, pem_pair


class Heard:
    """A port that listens at *address*."""

    def __init__(self, address):
        self.getHost = lambda: address


class Described(SynchronousTestCase):
    def test_address(self):
        """A URL where there is one; IPv6 in brackets; else the endpoint string, as before start."""
        for description, address, shown in (
            ("tcp:4020", IPv4Address("TCP", "127.0.0.1", 4020), "http://127.0.0.1:4020"),
            ("tcp6:4020", IPv6Address("TCP", "::1", 4020), "http://[::1]:4020"),
            ("unix:/s", UNIXAddress(b"/s"), "unix:/s"),
        ):
            port = ListeningPort(MemoryReactorClock(), description, Factory())
            self.assertEqual((port.address, port.is_up), (description, False))
            port._port = Heard(address)
            self.assertEqual(port.address, shown)


class Opened(TestCase):
    async def test_up(self):
        """From the start to the stop."""
        port = ListeningPort(reactor, "tcp:0:interface=127.0.0.1", Factory())
        port.startService()
        self.assertTrue(port.is_up)
        number = port.address.rpartition(":")[2]
        again = ListeningPort(reactor, f"tcp:{number}:interface=127.0.0.1", Factory())
        self.assertRaises(CannotListenError, again.startService)
        await port.stopService()
        self.assertFalse(port.is_up)

    def test_no_place(self):
        """The directory of a UNIX socket that is not there is a line, too."""
        port = ListeningPort(reactor, "unix:nowhere/socket", Factory())
        error = self.assertRaises(ConfigError, port.startService)
        self.assertEqual(str(error), "unix:nowhere/socket: No such file or directory")


class TlsTests(SynchronousTestCase):
    def setUp(self):
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.ours, self.other = self.files("ours"), self.files("other")

    def files(self, name):
        """The paths of a key and of its certificate."""
        paths = self.directory / f"{name}.key", self.directory / f"{name}.crt"
        for path, content in zip(paths, pem_pair(name), strict=True):
            path.write_bytes(content)
            path.chmod(0o600)
        return paths

    def endpoint(self, key, certificate, more=""):
        return f"ssl:0:privateKey={key}:certKey={certificate}{more}"

    def test_good(self):
        """A pair, apart or in one file, with a chain; other kinds have none."""
        key, certificate = self.ours
        both = self.directory / "both.pem"
        both.write_bytes(key.read_bytes() + certificate.read_bytes())
        both.chmod(0o640)
        chain = self.directory / "chain.pem"
        chain.write_bytes(Authority().pem)
        for good in (
            self.endpoint(key, certificate),
            f"ssl:0:privateKey={both}",
            self.endpoint(key, certificate, f":extraCertChain={chain}"),
            "tcp:0",
        ):
            check_tls(good)

    def test_refused(self):
        """Missing, no PEM, of different pairs, with a passphrase, a chain that is none."""
        key, certificate = self.ours
        nothing, sealed = self.directory / "nothing", self.directory / "sealed"
        nothing.write_bytes(b"nothing")
        sealed.write_bytes(pem_pair("sealed", passphrase=b"x")[0])
        for path in (nothing, sealed):
            path.chmod(0o600)
        self.other[0].chmod(0o644)
        for bad, reason in (
            (self.endpoint("/nowhere.key", certificate), "cannot read /nowhere.key: No such file"),
            (self.endpoint(key, "/nowhere.crt"), "cannot read /nowhere.crt: No such file"),
            (self.endpoint(key, certificate, ":extraCertChain=/no.pem"), "cannot read /no.pem"),
            (self.endpoint(*self.other), f"run: chmod 600 {self.other[0]}"),
            (self.endpoint(key, nothing), f"{key} and {nothing} are no PEM private key"),
            (self.endpoint(nothing, certificate), "are no PEM private key"),
            (self.endpoint(key, self.other[1]), "are no PEM private key"),
            (self.endpoint(sealed, certificate), "are no PEM private key"),
            (self.endpoint(key, certificate, f":extraCertChain={nothing}"), "are no PEM"),
            (self.endpoint(key, certificate, f":dhParameters={nothing}"), "can't be used"),
            (self.endpoint(key, certificate, ":sslmethod=NO_METHOD"), "can't be used"),
        ):
            with self.subTest(bad=bad):
                self.assertIn(reason, str(self.assertRaises(ValueError, check_tls, bad)))

    def test_which(self):
        """Each endpoint's own line, the admin port's too."""
        bad = "ssl:0:privateKey=/nowhere.key"
        lines = tls_problems(("tcp:0", bad), bad)
        self.assertEqual([line.partition(":")[0] for line in lines], ["listen[1]", "admin_listen"])


class FreeTests(SynchronousTestCase):
    def test_tcp(self):
        """What is listened on is taken; a port of our choice, or a free one, is not."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            for kind in ("tcp", "ssl"):
                error = self.assertRaises(
                    CannotListenError, check_free, f"{kind}:{port}:interface=127.0.0.1"
                )
                self.assertEqual((error.interface, error.port), ("127.0.0.1", port))
        check_free(f"tcp:{port}:interface=127.0.0.1")
        check_free("tcp:0")
        self.assertRaises(CannotListenError, check_free, f"tcp:{port}:interface=192.0.2.1")

    def test_unix(self):
        """The lock of a process that lives takes it; a directory that is missing, too."""
        path = Path(self.mktemp()).absolute()
        lock = path.with_name(path.name + ".lock")
        check_free(f"unix:{path}")
        self.assertFalse(lock.is_symlink())
        lock.symlink_to(str(os.getpid()))
        self.assertRaises(CannotListenError, check_free, f"unix:{path}")
        check_free(f"unix:{path}:lockfile=0")
        self.assertRaises(CannotListenError, check_free, "unix:/nowhere/socket")

    def test_systemd(self):
        """What systemd did not give can't be listened on."""
        endpoint = "systemd:domain=INET:index=7"
        for ask in (check_free, lambda text: ListeningPort(None, text, Factory())):
            error = self.assertRaises(ConfigError, ask, endpoint)
            self.assertIn("systemd gave", str(error))
