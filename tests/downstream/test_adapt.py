"""Our resources on Twisted's own Site."""

from __future__ import annotations

from klein import Klein
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer
from zope.interface.verify import verifyObject

from naap_twisted import User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.downstream.adapt import AdaptedRequest, AnySite
from naap_twisted.downstream.site import DownstreamSite
from naap_twisted.errors import Forbidden
from naap_twisted.interfaces import IDownstreamRequest, IHeadResource
from tests.spine import JSON, TARGET, ask_site, connect, make_spine, request_bytes


@implementer(IHeadResource)
class Head(Resource):
    """Calls *act* with the request it gets."""

    isLeaf = True

    def __init__(self, act):
        super().__init__()
        self.act = act
        self.got = None

    def render(self, request):
        self.got = request
        self.act(request)
        return NOT_DONE_YET


def site_of(resource):
    return Site(resource, reactor=MemoryReactorClock())


class Adapted(SynchronousTestCase):
    def ask(self, act, body=b"abc"):
        self.head = Head(act)
        return ask_site(site_of(AnySite(self.head, bool)), "POST", "/a?b=c", [JSON], body)

    def test_interface(self):
        """It provides what our resources expect of a request."""
        self.ask(lambda request: request.finish())
        self.assertIsInstance(self.head.got, AdaptedRequest)
        self.assertTrue(verifyObject(IDownstreamRequest, self.head.got))

    def test_delegates(self):
        """What it does not know itself is the stock request's, reading and writing."""
        seen = []

        def act(request):
            seen.append((request.method, request.path, request.args))
            request.prepath = [b"x"]
            seen.append(request._original.prepath)
            request.setResponseCode(201)
            request.setHeader(b"x-a", b"b")
            request.write(b"done")
            request.finish()
            request.finish()

        answer = self.ask(act)
        self.assertEqual(seen, [(b"POST", b"/a", {b"b": [b"c"]}), [b"x"]])
        self.assertEqual((answer.code, answer.body, answer.header("x-a")), (201, b"done", "b"))
        self.assertEqual(self.head.got.record.bytes_out, 4)

    def test_body(self):
        """The body is here already: complete, of known length, and still in ``content``."""
        for body in (b"abc", b""):
            got = []

            def act(request, got=got):
                request.body.collect(10).addCallback(got.append)
                got += [request.body.length, request.body.complete, request.content.read()]
                request.finish()

            self.ask(act, body)
            self.assertEqual(sorted(got, key=str), sorted([body, len(body), True, body], key=str))

    def test_refuse(self):
        """The contract's answer; recorded."""
        answer = self.ask(lambda request: request.refuse(Forbidden(reason="because")))
        self.assertEqual(answer.error, (403, "FORBIDDEN"))
        record = self.head.got.record
        self.assertEqual((record.outcome, record.reason), ("FORBIDDEN", "because"))

    def test_refuse_too_late(self):
        """Once a head is out, a refusal cuts; once the answer is out, it does nothing."""

        def act(request):
            request.setHeader(b"content-length", b"10")
            request.write(b"half")
            request.refuse(Forbidden())

        transport = connect(site_of(AnySite(Head(act), bool)))
        transport.protocol.dataReceived(request_bytes("GET", "/", (), None))
        self.assertTrue(transport.aborted)
        self.assertNotIn(b"FORBIDDEN", transport.value())

        def ended(request):
            request.finish()
            request.refuse(Forbidden())

        self.assertEqual(self.ask(ended).code, 200)

    def test_too_late(self):
        """A browser that has left gets nothing, and nobody an error."""
        head = Head(lambda request: None)
        transport = connect(site_of(AnySite(head, bool)))
        transport.protocol.dataReceived(request_bytes("GET", "/", (), None))
        transport.protocol.connectionLost(Failure(ConnectionLost()))
        head.got.finish()
        head.got.refuse(Forbidden())
        self.assertEqual(transport.value(), b"")

    def test_head_resource_must_not_return(self):
        """A head resource that returns its answer is a bug that shows."""

        @implementer(IHeadResource)
        class Wrong(Resource):
            isLeaf = True

            def render(self, request):
                return b"answer"

        def act(request):
            with self.assertRaises(RuntimeError):
                request.render(Wrong())
            request.finish()

        self.assertEqual(self.ask(act).code, 200)


class WholeServer(SynchronousTestCase):
    def test_beside_others(self):
        """Below a user's own root, with a proxy, a Klein route and its body, and the user."""
        spine = make_spine(
            {"require_auth": True, "authenticator": StaticTokens({"token-a": User("ada")})},
            stock=True,
        )

        @spine.server.router.route("/who", methods=["POST"])
        def who(request):
            return spine.server.user(request).id.encode() + request.content.read()

        ada = ("Authorization", "Bearer token-a")
        self.assertEqual(spine.ask().error, (401, "UNAUTHORIZED"))
        self.assertEqual(spine.ask(headers=[JSON, ada]).body, b'{"ok": true}')
        answer = ask_site(spine.site, "POST", "/api/v1/who", [ada], b"!")
        self.assertEqual(answer.body, b"ada!")

    def test_handler_raises(self):
        """A handler's bug is a 500 that says nothing, here too."""
        spine = make_spine(stock=True, forward_headers=lambda request: {}["sk-canary"])
        answer = spine.ask()
        self.assertEqual(answer.error, (500, "INTERNAL_ERROR"))
        self.assertNotIn(b"sk-canary", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_inside_our_own_site(self):
        """A server's resource inside another server, also behind Klein, has its body once."""
        app = Klein()
        app.route("/", branch=True)(lambda request: inner.server.resource())
        for wrap in (lambda resource: resource, lambda resource: app.resource()):
            inner, outer = make_spine(), make_spine({"base_path": "/outer"})
            outer.server.root_children[b"api"] = wrap(inner.server.resource())
            inner.path, inner._site = "/api/v1/x", outer.site
            self.assertEqual(inner.ask(body=b"[1]").code, 200)
            self.assertEqual(inner.sent.body, b"[1]")

    def test_as_a_child(self):
        """Hung into somebody's tree, it answers for the whole path, Klein routes included."""
        spine = make_spine()
        spine.server.router.route("/who")(lambda request: b"me")
        root = Resource()
        for name in (b"api", b"healthz"):
            root.putChild(name, spine.server.resource())
        for site in (site_of(root), DownstreamSite(root, reactor=MemoryReactorClock())):
            self.assertEqual(ask_site(site, "GET", "/api/v1/who").body, b"me")
            self.assertEqual(ask_site(site, "GET", "/healthz").json["status"], "ok")

    def test_browser_leaves(self):
        """The upstream's answer, when it comes, finds nobody, and that is no error."""
        spine = make_spine(stock=True)
        spine.upstream.silent = True
        transport = connect(spine.site)
        head = [JSON, ("X-Target-URL", TARGET)]
        transport.protocol.dataReceived(request_bytes("POST", spine.path, head, b"{}"))
        self.assertEqual(len(spine.upstream.seen), 1)
        transport.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(transport.value(), b"")

    def test_klein_application_around(self):
        """As a branch of somebody's own Klein application."""
        app = Klein()
        spine = make_spine()
        app.route("/", branch=True)(lambda request: spine.server.resource())
        answer = ask_site(site_of(app.resource()), "GET", "/healthz")
        self.assertEqual((answer.code, answer.json["status"]), (200, "ok"))
