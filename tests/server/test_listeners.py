"""Tests of naap_twisted.server.listeners: sockets that outlive configs."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from naap_twisted.downstream.site import DownstreamSite
from naap_twisted.errors import ConfigError
from naap_twisted.server.listeners import Listeners

LOOPBACK = "tcp:0:interface=127.0.0.1"


class ListenersTests(TestCase):
    def setUp(self) -> None:
        self.site = DownstreamSite(Resource(), reactor=reactor)
        self.addCleanup(self.site.ticker.stop)
        self.listeners = Listeners(reactor, self.site)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.listeners.close()))

    def addresses(self) -> list[str]:
        return [port.address for port in self.listeners]

    async def test_change(self) -> None:
        """What both have goes on; nothing is closed before all that is new can be had."""
        self.assertFalse(self.listeners)
        self.listeners.change([LOOPBACK, LOOPBACK])()
        first, second = self.addresses()
        self.assertNotEqual(first, second)
        change = self.listeners.change([LOOPBACK, f"{LOOPBACK}:backlog=9"])
        self.assertEqual(self.addresses(), [first, second])
        change()
        self.assertEqual(self.addresses()[0], first)
        self.assertEqual(len({first, second, *self.addresses()}), 3)
        self.assertTrue(all(port.is_up for port in self.listeners))

    async def test_refused(self) -> None:
        """One address that can't be had: none of the new ones stays open."""
        self.listeners.change([LOOPBACK])()
        (before,) = self.addresses()
        number = before.rpartition(":")[2]
        path = str(Path(self.mktemp()).absolute())
        for bad, error in (
            (f"tcp:{number}:interface=127.0.0.1", CannotListenError),
            ("unix:/nowhere/at/all", ConfigError),
            ("systemd:domain=INET:index=7", ConfigError),
        ):
            self.assertRaises(error, self.listeners.change, [LOOPBACK, f"unix:{path}", bad])
            self.assertEqual(self.addresses(), [before])
            await deferLater(reactor, 0)
            self.assertFalse(Path(path).exists())
        self.assertTrue(all(port.is_up for port in self.listeners))
