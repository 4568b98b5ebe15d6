"""Upstream response to browser: bytes as they come, honest endings."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH

from naap_twisted.errors import UpstreamCut, UpstreamStatus
from naap_twisted.model import Target
from naap_twisted.route.relay import refuse_with, relay, response_fields
from naap_twisted.route.request_headers import injected_headers
from naap_twisted.route.response_headers import ResponseRewrite
from naap_twisted.route.scrub import Guard
from naap_twisted.spend.tokens import USUAL_MEMBERS, Tokens
from tests.support import FakeRequest

TARGET = Target("https", "api.example.com", 443, "/v1")
GUARD = Guard(injected_headers({"Authorization": "Bearer sk-123456789"}))
REWRITE = ResponseRewrite(("Retry-After", "Link"), ())


class Browser(FakeRequest):
    """A request whose flow control and abort are noted."""

    def __init__(self):
        super().__init__(b"POST")
        self.producer = None
        self.aborted = False

    def registerProducer(self, producer, streaming):
        assert streaming and self.producer is None
        self.producer = producer

    def unregisterProducer(self):
        self.producer = None

    def abort(self):
        self.aborted = True


class Response:
    """An upstream's response, fed by the test; its own body transport."""

    def __init__(self, code=200, headers=(), length=UNKNOWN_LENGTH):
        self.code = code
        self.length = length
        self.headers = Headers()
        for name, value in headers:
            self.headers.addRawHeader(name, value)
        self.body = None
        self.said = []

    def deliverBody(self, protocol):
        self.body = protocol
        protocol.makeConnection(self)

    def end(self, reason):
        self.body.connectionLost(Failure(reason))

    def pauseProducing(self):
        self.said.append("pause")

    def resumeProducing(self):
        self.said.append("resume")

    def loseConnection(self):
        self.said.append("lose")


class RelayCase(SynchronousTestCase):
    def begin(self, carry, response):
        self.browser = Browser()
        self.response = response
        self.clock = Clock()
        carried = carry(self.browser, response, TARGET, REWRITE, GUARD, self.clock)
        return Deferred.fromCoroutine(carried)


class Fields(SynchronousTestCase):
    def test_ours(self):
        """Our own response's raw fields are taken as they are."""
        response = Response()
        response.fields = [(b"b", b"1"), (b"a", b"2")]
        self.assertIs(response_fields(response), response.fields)

    def test_any(self):
        """Of any other IResponse: lower-case names, one pair a line."""
        response = Response(headers=[("Link", "a"), ("LINK", "b"), ("X-A", "c")])
        self.assertEqual(
            response_fields(response), [(b"link", b"a"), (b"link", b"b"), (b"x-a", b"c")]
        )


