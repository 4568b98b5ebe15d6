"""The spine from end to end, in memory: what goes up, what comes back, what is refused where."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseNeverReceived

from naap_twisted import ConfigError, ExposeHeader, Secret, create_external_proxy
from naap_twisted.errors import BadGateway, Unavailable, UpstreamTimeout
from naap_twisted.model import Timeouts
from naap_twisted.upstream.agent import TreqUpstream
from tests.spine import JSON, TARGET, Scripted, begin, make_server, make_spine, read_answer

KEY = "Bearer sk-123456789"
BAD_GATEWAY = ((502, "BAD_GATEWAY"), "External proxy failed")
SDP = ("Content-Type", "application/sdp")


class Success(SynchronousTestCase):
    def test_seed_json(self):
        """The seed's first scenario: the key goes up, the answer comes back as it was."""
        spine = make_spine(forward_headers={"Authorization": KEY})
        spine.upstream.code = 201
        spine.upstream.body = b' {"a": 1}\n'
        answer = spine.ask(body=b'{"model": "gpt-4"}')
        self.assertEqual((answer.code, answer.body), (201, b' {"a": 1}\n'))
        self.assertEqual(answer.header("content-type"), "application/json")
        self.assertEqual((spine.sent.method, spine.sent.uri), ("POST", "/v1/chat"))
        self.assertEqual(spine.sent.body, b'{"model": "gpt-4"}')
        self.assertEqual(spine.sent.header("authorization"), KEY)
        self.assertEqual(spine.sent.header("host"), "api.example.com")

    def test_seed_sdp(self):
        """The seed's second scenario: text up and down, Location as X-WHIP-Resource."""
        spine = make_spine(
            content_type="application/sdp",
            target_url_header="X-WHIP-URL",
            expose_headers=[ExposeHeader("Location", "X-WHIP-Resource")],
        )
        spine.upstream.code, spine.upstream.body = 201, b"v=0\r\n"
        spine.upstream.headers = [("Location", "/whip/7"), SDP]
        answer = spine.ask(target=None, headers=[SDP, ("X-WHIP-URL", TARGET)], body=b"v=0")
        self.assertEqual((answer.code, answer.body), (201, b"v=0\r\n"))
        self.assertEqual(answer.header("content-type"), "application/sdp")
        self.assertEqual(answer.header("x-whip-resource"), "https://api.example.com/whip/7")
        exposed = answer.header("access-control-expose-headers").split(", ")
        self.assertIn("X-WHIP-Resource", exposed)

    def test_redirect(self):
        """Relayed as it is, never followed."""
        spine = make_spine()
        spine.upstream.code = 307
        spine.upstream.headers = [("Location", "https://evil.example/")]
        answer = spine.ask()
        self.assertEqual(answer.code, 307)
        self.assertEqual(answer.header("location"), "https://evil.example/")
        self.assertEqual(len(spine.upstream.seen), 1)

    def test_cookies(self):
        """The browser's do not go up, the upstream's do not come down."""
        spine = make_spine()
        spine.upstream.headers = [JSON, ("Set-Cookie", "a=b")]
        self.assertIsNone(spine.ask(headers=[JSON, ("Cookie", "c=d")]).header("set-cookie"))
        self.assertIsNone(spine.sent.header("cookie"))

    def test_request_id(self):
        """A sane one is kept, sent upstream and echoed."""
        spine = make_spine()
        answer = spine.ask(headers=[JSON, ("X-Request-ID", "abc-1")])
        self.assertEqual(answer.header("x-request-id"), "abc-1")
        self.assertEqual(spine.sent.header("x-request-id"), "abc-1")

    def test_forward_headers(self):
        """A mapping or a callable of the request, sync, async or Deferred; secrets too."""

        async def later(request):
            return {"X-Key": Secret(b"key of " + request.getHeader(b"x-who"))}

        for forward in (
            {"X-Key": "key of ada"},
            {"X-Key": Secret("key of ada")},
            lambda request: {"X-Key": b"key of " + request.getHeader(b"x-who")},
            later,
            lambda request: succeed({"X-Key": "key of ada"}),
        ):
            spine = make_spine(forward_headers=forward)
            self.assertEqual(spine.ask(headers=[JSON, ("X-Who", "ada")]).code, 200)
            self.assertEqual(spine.sent.header("x-key"), "key of ada")
        self.assertEqual(make_spine(forward_headers=lambda request: None).ask().code, 200)

    def test_phases(self):
        """Each step's time is recorded, in the spine's order."""
        spine = make_spine()
        seen = []
        spine.site.regime.observers = [lambda request: seen.append(request.record)]
        spine.ask()
        (record,) = seen
        self.assertEqual(list(record.phases), ["authorize", "body", "headers", "upstream", "relay"])
        self.assertTrue(all(seconds >= 0 for seconds in record.phases.values()))
        self.assertEqual(record.target, "https://api.example.com")
        self.assertEqual((record.upstream_status, record.outcome), (200, "ok"))

    def test_timeouts(self):
        """The route's deadlines go with what is sent."""
        upstream = Scripted(Deferred)
        begin(upstream, timeout=60, total_timeout="2m")
        self.assertEqual(upstream.sent[0].timeouts, Timeouts(10.0, 60.0, 300.0, 120.0))


