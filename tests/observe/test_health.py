"""``GET /healthz``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from naap_twisted.errors import MethodNotAllowed, NotFound
from naap_twisted.interfaces import IHeadResource
from naap_twisted.observe.health import Health
from tests.spine import ask_site, make_server
from tests.support import FakeRequest


class HealthTests(SynchronousTestCase):
    def render(self, method=b"GET", postpath=()):
        request = FakeRequest(method)
        request.postpath = list(postpath)
        self.assertIs(Health("ai", Clock()).render(request), NOT_DONE_YET)
        return request

    def test_interface(self):
        """It answers at the end of the headers."""
        self.assertTrue(verifyObject(IHeadResource, Health("ai", Clock())))

    def test_answer(self):
        """Status, service, an ISO 8601 time in UTC and the uptime in seconds, without auth."""
        clock = Clock()
        clock.advance(1000)
        server = make_server(reactor=clock, require_auth=True)
        clock.advance(12.5)
        answer = ask_site(server.site(), "GET", "/healthz")
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.header("content-type"), "application/json")
        self.assertEqual(answer.header("cache-control"), "no-store")
        told = answer.json
        self.assertEqual(sorted(told), ["service", "status", "timestamp", "uptime"])
        self.assertEqual((told["status"], told["service"], told["uptime"]), ("ok", "spine", 12.5))
        age = datetime.now(UTC) - datetime.fromisoformat(told["timestamp"])
        self.assertLess(abs(age), timedelta(minutes=1))

    def test_head(self):
        """HEAD has the headers and no body."""
        answer = ask_site(make_server().site(), "HEAD", "/healthz")
        self.assertEqual((answer.code, answer.body), (200, b""))
        self.assertGreater(int(answer.header("content-length")), 0)

    def test_refused(self):
        """Other methods and paths below."""
        refused = self.render(b"POST").refused
        self.assertIsInstance(refused, MethodNotAllowed)
        self.assertEqual(dict(refused.headers), {b"Allow": b"GET, HEAD, OPTIONS"})
        self.assertIsInstance(self.render(postpath=[b"x"]).refused, NotFound)
        self.assertIsNone(self.render().refused)
