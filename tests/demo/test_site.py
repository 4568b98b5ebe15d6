"""Embedded upstreams leave the log to the proxy."""

from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.static import Data

from naap_twisted.demo.site import UpstreamSite

from .loopback import call, serve


class Silent(TestCase):
    async def test_no_lines(self):
        """Neither starting nor a request is logged."""
        seen = []
        globalLogPublisher.addObserver(seen.append)
        self.addCleanup(globalLogPublisher.removeObserver, seen.append)
        page = Data(b"x", "text/plain")
        page.isLeaf = True
        base = serve(self, UpstreamSite(page))
        response = await call("GET", base + "/")
        self.assertEqual(await response.content(), b"x")
        # What is left is the port's own line and the client's.
        lines = [formatEvent(event) for event in seen]
        self.assertEqual([line for line in lines if "GET /" in line], [])
        self.assertEqual([line for line in lines if "factory <naap_twisted" in line], [])