class RefusedKey(SynchronousTestCase):
    """An upstream's 401 is about the key of this server, and its caller can't know that."""

    def lines(self, **options):
        spine = make_spine(**options)
        spine.upstream.code = 401
        with capturedLogs() as events:
            for _ in range(3):
                self.assertEqual(spine.ask().code, 401)
        return [event for event in events if "answers 401" in (event["log_format"] or "")]

    def test_told_once(self):
        """One warning, not one a call; it names the route and the header, and no value."""
        (event,) = self.lines(forward_headers={"Authorization": KEY})
        self.assertIs(event["log_level"], LogLevel.warn)
        line = formatEvent(event)
        self.assertIn("https://api.example.com answers 401 to /api/v1/x; is the key", line)
        self.assertIn("Authorization", line)
        self.assertNotIn("sk-123", line)

    def test_no_key(self):
        """Where the route adds none, the answer is about what the caller sent."""
        self.assertEqual(self.lines(), [])


class Refusals(SynchronousTestCase):
    def test_order(self):
        """Each step's refusal, though every later one would refuse too; nothing goes up."""
        spine = make_spine(
            authorize=lambda request: request.getHeader(b"x-ok") is not None, body_required=True
        )
        ok, text = ("X-OK", "1"), ("Content-Type", "text/plain")
        for asked, error in [
            ({"method": "PUT"}, (405, "METHOD_NOT_ALLOWED")),
            ({"target": None, "headers": [text], "body": b"{"}, (403, "FORBIDDEN")),
            ({"target": None, "headers": [ok, text], "body": b"{"}, (400, "MISSING_TARGET")),
            ({"target": "x", "headers": [ok, text], "body": b"{"}, (400, "INVALID_TARGET")),
            (
                {"target": "https://evil.com/", "headers": [ok, text], "body": b"{"},
                (400, "HOST_NOT_ALLOWED"),
            ),
            (
                {"target": "http://api.example.com/", "headers": [ok, text]},
                (400, "SCHEME_NOT_ALLOWED"),
            ),
            (
                {"target": "https://api.example.com:8443/", "headers": [ok, text]},
                (400, "PORT_NOT_ALLOWED"),
            ),
            ({"headers": [ok, text], "body": None}, (400, "BODY_REQUIRED")),
            ({"headers": [ok, text], "body": b"{"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
            ({"headers": [ok, JSON], "body": b"{"}, (400, "INVALID_JSON")),
            ({"headers": [ok, JSON], "body": b"1" * (1024**2 + 1)}, (413, "BODY_TOO_LARGE")),
        ]:
            with self.subTest(error=error):
                answer = spine.ask(**asked)
                self.assertEqual(answer.error, error)
                self.assertEqual(answer.header("content-type"), "application/json")
                self.assertEqual(answer.header("cache-control"), "no-store")
                self.assertEqual(answer.header("x-content-type-options"), "nosniff")
                self.assertIsNotNone(answer.header("x-request-id"))
                self.assertEqual(answer.header("access-control-allow-origin"), "*")
        self.assertEqual(spine.upstream.seen, [])

    def test_messages(self):
        """The contract's words, with the route's own header name."""
        spine = make_spine(target_url_header="X-New")
        for value, message in [
            ((), "Missing X-New header"),
            (("nonsense",), "Invalid URL in X-New header"),
            ((TARGET, TARGET), "Invalid URL in X-New header"),
            (("https://evil.com/?t=1",), 'Host "evil.com" is not in the allowed list'),
        ]:
            headers = [JSON, *(("X-New", url) for url in value)]
            self.assertEqual(spine.ask(target=None, headers=headers).message, message)

    def test_upstream_failures(self):
        """What the upstream side raises is the answer."""
        for error in (BadGateway(), UpstreamTimeout(), Unavailable()):
            upstream = Scripted(lambda error=error: fail(error))
            spine = make_spine()
            spine.proxy._upstream = upstream
            self.assertEqual(spine.ask().error, (error.http_status, error.code))

    def test_failures_of_a_treq_client(self):
        """Twisted's own failures are a gateway's too; they name nobody."""
        for error in (
            ConnectionRefusedError("192.0.2.9"),
            DNSLookupError("sk-canary"),
            ResponseNeverReceived([Failure(ConnectionLost("192.0.2.9"))]),
        ):
            client = SimpleNamespace(request=lambda *args, error=error, **options: fail(error))
            answer = read_answer(begin(TreqUpstream(client)).value())
            self.assertEqual((answer.error, answer.message), BAD_GATEWAY)

    def test_bugs(self):
        """A bug of ours or of a plugin's callable is a 500 that says nothing, and is logged."""

        def bug(request):
            raise KeyError("sk-canary")

        spine = make_spine(forward_headers=bug)
        with capturedLogs() as logs:
            answer = spine.ask()
        self.assertEqual(answer.error, (500, "INTERNAL_ERROR"))
        self.assertEqual(answer.message, "Internal error")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        critical = [event for event in logs if event["log_level"] is LogLevel.critical]
        self.assertEqual([event["route"] for event in critical], ["/api/v1/x"])

    def test_mounted_twice(self):
        """A proxy has one place."""
        server = make_server()
        proxy = create_external_proxy(allowed_hosts=["api.example.com"])
        server.mount("/x", proxy)
        with self.assertRaises(ConfigError) as caught:
            server.mount("/y", proxy)
        self.assertIn("mounted at /api/v1/x already", caught.exception.problems[0])


class UpstreamErrors(SynchronousTestCase):
    def ask(self, *, code=429, **options):
        spine = make_spine(forward_headers={"Authorization": KEY}, **options)
        spine.upstream.code = code
        spine.upstream.headers = [("Content-Type", "text/plain"), ("Retry-After", "3")]
        spine.upstream.body = b"slow down, sk-123456789"
        if "target" in options:
            return spine.ask(target=None, below="/chat")
        return spine.ask()

    def test_envelope(self):
        """The same status in the contract's envelope, the key scrubbed."""
        for code in (400, 401, 404, 429, 500, 503):
            answer = self.ask(code=code)
            self.assertEqual(answer.error, (code, "UPSTREAM_ERROR"))
            said = f"External API returned {code}: slow down, [redacted]"
            self.assertEqual(answer.message, said)

    def test_envelope_keeps_exposed_headers(self):
        """Retry-After comes along, readable, unless the route takes it out."""
        answer = self.ask(response_headers=["!Retry-After"])
        self.assertIsNone(answer.header("retry-after"))
        answer = self.ask()
        self.assertEqual(answer.header("retry-after"), "3")
        self.assertIn("Retry-After", answer.header("access-control-expose-headers"))

    def test_passthrough(self):
        """The upstream's own body and type, but for our key; the default of a pinned route."""
        for options in ({"errors": "passthrough"}, {"target": "https://api.example.com/v1"}):
            answer = self.ask(**options)
            self.assertEqual((answer.code, answer.body), (429, b"slow down, [redacted]"))
            self.assertEqual(answer.header("content-type"), "text/plain")

    def test_envelope_of_a_pinned_route(self):
        """A word overrides the default."""
        answer = self.ask(errors="envelope", target="https://api.example.com/v1")
        self.assertEqual(answer.error, (429, "UPSTREAM_ERROR"))


class Pinned(SynchronousTestCase):
    def test_join(self):
        """What follows the mount is sent below the base, byte for byte."""
        spine = make_spine(target="https://api.example.com/v1", methods=["GET"])
        for below, uri in [
            ("", "/v1"),
            ("/", "/v1/"),
            ("/chat/completions", "/v1/chat/completions"),
            ("/a%20b/%C3%A4?q=%2F&r=a+b", "/v1/a%20b/%C3%A4?q=%2F&r=a+b"),
            ("?q=1", "/v1?q=1"),
        ]:
            with self.subTest(below=below):
                answer = spine.ask("GET", target=None, headers=(), body=None, below=below)
                self.assertEqual(answer.code, 200)
                self.assertEqual(spine.sent.uri, uri)

    def test_no_way_out(self):
        """No spelling leaves the base."""
        spine = make_spine(target="https://api.example.com/v1", methods=["GET"])
        for below in ("/../admin", "/%2e%2e/admin", "/a/../../b", "/..%2fadmin", "/.%2e/x", "/\\x"):
            with self.subTest(below=below):
                answer = spine.ask("GET", target=None, headers=(), body=None, below=below)
                self.assertIn(answer.code, (400, 404))
        self.assertEqual(spine.upstream.seen, [])

    def test_encoded_mount(self):
        """A percent-encoded spelling of the mount's own path is no route."""
        spine = make_spine(target="https://api.example.com/v1", methods=["GET"])
        spine.path = "/api/v1/%78"
        answer = spine.ask("GET", target=None, headers=(), body=None, below="/chat")
        self.assertEqual(answer.error, (404, "NOT_FOUND"))
        self.assertEqual(spine.upstream.seen, [])


class Leaving(SynchronousTestCase):
    def test_browser_leaves(self):
        """The upstream exchange is cancelled at once."""
        cancelled = []
        upstream = Scripted(lambda: Deferred(cancelled.append))
        transport = begin(upstream)
        self.assertEqual(len(upstream.sent), 1)
        transport.abortConnection()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(transport.value(), b"")
