"""One bounded GET."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import PotentialDataLoss

from naap_twisted.auth.fetch import Fetch, FetchFailed, check_url, is_local
from naap_twisted.errors import ConfigError
from tests.auth.support import FakeAgent

URL = "http://localhost:3000/me"


class FetchCase(SynchronousTestCase):
    def setUp(self):
        self.agent, self.clock = FakeAgent(), Clock()
        self.fetch = Fetch(self.clock, timeout=5.0, limit=10, agent=self.agent)

    def get(self, **headers):
        return Deferred.fromCoroutine(self.fetch.get(URL, headers))

    def assertFailed(self, answer, text):
        error = self.failureResultOf(answer, FetchFailed).value
        self.assertIn(text, str(error))
        self.assertNotIn("localhost", str(error))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Answers(FetchCase):
    def test_whole(self):
        """Status and body; the headers went out."""
        answer = self.get(Authorization=b"Bearer t")
        ((method, url, headers),) = self.agent.requests
        self.assertEqual((method, url), (b"GET", URL.encode()))
        self.assertEqual(headers.getRawHeaders("Authorization"), ["Bearer t"])
        self.agent.answer(200, b"0123456789")
        self.assertEqual(self.successResultOf(answer), (200, b"0123456789"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_length(self):
        """The connection's end is the body's."""
        answer = self.get()
        self.agent.head(200).body(b"{}", PotentialDataLoss())
        self.assertEqual(self.successResultOf(answer), (200, b"{}"))

    def test_redirect(self):
        """Is an answer like any other, followed by nobody."""
        answer = self.get()
        self.agent.answer(302, b"", ("Location", "http://evil.example/"))
        self.assertEqual(self.successResultOf(answer), (302, b""))
        self.assertEqual(len(self.agent.requests), 1)

    def test_cookies(self):
        """A cookie set by one answer is not in the next request."""
        for _ in range(2):
            answer = self.get()
            self.agent.answer(200, b"", ("Set-Cookie", "a=b; Path=/"))
            self.successResultOf(answer)
        self.assertFalse(self.agent.requests[1][2].hasHeader("Cookie"))


class Forms(FetchCase):
    def test_post(self):
        """A form goes out, and its answer is bounded as any other."""
        answer = Deferred.fromCoroutine(self.fetch.post(URL, {"a": b"1&", "b": "\u00e4"}))
        ((method, url, headers),) = self.agent.requests
        self.assertEqual((method, url), (b"POST", URL.encode()))
        kind = headers.getRawHeaders("content-type")
        self.assertEqual(kind, ["application/x-www-form-urlencoded"])
        self.agent.answer(200, b"x" * 11)
        self.assertFailed(answer, "a body over 10 bytes")

    def test_late(self):
        """So is its time; no part of the form is in the words."""
        answer = Deferred.fromCoroutine(self.fetch.post(URL, {"secret": b"canary"}))
        self.clock.advance(5.0)
        self.assertFailed(answer, "")
        self.assertEqual(len(self.agent.requests), 1)


class Leaving(SynchronousTestCase):
    def test_while_it_connects(self):
        """The socket closes in the next turn; see naap_twisted/upstream/attempts.py."""
        reactor = MemoryReactorClock()
        answer = Deferred.fromCoroutine(Fetch(reactor).get("http://127.0.0.1:9/me", {}))
        (connector,) = reactor.connectors
        answer.cancel()
        self.failureResultOf(answer, FetchFailed)
        self.assertFalse(connector.stoppedConnecting)
        reactor.advance(0)
        self.assertTrue(connector.stoppedConnecting)
        self.assertEqual(reactor.getDelayedCalls(), [])


class Failures(FetchCase):
    def test_too_large(self):
        """Ends the connection at the byte over the limit."""
        answer = self.get()
        response = self.agent.head(200)
        response.protocol.dataReceived(b"0123456789")
        self.assertNoResult(answer)
        response.protocol.dataReceived(b"x")
        self.assertFailed(answer, "10 bytes")
        self.assertTrue(response.transport.disconnecting)
        response.body(b"more")

    def test_broken(self):
        """No connection, or one that ends too early."""
        answer = self.get()
        self.agent.fail(ConnectionRefusedError())
        self.assertFailed(answer, "ConnectionRefusedError")
        answer = self.get()
        self.agent.head(200).body(b"{", ConnectionLost())
        self.assertFailed(answer, "broke off")

    def test_deadline(self):
        """One for all of it: a body that drips does not extend it."""
        answer = self.get()
        self.clock.advance(4.9)
        response = self.agent.head(200)
        response.protocol.dataReceived(b"1")
        self.assertNoResult(answer)
        self.clock.advance(0.1)
        self.assertFailed(answer, "TimeoutError")
        self.assertTrue(response.transport.disconnecting)

    def test_deadline_of_the_head(self):
        """The request itself is cancelled."""
        answer = self.get()
        self.clock.advance(5.0)
        self.assertFailed(answer, "TimeoutError")
        self.assertTrue(self.agent.waiting[0].called)

    def test_not_a_deadline(self):
        """Whoever cancels from outside gets an end, not a hang."""
        answer = self.get()
        answer.cancel()
        self.failureResultOf(answer, FetchFailed, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Trust(SynchronousTestCase):
    def test_ca_file(self):
        """A file that is none is found at the start."""
        self.assertRaises(ConfigError, Fetch, Clock(), ca_file=__file__)


class Urls(SynchronousTestCase):
    def test_taken(self):
        """The operator's own, loopback http included."""
        for url in ("https://id.example/k?x=1", "https://[::1]:8/", "http://localhost:3000/me"):
            check_url(url, cleartext=False)
        check_url("http://auth:3000/me", cleartext=True)

    def test_refused(self):
        """No URL, user info, fragments, other schemes; http over the net where it may not be."""
        for url in (
            *("", "x", "//h/", "ftp://h/", "file:///etc/passwd", "https://", "https:///p"),
            *("https://u:p@h/", "https://h/#f", "https://h:x/", "https://h/ a", "https://é/"),
            *("https://h/\r\nX: y", "https://[::1/"),
        ):
            with self.subTest(url=url):
                self.assertRaises(ValueError, check_url, url, cleartext=True)
        for url in ("http://id.example/k", "http://localhost.evil.example/", "http://10.0.0.1/"):
            self.assertRaises(ValueError, check_url, url, cleartext=False)

    def test_local(self):
        """Exact hosts."""
        for url, local in (
            ("http://127.0.0.1:1/", True),
            ("http://127.0.0.1.evil.example/", False),
        ):
            self.assertIs(is_local(url), local)
