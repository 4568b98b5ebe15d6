"""Tests of naap_twisted.wrappers.base."""

from __future__ import annotations

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from naap_twisted.downstream.caller import TrustedProxies
from naap_twisted.interfaces import IHeadResource
from naap_twisted.wrappers.base import Wrapper, is_https, peer_of

from ..support import Answer, FakeRequest


class Gate(Wrapper):
    """Admits GET."""

    def admit(self, request: FakeRequest) -> bool:
        return request.method == b"GET"


class WrapperTests(SynchronousTestCase):
    def test_is_a_leaf_at_the_end_of_the_headers(self) -> None:
        """The site renders a wrapper itself, early, whatever the path."""
        wrapper = Gate(Answer())
        verifyObject(IHeadResource, wrapper)
        self.assertTrue(wrapper.isLeaf)

    def test_passes_on(self) -> None:
        """An admitted request goes to the inner resource, through the request."""
        inner = Answer()
        request = FakeRequest()
        self.assertIs(Gate(inner).render(request), NOT_DONE_YET)
        self.assertEqual(request.rendered, [inner])

    def test_keeps(self) -> None:
        """A request that is not admitted stops here."""
        request = FakeRequest(b"POST")
        self.assertIs(Gate(Answer()).render(request), NOT_DONE_YET)
        self.assertEqual(request.rendered, [])


class PeerTests(SynchronousTestCase):
    def test_peer(self) -> None:
        """The connection's address; a UNIX socket has none."""
        self.assertEqual(peer_of(FakeRequest()), "192.0.2.7")
        self.assertEqual(peer_of(FakeRequest(client=IPv6Address("TCP", "::1", 1))), "::1")
        self.assertEqual(peer_of(FakeRequest(client=UNIXAddress(b"/run/x"))), "unix")

    def test_https(self) -> None:
        """Our own TLS, or the word of a trusted proxy."""
        proxies = TrustedProxies(["192.0.2.0/24"])
        told = {"X-Forwarded-Proto": "https"}
        self.assertTrue(is_https(FakeRequest(secure=True)))
        self.assertTrue(is_https(FakeRequest(headers=told), proxies))
        self.assertFalse(is_https(FakeRequest(headers=told)))
        self.assertFalse(is_https(FakeRequest(), proxies))
