"""What stands at a seam has all that the other side asks for."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyClass, verifyObject

from naap_twisted import RateLimit, User
from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.auth.redis_sessions import RedisLoginSessions
from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.auth.static import StaticTokens
from naap_twisted.downstream.adapt import AnySite
from naap_twisted.downstream.body import RequestBody, StreamedBody
from naap_twisted.downstream.channel import Channel
from naap_twisted.downstream.request import DownstreamRequest
from naap_twisted.framing.head import parse_request
from naap_twisted.interfaces import (
    IAuthenticator,
    IDownstreamRequest,
    IHeadResource,
    IKeyStore,
    IRateLimiter,
    IRequestBody,
    IResolver,
    IRouteTable,
    ISessionStore,
    IUpstream,
    IUsageStore,
)
from naap_twisted.keys.sql import SqlKeyStore
from naap_twisted.limits.memory import MemoryRateLimiter
from naap_twisted.limits.redis import RedisRateLimiter
from naap_twisted.observe.health import Health
from naap_twisted.policy.egress import EgressPolicy
from naap_twisted.route.spine import MountedProxy
from naap_twisted.server.routing import Routes
from naap_twisted.spend.sql import SqlUsageStore
from naap_twisted.upstream.agent import TreqUpstream, VettedAgent
from naap_twisted.upstream.client import UpstreamClient
from naap_twisted.upstream.resolver import SystemResolver
from naap_twisted.upstream.response import UpstreamResponse
from naap_twisted.wrappers.base import Wrapper
from tests.keys.memory import MemoryKeyStore
from tests.spend.memory import MemoryUsageStore
from tests.spine import connect, make_server, make_spine
from tests.support import FakeRequest, verify_protocol


class Classes(SynchronousTestCase):
    def test_all(self):
        """Methods with the arguments that the interface names."""
        for interface, implementer in [
            (IAgent, VettedAgent),
            (IAuthenticator, JwtAuthenticator),
            (IAuthenticator, SessionAuthenticator),
            (IAuthenticator, StaticTokens),
            (IBodyProducer, StreamedBody),
            (IDownstreamRequest, DownstreamRequest),
            (IHeadResource, AnySite),
            (IHeadResource, MountedProxy),
            (IHeadResource, Health),
            (IHeadResource, Routes),
            (IHeadResource, Wrapper),
            (IPushProducer, Channel),
            (IPushProducer, UpstreamResponse),
            (IKeyStore, MemoryKeyStore),
            (IKeyStore, SqlKeyStore),
            (IRateLimiter, MemoryRateLimiter),
            (ISessionStore, RedisLoginSessions),
            (IRateLimiter, RedisRateLimiter),
            (IUsageStore, MemoryUsageStore),
            (IUsageStore, SqlUsageStore),
            (IRequestBody, RequestBody),
            (IResolver, SystemResolver),
            (IResponse, UpstreamResponse),
            (IRouteTable, Routes),
            (IUpstream, TreqUpstream),
            (IUpstream, UpstreamClient),
        ]:
            with self.subTest(interface=interface, implementer=implementer):
                if isinstance(interface, InterfaceClass):
                    self.assertTrue(verifyClass(interface, implementer, tentative=False))
                else:
                    verify_protocol(interface, implementer)


class Objects(SynchronousTestCase):
    def test_all(self):
        """Attributes too, on an instance."""
        reactor = MemoryReactorClock()
        spine = make_spine()
        for interface, provider in [
            (IAgent, VettedAgent(TreqUpstream(None), EgressPolicy(["api.example.com"]))),
            (IAuthenticator, JwtAuthenticator.from_secret("x" * 32)),
            (IAuthenticator, SessionAuthenticator("http://localhost/me", reactor=reactor)),
            (IAuthenticator, StaticTokens({"token": User("ada")})),
            (IBodyProducer, StreamedBody(RequestBody(None, 3), 3)),
            (IHeadResource, spine.proxy),
            (IHeadResource, spine.server.resource()),
            (IHeadResource, spine.server._root),
            (IHeadResource, spine.server._routes),
            (IRateLimiter, MemoryRateLimiter(RateLimit(), reactor)),
            (IRequestBody, RequestBody(None, 0)),
            (IResolver, SystemResolver(reactor)),
            (IRouteTable, spine.server._routes),
            (IUpstream, TreqUpstream(None)),
            (IUpstream, UpstreamClient(reactor)),
        ]:
            with self.subTest(interface=interface, provider=provider):
                if isinstance(interface, InterfaceClass):
                    self.assertTrue(verifyObject(interface, provider))
                else:
                    verify_protocol(interface, provider)

    def test_the_check_itself(self):
        """What lacks a method or an attribute, or names an argument otherwise, is refused."""

        class Body(RequestBody):
            def collect(self, most):
                return super().collect(most)

        without = RequestBody(None, 0)
        del without.received
        for interface, provider in [
            (IUpstream, StaticTokens({"token": User("ada")})),
            (IRequestBody, Body(None, 0)),
            (IRequestBody, Body),
            (IRequestBody, without),
        ]:
            with self.subTest(interface=interface, provider=provider):
                self.assertRaises(AssertionError, verify_protocol, interface, provider)

    def test_request(self):
        """A request on our site, and the fake of it that unit tests use."""
        channel = connect(make_server().site()).protocol
        head = parse_request(b"GET / HTTP/1.1\r\nHost: a.example\r\n", channel._limits.head)
        request = DownstreamRequest(channel, head, RequestBody(None, 0))
        self.assertTrue(verifyObject(IDownstreamRequest, request))
        for name in IDownstreamRequest.names(all=False):
            self.assertTrue(hasattr(FakeRequest(), name), name)
