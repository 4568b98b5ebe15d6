"""Tests of naap_twisted.server.sockets: held for workers, and given to them, in one process."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from naap_twisted.downstream.site import DownstreamSite
from naap_twisted.options.listen import parse_listen
from naap_twisted.server.ports import ListeningPort, check_free
from naap_twisted.server.sockets import GivenSockets, HeldSockets, place_of
from naap_twisted.testing import RawClient
from tests.integration.certificates import Authority

LOOPBACK = "tcp:0:interface=127.0.0.1"


class SocketsTests(TestCase):
    def setUp(self) -> None:
        self.site = DownstreamSite(Resource(), reactor=reactor)
        self.addCleanup(self.site.ticker.stop)

    def held(self, description: str, count: int = 2) -> ListeningPort:
        port = ListeningPort(reactor, description, self.site, HeldSockets(count))
        port.startService()
        self.addCleanup(port.stopService)
        return port

    def given(self, description: str, descriptor: int) -> ListeningPort:
        sockets = GivenSockets()
        self.addCleanup(sockets.close)
        sockets.give([(description, os.dup(descriptor))])
        port = ListeningPort(reactor, description, self.site, sockets)
        port.startService()
        self.addCleanup(port.stopService)
        return port

    async def test_each(self) -> None:
        """A TCP address has a socket for each worker; the supervisor accepts nothing."""
        held = self.held(LOOPBACK)
        number = int(held.address.rpartition(":")[2])
        self.assertTrue(held.is_up)
        names = {os.readlink(f"/proc/self/fd/{held.descriptor(worker)}") for worker in range(2)}
        self.assertEqual(len(names), 2)
        self.assertRaises(CannotListenError, check_free, f"tcp:{number}:interface=127.0.0.1")
        client = socket.create_connection(("127.0.0.1", number))
        self.addCleanup(client.close)
        await deferLater(reactor, 0.01)
        self.assertEqual(len(self.site.open), 0)
        workers = [self.given(LOOPBACK, held.descriptor(worker)) for worker in range(2)]
        self.assertEqual({worker.address for worker in workers}, {held.address})
        asking = await RawClient.connect(self, number)
        asking.request("GET", "/x")
        self.assertEqual((await asking.answer()).status, 404)

    async def test_tls(self) -> None:
        """On a given socket as on one's own; the same words twice are two sockets."""
        folder, authority = Path(self.mktemp()).absolute(), Authority()
        folder.mkdir()
        files = folder / "key.pem", folder / "chain.pem"
        for file, content in zip(files, authority.issue("localhost"), strict=True):
            file.write_bytes(content)
        description = f"ssl:0:privateKey={files[0]}:certKey={files[1]}:interface=127.0.0.1"
        held = [self.held(description, 1) for _ in range(2)]
        given = GivenSockets()
        given.give([(description, os.dup(port.descriptor(0))) for port in held])
        for port in held:
            worker = ListeningPort(reactor, description, self.site, given)
            worker.startService()
            self.addCleanup(worker.stopService)
            self.assertEqual(worker.address, port.address)
            number = int(port.address.rpartition(":")[2])
            tls = authority.client_options("localhost")
            client = await RawClient.connect(self, number, tls=tls)
            client.request("GET", "/x")
            self.assertEqual((await client.answer()).status, 404)

    async def test_taken(self) -> None:
        """An address that another has is refused, with its place."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            number = other.getsockname()[1]
            error = self.assertRaises(
                CannotListenError, self.held, f"tcp:{number}:interface=127.0.0.1"
            )
        self.assertEqual((error.interface, error.port), ("127.0.0.1", number))

    async def test_unix(self) -> None:
        """A UNIX socket is one for all; a worker's end leaves its file and mode as they are."""
        path = Path(self.mktemp()).absolute()
        description = f"unix:{path}:mode=600"
        held = self.held(description)
        self.assertEqual(held.descriptor(0), held.descriptor(1))
        worker = self.given(description, held.descriptor(0))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(worker.address, description)
        await worker.stopService()
        self.assertTrue(path.is_socket())
        await held.stopService()
        self.assertFalse(path.exists())

    async def test_not_given(self) -> None:
        """An address without a socket can't be listened on; what is not used is closed."""
        sockets = GivenSockets()
        with socket.socket() as some:
            descriptor = os.dup(some.fileno())
        sockets.give([("tcp:1", descriptor)])
        port = ListeningPort(reactor, LOOPBACK, self.site, sockets)
        self.assertRaises(CannotListenError, port.startService)
        sockets.give([])
        self.assertRaises(OSError, os.fstat, descriptor)

    def test_places(self) -> None:
        """Families by kind and interface."""
        for text, family, address in (
            ("tcp:80", socket.AF_INET, ("", 80)),
            ("tcp:80:interface=localhost", socket.AF_INET, ("localhost", 80)),
            ("tcp6:80", socket.AF_INET6, ("::", 80, 0, 0)),
            (r"tcp:80:interface=\:\:1", socket.AF_INET6, ("::1", 80, 0, 0)),
            ("ssl:443:interface=127.0.0.1", socket.AF_INET, ("127.0.0.1", 443)),
        ):
            self.assertEqual(place_of(parse_listen(text)), (family, address))
