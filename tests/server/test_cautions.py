"""Lines for the start and for ``check``."""

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.server.cautions import as_root

KEY = {"Authorization": "Bearer sk-canary"}


class RouteTests(SynchronousTestCase):
    def cautions(self, host="0.0.0.0", networks=(), **route):
        """Those of a server without auth that has one route."""
        server = create_plugin_server(
            "s", host=host, require_auth=False, reactor=MemoryReactorClock()
        )
        options = {"authorize": "anyone", "forward_headers": KEY, **route}
        proxy = create_external_proxy(
            allowed_hosts=["api.example.com"], allow_networks=networks, **options
        )
        server.mount("/a", proxy)
        return server.cautions()

    def test_anyone(self):
        """A key, anyone, and other machines: all three, and the route and the place are named."""
        (line,) = self.cautions()
        for word in ("/api/v1/a", "Authorization", "tcp:4000:interface=0.0.0.0", "cors_origins"):
            self.assertIn(word, line)
        self.assertNotIn("canary", line)
        self.assertEqual(self.cautions(host="127.0.0.1"), [])
        self.assertEqual(self.cautions(forward_headers=None), [])
        self.assertEqual(self.cautions(authorize=lambda request: True), [])

    def test_networks(self):
        """What callers can reach that is not public."""
        (line,) = self.cautions(host="127.0.0.1", networks=["10.0.0.0/8"])
        self.assertIn("not public: 10.0.0.0/8", line)


class RootTests(SynchronousTestCase):
    def test_root(self):
        """Root, and nobody else."""
        (line,) = as_root(0)
        self.assertIn("--uid", line)
        self.assertEqual(as_root(1000), [])
