"""The way out behind Twisted's and treq's interfaces, and treq's client as a way out."""

import json

import treq
from attrs import evolve
from treq.testing import StubTreq
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent
from twisted.web.resource import Resource
from zope.interface.verify import verifyObject

from naap_twisted.errors import ConfigError, HostNotAllowed, InvalidTarget, SchemeNotAllowed
from naap_twisted.framing.head import ResponseHead
from naap_twisted.interfaces import IUpstream
from naap_twisted.policy.egress import EgressPolicy
from naap_twisted.secret import Secret
from naap_twisted.upstream.agent import (
    GuardedHTTPClient,
    TreqUpstream,
    VettedAgent,
    as_upstream,
)
from naap_twisted.upstream.response import UpstreamResponse
from tests.support import verify_protocol

from .support import outbound


class Recorder:
    """Answers with what the test put there; keeps what was sent."""

    def __init__(self, status=200, fields=(), body=b"ok"):
        self.sent = []
        self._answer = status, list(fields), body

    def send(self, request):
        self.sent.append(request)
        status, fields, body = self._answer
        head = ResponseHead(status=status, fields=fields, body_length=len(body), keep_alive=True)
        response = UpstreamResponse(head, lambda _: None, lambda: None)
        response.feed(body)
        response.end()
        return succeed(response)

    def close(self):
        return succeed(None)


class Case(SynchronousTestCase):
    def agent(self, **answer):
        self.upstream = Recorder(**answer)
        return VettedAgent(self.upstream, EgressPolicy(["api.example.com"]))


class Vetted(Case):
    def test_request(self):
        """What is sent is a vetted target, with the headers that are the caller's to set."""
        agent = self.agent()
        verifyObject(IAgent, agent)
        headers = Headers({"X-A": ["1", "2"], "Host": ["evil"], "Content-Length": ["9"]})
        headers.addRawHeader("Connection", "close")
        headers.addRawHeader("Transfer-Encoding", "chunked")
        done = agent.request(b"POST", b"https://api.example.com/a?b=c", headers)
        self.assertEqual(self.successResultOf(done).code, 200)
        (sent,) = self.upstream.sent
        self.assertEqual((sent.method, sent.target.target.path_and_query), (b"POST", "/a?b=c"))
        self.assertEqual(
            [(n.lower(), v) for n, v in sent.headers], [(b"x-a", b"1"), (b"x-a", b"2")]
        )

    def test_refused(self):
        """Nothing is sent where the policy says no."""
        for uri, error in (
            (b"https://evil.example/", HostNotAllowed),
            (b"http://api.example.com/", SchemeNotAllowed),
            (b"https://u:p@api.example.com/", InvalidTarget),
        ):
            agent = self.agent()
            self.failureResultOf(agent.request(b"GET", uri), error)
            self.assertEqual(self.upstream.sent, [])


class Guarded(Case):
    URL = "https://api.example.com/a"

    def test_under_treq(self):
        """treq's client works over it, bodies included."""
        client = GuardedHTTPClient(self.agent(body=b'{"a": 1}'))
        response = self.successResultOf(client.post(self.URL, json={"b": 2}))
        self.assertEqual(self.successResultOf(treq.json_content(response)), {"a": 1})
        self.assertIsNotNone(self.upstream.sent[0].body)

    def test_no_cookies(self):
        """What one answer sets, no later request carries."""
        client = GuardedHTTPClient(self.agent(fields=[(b"set-cookie", b"session=canary; Path=/")]))
        for _ in range(2):
            self.successResultOf(client.get(self.URL))
        for sent in self.upstream.sent:
            self.assertNotIn(b"cookie", [name.lower() for name, _ in sent.headers])

    def test_no_redirects(self):
        """A redirect is an answer like any other."""
        location = (b"location", b"https://api.example.com/b")
        client = GuardedHTTPClient(self.agent(status=302, fields=[location]))
        for call in (client.get, client.post, client.head):
            self.assertEqual(self.successResultOf(call(self.URL)).code, 302)
        self.assertEqual(len(self.upstream.sent), 3)


class Echo(Resource):
    """Answers with what it saw."""

    isLeaf = True

    def render(self, request):
        if request.path == b"/away":
            request.redirect(b"https://api.example.com/elsewhere")
            return b""
        seen = {
            "method": request.method.decode(),
            "uri": request.uri.decode(),
            "authorization": request.getHeader("authorization"),
            "cookie": request.getHeader("cookie"),
            "body": request.content.read().decode(),
        }
        request.addCookie("session", "canary")
        return json.dumps(seen).encode()


class ThroughTreq(SynchronousTestCase):
    def setUp(self):
        self.stub = StubTreq(Echo())
        self.upstream = TreqUpstream(self.stub)

    def ask(self, *args, **kwargs):
        done = self.upstream.send(outbound(*args, **kwargs))
        self.stub.flush()
        response = self.successResultOf(done)
        content = treq.content(response)
        self.stub.flush()
        return response, self.successResultOf(content)

    def test_interface(self):
        """It can stand where an upstream stands."""
        verify_protocol(IUpstream, self.upstream)
        self.assertIsNone(self.successResultOf(self.upstream.close()))

    def test_request_target(self):
        """A target with a key in it takes the place of the page's."""
        sealed = evolve(outbound(b"GET", url_path="/v1"), request_target=Secret("/v1?key=k"))
        done = self.upstream.send(sealed)
        self.stub.flush()
        content = treq.content(self.successResultOf(done))
        self.stub.flush()
        self.assertTrue(json.loads(self.successResultOf(content))["uri"].endswith("/v1?key=k"))

    def test_request(self):
        """Method, URL, headers with their secrets, and body arrive."""
        secret = Secret("Bearer k")
        _, body = self.ask(
            b"POST", headers=((b"Authorization", secret),), body=b"abc", url_path="/v1?a=b"
        )
        seen = json.loads(body)
        self.assertEqual((seen["method"], seen["body"]), ("POST", "abc"))
        self.assertTrue(seen["uri"].endswith("/v1?a=b"))
        self.assertEqual(seen["authorization"], "Bearer k")

    def test_redirect(self):
        """A redirect is relayed, not followed."""
        response, _ = self.ask(url_path="/away")
        self.assertEqual(response.code, 302)

    def test_what_can_be_a_way_out(self):
        """An IUpstream, or a treq client; anything else is told at once."""
        upstream = Recorder()
        self.assertIs(as_upstream(upstream), upstream)
        for client in (self.stub, GuardedHTTPClient(None)):
            self.assertIsInstance(as_upstream(client), TreqUpstream)
        for other in ("https://api.example.com", Recorder, GuardedHTTPClient, object()):
            error = self.assertRaises(ConfigError, as_upstream, other)
            self.assertIn("treq client", error.problems[0])
