"""A request to the proxy's own site without a socket."""

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.admin.replay import replay
from naap_twisted.downstream.limits import DownstreamLimits
from tests.spine import make_server

PREFLIGHT = [
    ("Host", "127.0.0.1:4000"),
    ("Origin", "http://localhost:3000"),
    ("Access-Control-Request-Method", "POST"),
]


class ReplayTests(SynchronousTestCase):
    def test_answer(self):
        """Status and headers, as a browser would get them."""
        site = make_server().site()
        reply = replay(site, "GET", "/healthz", PREFLIGHT[:1])
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.values("content-type"), ["application/json"])
        reply = replay(site, "OPTIONS", "/healthz", PREFLIGHT)
        self.assertEqual(reply.status, 204)
        self.assertEqual(reply.listed("access-control-allow-methods"), ["GET", "HEAD", "OPTIONS"])
        self.assertEqual(reply.listed("x-nothing"), [])

    def test_nothing_stays(self):
        """No connection is left behind, whatever came of it."""
        site = make_server().site()
        for path in ("/healthz", "/nowhere", "not a path"):
            replay(site, "OPTIONS", path, PREFLIGHT)
            self.assertEqual((site.open, site._per_address, len(site.ticker)), (set(), {}, 0))

    def test_counts_nowhere(self):
        """A question of the console is no exchange: neither logged nor counted."""
        site = make_server().site()
        self.patch(site.regime, "observers", [lambda request: self.fail("observed")])
        self.assertEqual(replay(site, "OPTIONS", "/healthz", PREFLIGHT).status, 204)

    def test_secure(self):
        """As over TLS, where the proxy wants that."""
        site = make_server(https_redirect=True).site()
        self.assertEqual(replay(site, "GET", "/x", PREFLIGHT[:1]).status, 301)
        self.assertEqual(replay(site, "GET", "/x", PREFLIGHT[:1], secure=True).status, 404)

    def test_no_answer(self):
        """A handler that waits is not waited for, and hears that nobody does."""
        server = make_server(reactor=MemoryReactorClock())
        gone = []

        answer = Deferred(gone.append)

        @server.router.route("/waits", methods=["GET"])
        def waits(request):
            return answer

        self.assertIsNone(replay(server.site(), "GET", "/api/v1/waits", PREFLIGHT[:1]))
        self.assertEqual(len(gone), 1)

    def test_full(self):
        """Over the bound on connections there is no answer either."""
        site = make_server(limits=DownstreamLimits(connections=0)).site()
        self.assertIsNone(replay(site, "OPTIONS", "/healthz", PREFLIGHT))