class Relay(RelayCase):
    def test_passage(self):
        """Each piece goes on when it comes; the end of the one is the end of the other."""
        done = self.begin(relay, Response(201))
        self.assertEqual(self.browser.code, 201)
        self.assertTrue(self.browser.relayed)
        for sofar, piece in ((b"", b"one"), (b"one", b"two")):
            self.assertEqual(b"".join(self.browser.written), sofar)
            self.response.body.dataReceived(piece)
        self.assertNoResult(done)
        self.response.end(ResponseDone())
        self.assertEqual(b"".join(self.browser.written), b"onetwo")
        self.assertEqual(self.browser.finished, 1)
        self.assertIsNone(self.browser.producer)
        self.successResultOf(done)
        self.assertIn("relay", self.browser.record.phases)

    def test_head_goes_first(self):
        """The browser has the head before the first byte of the body is there."""
        self.begin(relay, Response())
        self.assertEqual(self.browser.written, [b""])

    def test_headers(self):
        """Repeated ones stay so; a relayed document has no rights; the length is kept."""
        self.begin(relay, Response(200, [("Link", "a"), ("Link", "b"), ("Server", "x")], 6))
        raw = self.browser.responseHeaders.getRawHeaders
        self.assertEqual(raw("link"), ["a", "b"])
        self.assertIsNone(raw("server"))
        self.assertEqual(raw("content-length"), ["6"])
        self.assertIsNone(raw("content-type"))
        self.assertEqual(raw("x-content-type-options"), ["nosniff"])
        self.assertEqual(raw("content-security-policy"), ["sandbox; default-src 'none'"])

    def test_length(self):
        """None where the upstream announced none, nor where there can't be a body."""
        for code, length, sent in [
            (200, 0, ["0"]),
            (200, UNKNOWN_LENGTH, None),
            (204, 0, None),
            (304, 10, None),
        ]:
            with self.subTest(code=code, length=length):
                self.begin(relay, Response(code, (), length))
                raw = self.browser.responseHeaders.getRawHeaders("content-length")
                self.assertEqual(raw, sent)

    def test_exposed(self):
        """Names are listed for pages only: where the CORS layer let one in."""
        for cors in (True, False):
            with self.subTest(cors=cors):
                browser = Browser()
                if cors:
                    browser.setHeader("access-control-allow-origin", "*")
                response = Response(headers=[("Link", "a"), ("Retry-After", "1")])
                Deferred.fromCoroutine(relay(browser, response, TARGET, REWRITE, GUARD, Clock()))
                expected = ["X-Request-ID", "Link", "Retry-After"] if cors else []
                self.assertEqual(browser.sent_list("access-control-expose-headers"), expected)

    def test_exposed_limits(self):
        """What our side lets the page read, it may go on reading: a rate limit's word, say."""
        browser = Browser()
        browser.setHeader("access-control-allow-origin", "*")
        ours = "X-Request-ID, RateLimit, RateLimit-Policy"
        browser.setHeader("access-control-expose-headers", ours)
        response = Response(headers=[("Link", "a")])
        Deferred.fromCoroutine(relay(browser, response, TARGET, REWRITE, GUARD, Clock()))
        expected = ["X-Request-ID", "RateLimit", "RateLimit-Policy", "Link"]
        self.assertEqual(browser.sent_list("access-control-expose-headers"), expected)

    def test_tokens(self):
        """Read along where asked for, before the browser's end; what passes is the same."""
        for members, tokens in ((USUAL_MEMBERS, Tokens(input=1, output=2)), (None, None)):
            with self.subTest(tokens=tokens):
                browser = Browser()
                response = Response(headers=[("Content-Type", "application/json")])
                carried = relay(browser, response, TARGET, REWRITE, GUARD, Clock(), tokens=members)
                done = Deferred.fromCoroutine(carried)
                body = b'{"usage": {"prompt_tokens": 1, "completion_tokens": 2}}'
                response.body.dataReceived(body[:20])
                response.body.dataReceived(body[20:])
                response.end(ResponseDone())
                self.successResultOf(done)
                self.assertEqual(b"".join(browser.written), body)
                self.assertEqual(browser.record.model_tokens, tokens)
                self.assertEqual(browser.record.answer_text, len(body) if members else 0)

    def test_redacted(self):
        """Of good answers what is text, in any of its names, where asked for; of errors all."""
        said = b"<sk-123456789>"
        for code, kind, redact, redacted in [
            (200, "text/plain", True, True),
            (200, "Application/JSON; charset=utf-8", True, True),
            (200, "application/problem+json", True, True),
            (200, "application/x-ndjson", True, True),
            (200, "application/atom+xml", True, True),
            (200, "application/xml", True, True),
            (200, "application/x-www-form-urlencoded", True, True),
            (200, "application/octet-stream", True, False),
            (200, "image/png", True, False),
            (200, "text/plain", False, False),
            (400, "image/png", False, True),
        ]:
            with self.subTest(code=code, kind=kind, redact=redact):
                browser, response = Browser(), Response(code, [("Content-Type", kind)])
                carried = relay(browser, response, TARGET, REWRITE, GUARD, Clock(), redact=redact)
                done = Deferred.fromCoroutine(carried)
                response.body.dataReceived(said[:7])
                response.body.dataReceived(said[7:])
                response.end(ResponseDone())
                self.successResultOf(done)
                expected = b"<[redacted]>" if redacted else said
                self.assertEqual(b"".join(browser.written), expected)

    def test_close_delimited(self):
        """A body that ends with its connection is complete where HTTP says so."""
        done = self.begin(relay, Response())
        self.response.end(PotentialDataLoss())
        self.assertFalse(self.browser.aborted)
        self.successResultOf(done)

    def test_cut(self):
        """A cut reply is never a complete reply: the browser's connection is aborted."""
        for reason in (UpstreamCut("cut"), ConnectionLost(), ResponseFailed([])):
            with self.subTest(reason=reason):
                done = self.begin(relay, Response())
                self.response.body.dataReceived(b"half")
                self.response.end(reason)
                self.assertTrue(self.browser.aborted)
                self.assertEqual(self.browser.finished, 0)
                self.assertEqual(self.browser.record.outcome, "upstream_cut")
                self.failureResultOf(done, UpstreamCut)

    def test_flow_control(self):
        """A browser that does not read stops the upstream; when it reads, on it goes."""
        self.begin(relay, Response())
        self.browser.producer.pauseProducing()
        self.browser.producer.resumeProducing()
        self.assertEqual(self.response.said, ["pause", "resume"])

    def test_browser_leaves(self):
        """The upstream exchange ends with it, once, and the late end of its body is no news."""
        done = self.begin(relay, Response())
        self.browser.producer.stopProducing()
        done.cancel()
        self.assertEqual(self.response.said, ["lose"])
        self.failureResultOf(done, CancelledError)
        self.response.end(ConnectionLost())
        self.assertEqual(self.browser.record.outcome, "ok")
        self.assertFalse(self.browser.aborted)


