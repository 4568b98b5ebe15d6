"""Tests of naap_twisted.server.stage; tests/start/test_reloading.py has them over real sockets."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from naap_twisted.downstream.regime import Regime
from naap_twisted.server.stage import Stage
from tests.spine import make_server

ADMIN = "tcp:4021:interface=127.0.0.1"


class Port:
    """The admin side's socket."""

    files = ()

    def __init__(self, address: str) -> None:
        self.address = self.description = address

    def read_again(self) -> Any:
        return lambda: None


class Admin:
    """The admin side, which notes what happens to it."""

    def __init__(self, server: Any, listen: str, told: list[Any]) -> None:
        self.port = Port(listen)
        self.told = told
        self.taken = listen.endswith("9")

    def open(self) -> None:
        if self.taken:
            raise CannotListenError("127.0.0.1", 9, OSError("taken"))
        self.told.append(("open", self.port.address))

    def serve(self, server: Any) -> None:
        self.told.append(("serve", server))

    async def close(self) -> None:
        self.told.append(("close", self.port.address))


class StageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[Any] = []
        self.memory = MemoryReactorClock()
        self.stage = Stage(self.memory, Regime(Resource()), lambda *of: Admin(*of, self.told))

    def server(self, admin: str = "") -> Any:
        return make_server(reactor=self.memory, admin_listen=admin, listen=["tcp:1"])

    def test_admin(self) -> None:
        """One at the same address goes on with the next server; another is opened, then closed."""
        first, second = self.server(ADMIN), self.server(ADMIN)
        self.stage.open(first)
        regime = Regime(Resource())
        before = self.stage.site.regime
        self.assertIs(self.stage.change(second, regime)(), before)
        self.assertIs(self.stage.site.regime, regime)
        other = ADMIN.replace("4021", "4022")
        self.stage.change(self.server(other), regime)()
        self.assertEqual(
            self.told,
            [("open", ADMIN), ("serve", second), ("open", other), ("close", ADMIN)],
        )
        self.assertEqual(self.stage.admin_address, other)
        self.stage.change(self.server(), regime)()
        self.assertEqual(self.told[-1], ("close", other))
        self.assertEqual(self.stage.admin_address, "")

    def test_refused(self) -> None:
        """Where the admin side can't be had, nothing was opened, and the next try begins anew."""
        taken = "tcp:9:interface=127.0.0.9"
        self.assertRaises(CannotListenError, self.stage.open, self.server(taken))
        self.assertFalse(self.stage.is_open)
        self.assertEqual(self.memory.tcpServers, [])
        self.stage.open(self.server(ADMIN))
        self.assertTrue(self.stage.is_open and self.stage.is_listening)
        self.assertRaises(
            CannotListenError, self.stage.change, self.server(taken), Regime(Resource())
        )
        self.assertEqual(self.stage.admin_address, ADMIN)

    def test_close(self) -> None:
        """At its end the admin side closes last."""
        server = self.server(ADMIN)
        self.stage.open(server)
        drained = Deferred.fromCoroutine(self.stage.drain(server, server.parts.state.replays))
        self.memory.advance(1)
        self.successResultOf(drained)
        self.assertEqual(self.told, [("open", ADMIN)])
        self.successResultOf(Deferred.fromCoroutine(self.stage.close()))
        self.assertEqual(self.told[-1], ("close", ADMIN))
        self.assertFalse(self.stage.is_open)
