"""Callables of the owner's that never answer: each request gets its 503, and its place is free."""

from twisted.internet.defer import Deferred

from naap_twisted.downstream.limits import DownstreamLimits
from tests.integration.support import OK, PATH, IntegrationTestCase

from .faults import eventually

LIMITS = DownstreamLimits(callable_timeout=0.3)


class Silent:
    """Takes anything and never answers.

    :ivar asked: Deferreds that it returned.
    :ivar cancelled: those that nobody waits for any more.
    """

    def __init__(self):
        self.asked, self.cancelled = [], []

    def __call__(self, request):
        self.asked.append(Deferred(self.cancelled.append))
        return self.asked[-1]


class SilentAuthenticator(Silent):
    def authenticate(self, request):
        return self(request)


class SilentCallablesTests(IntegrationTestCase):
    async def assert_given_up(self, silent):
        """Two requests, one after the other through the route's only place."""
        for count in (1, 2):
            answer = await self.post()
            self.assert_refused(answer, 503, "UNAVAILABLE")
            self.assertEqual(answer.header("Retry-After"), "1")
            self.assertEqual((len(silent.asked), len(silent.cancelled)), (count, count))
        self.assertEqual(self.running.server.parts.capacity.in_flight, 0)
        self.assertEqual(self.upstream.connections, 0)

    async def test_authorize(self):
        silent = Silent()
        self.start(OK, server={"limits": LIMITS}, authorize=silent, max_in_flight=1)
        await self.assert_given_up(silent)

    async def test_forward_headers(self):
        silent = Silent()
        self.start(OK, server={"limits": LIMITS}, forward_headers=silent, max_in_flight=1)
        await self.assert_given_up(silent)

    async def test_an_authenticator(self):
        silent = SilentAuthenticator()
        server = {"limits": LIMITS, "authenticator": silent, "require_auth": True}
        self.start(OK, server=server, max_in_flight=1)
        await self.assert_given_up(silent)

    async def test_an_authenticator_before_a_plain_route(self):
        silent = SilentAuthenticator()
        server = {"limits": LIMITS, "authenticator": silent, "require_auth": True}
        self.start(OK, server=server)
        self.running.server.router.route("/plain")(lambda request: b"plain")
        answer = await self.post(method="GET", body=None, path="/api/v1/plain")
        self.assert_refused(answer, 503, "UNAVAILABLE")
        self.assertEqual(len(silent.cancelled), 1)

    async def test_a_browser_that_does_not_wait(self):
        """The callable is cancelled as it leaves."""
        silent = Silent()
        self.start(OK, authorize=silent)
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        await eventually(lambda: silent.asked, 2.0)
        client.abort()
        await eventually(lambda: silent.cancelled, 2.0)
        self.assertEqual(self.running.server.parts.capacity.in_flight, 0)