class Refuse(RelayCase):
    def refusal(self, *pieces, code=429, headers=()):
        done = self.begin(refuse_with, Response(code, headers))
        for piece in pieces:
            self.response.body.dataReceived(piece)
        self.response.end(ResponseDone())
        return self.failureResultOf(done, UpstreamStatus).value

    def test_envelope(self):
        """The upstream's status, and what it said."""
        error = self.refusal(b'{"error":', b' "slow down"}')
        self.assertEqual(error.http_status, 429)
        self.assertEqual(error.code, "UPSTREAM_ERROR")
        self.assertEqual(error.message, 'External API returned 429: {"error": "slow down"}')
        self.assertFalse(self.browser.relayed)

    def test_cut(self):
        """Half a reason is better than none: the status stands."""
        done = self.begin(refuse_with, Response(500))
        self.response.body.dataReceived(b"half")
        self.response.end(ConnectionLost())
        error = self.failureResultOf(done, UpstreamStatus).value
        self.assertEqual(error.message, "External API returned 500: half")

    def test_late(self):
        """What is there after two seconds is all; who is told leaves no timer behind."""
        done = self.begin(refuse_with, Response(429))
        self.response.body.dataReceived(b"slow")
        self.clock.advance(1.9)
        self.assertNoResult(done)
        self.clock.advance(0.2)
        error = self.failureResultOf(done, UpstreamStatus).value
        self.assertEqual(error.message, "External API returned 429: slow")
        self.assertEqual(self.response.said, ["lose"])
        self.response.body.dataReceived(b" down")
        self.response.end(ConnectionLost())
        self.refusal(b"in time")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_charset(self):
        """As it was declared."""
        headers = [("Content-Type", "text/plain; charset=ISO-8859-1")]
        error = self.refusal("trop tôt".encode("latin-1"), headers=headers)
        self.assertEqual(error.message, "External API returned 429: trop tôt")

    def test_capped(self):
        """The text is cut at 2048 bytes, and the rest is not waited for."""
        done = self.begin(refuse_with, Response(500))
        self.response.body.dataReceived(b"x" * 2047)
        self.assertNoResult(done)
        self.response.body.dataReceived(b"yz" * 100)
        error = self.failureResultOf(done, UpstreamStatus).value
        self.assertEqual(error.message, "External API returned 500: " + "x" * 2047 + "y")
        self.assertEqual(self.response.said, ["lose"])
        self.response.body.dataReceived(b"late")
        self.response.end(ConnectionLost())

    def test_scrubbed(self):
        """Control characters become spaces, NULs nothing; the injected key, cut or not, is gone."""
        error = self.refusal(b"a\x00\x1b[31m\r\nb \xff Incorrect key: sk-123", b"456789.")
        self.assertEqual(
            error.message,
            "External API returned 429: a [31m  b \ufffd Incorrect key: [redacted].",
        )

    def test_headers(self):
        """Exposed headers come along, so that a client knows when to retry; others do not."""
        self.refusal(
            b"", headers=[("Retry-After", "3"), ("ETag", "x"), ("Content-Type", "text/html")]
        )
        self.assertEqual(self.browser.sent("retry-after"), "3")
        self.assertIsNone(self.browser.sent("etag"))
        self.assertIsNone(self.browser.sent("content-type"))

    def test_browser_leaves(self):
        """Nobody reads the reason: the upstream exchange ends."""
        done = self.begin(refuse_with, Response(500))
        done.cancel()
        self.assertEqual(self.response.said, ["lose"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.failureResultOf(done, CancelledError)
