"""Embedded upstreams leave the log to the proxy, and compare the key as a whole."""

from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.static import Data
from twisted.web.test.requesthelper import DummyRequest

from naap_twisted.demo.upstream import UpstreamSite, new_authorization, presents
from naap_twisted.secret import Secret

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


def request_with(*values):
    request = DummyRequest([b""])
    if values:
        request.requestHeaders.setRawHeaders(b"authorization", list(values))
    return request


class Credentials(SynchronousTestCase):
    def test_new_at_each_start(self):
        """Two starts never share a key, and a key does not show itself."""
        first, second = new_authorization(), new_authorization()
        self.assertNotEqual(first, second)
        self.assertTrue(first.reveal().startswith(b"Bearer demo-"))
        self.assertNotIn(first.reveal().decode(), f"{first!r} {first}")

    def test_presented(self):
        """Only the exact value, exactly once, passes."""
        expected = Secret("Bearer right")
        cases = [
            ((b"Bearer right",), True),
            ((b"Bearer wrong",), False),
            ((b"Bearer rightx",), False),
            ((b"Bearer",), False),
            ((b"",), False),
            ((), False),
            ((b"Bearer right", b"Bearer right"), False),
        ]
        for values, verdict in cases:
            self.assertIs(presents(request_with(*values), expected), verdict, values)
