"""Tests of naap_twisted.downstream.regime: an exchange ends under the rules it began with."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.downstream.regime import Regime
from naap_twisted.downstream.site import DownstreamSite
from naap_twisted.errors import Unavailable
from tests.spine import JSON, TARGET, connect, make_spine, read_answer, request_bytes


class RegimeTests(SynchronousTestCase):
    def test_over(self) -> None:
        """It is over when the last exchange is, and at once where none is in flight."""
        self.successResultOf(Regime(Resource()).over())
        spine = make_spine()
        spine.upstream.silent = True
        regime = spine.site.regime
        wires = [connect(spine.site) for _ in range(2)]
        for wire in wires:
            named = [JSON, ("X-Target-URL", TARGET)]
            wire.protocol.dataReceived(request_bytes("POST", spine.path, named, b"{}"))
        self.assertEqual(regime.in_flight, 2)
        over = regime.over()
        wires[0].abortConnection()
        self.assertNoResult(over)
        wires[1].abortConnection()
        self.successResultOf(over)
        self.assertEqual(regime.in_flight, 0)


class SiteTests(SynchronousTestCase):
    """Of :class:`naap_twisted.downstream.site.DownstreamSite`, which changes its regime."""

    def test_next_request(self) -> None:
        """A connection stays open; what begins on it after the change is under the new regime."""
        spine = make_spine()
        site = spine.site
        told: list[str] = []
        first = spine.ask()
        self.assertEqual(first.code, 200)
        old = site.regime
        old.observers = [lambda request: told.append("old")]
        wire = connect(site)
        wire.protocol.dataReceived(request_bytes("GET", "/healthz", (), None))
        self.assertEqual(read_answer(wire.value()).code, 200)
        self.assertEqual((told, old.in_flight), (["old"], 0))
        site.serve(Regime(Resource(), observers=[lambda request: told.append("new")]))
        wire.clear()
        wire.protocol.dataReceived(request_bytes("GET", "/healthz", (), None))
        self.assertEqual(read_answer(wire.value()).code, 404)
        self.assertEqual(told, ["old", "new"])
        self.assertIs(site.resource, site.regime.resource)

    def test_bounds(self) -> None:
        """The accounts of what is open go on, under other bounds."""
        site = DownstreamSite(Resource(), reactor=MemoryReactorClock())
        site.held.add("a", 10)
        limits = DownstreamLimits(held=20, held_per_address=15, connections=0, lingering=0)
        site.serve(Regime(Resource(), limits))
        self.assertEqual(site.held.total, 10)
        self.assertRaises(Unavailable, site.held.check, "b", 11, 0)
        self.assertFalse(site.has_room())
        self.assertIsNone(site.lingering.enter("a", 0.0, stuck=False))
