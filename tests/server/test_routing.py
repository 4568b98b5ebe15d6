"""Request path to resource: Klein's url map, asked at the end of the headers."""

from __future__ import annotations

from klein import Klein
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from werkzeug.exceptions import NotFound

from naap_twisted import ConfigError, User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.headers import PASSED
from naap_twisted.model import RouteCors
from tests.spine import JSON, TARGET, Upstream, ask_site, make_proxy, make_server, make_spine

PROXIED = [JSON, ("X-Target-URL", TARGET)]


class Page(Resource):
    """A stock resource that says how it was reached."""

    isLeaf = True

    def render_GET(self, request):
        return b"%s|%s" % (b"/".join(request.prepath), b"/".join(request.postpath))


class RoutingCase(SynchronousTestCase):
    def setUp(self):
        self.server = make_server(**self.options())
        self.upstream = Upstream()

    def options(self):
        return {}

    def mount(self, path, **options):
        self.server.mount(path, make_proxy(self.upstream, **options))

    def get(self, path, headers=(), method="GET"):
        return ask_site(self.server.site(), method, path, headers)

    def post(self, path, headers=PROXIED, method="POST", body=b"{}"):
        return ask_site(self.server.site(), method, path, headers, body)


class Proxies(RoutingCase):
    def test_exact(self):
        """A proxy answers at its path, a last slash more or less, and nowhere else."""
        self.mount("/a/x")
        for path, code in [
            ("/api/v1/a/x", 200),
            ("/api/v1/a/x?q=1", 200),
            ("/api/v1/a/%78", 200),
            ("/api/v1/a/x/", 200),
            ("/api/v1/a/x/y", 404),
            ("/api/v1/a/X", 404),
            ("/api/v1", 404),
            ("/api/v10/a/x", 404),
            ("/api/v1a/x", 404),
            ("/a/x", 404),
            ("/api/v1/a/x%00", 404),
            ("/api/v1/%ff", 404),
        ]:
            with self.subTest(path=path):
                self.assertEqual(self.post(path).code, code)

    def test_branch(self):
        """A pinned route answers at its path and below."""
        self.mount("/p", target="https://api.example.com/v1")
        for path, code in [
            ("/api/v1/p", 200),
            ("/api/v1/p/", 200),
            ("/api/v1/p/a/b", 200),
            ("/api/v1/p//a/b", 200),
            ("/api/v1/p/a%0Ab", 200),
            ("/api/v1/p/%ff", 200),
            ("/api/v1/p//../a", 400),
            ("/api/v1/pa", 404),
            ("/api/v1//p/a", 404),
            ("/api/v1/%70/a", 404),
        ]:
            with self.subTest(path=path):
                self.assertEqual(self.post(path, [JSON]).code, code)

    def test_branch_in_a_branch(self):
        """The one that is meant when slashes are taken for one; else nothing."""
        inner, klein = Upstream(), self.server.router
        inner.body = b'"inner"'
        self.mount("/p", target="https://api.example.com/v1")
        self.server.mount("/p/in", make_proxy(inner, target="https://api.example.com/v1/in"))
        self.mount("/p/by-header")
        klein.route("/p/page", methods=["POST"])(lambda request: b"page")
        for path, body in [
            ("/p/in/a", b'"inner"'),
            ("/p/in//a", b'"inner"'),
            ("/p//a", b'{"ok": true}'),
            ("/p/a//in", b'{"ok": true}'),
            ("/p//in/a", None),
            ("/p//in", None),
            ("/p//by-header", None),
            ("/p//page", None),
        ]:
            with self.subTest(path=path):
                answer = self.post("/api/v1" + path, [JSON])
                self.assertEqual(answer.code, 404 if body is None else 200)
                if body is not None:
                    self.assertEqual(answer.body, body)

    def test_doubled_slash(self):
        """Where the path is the whole name of a proxy, its one spelling is pointed to."""
        self.mount("/a/x")
        answer = self.post("/api/v1/a//x?q=1")
        self.assertEqual((answer.code, answer.header("location")), (308, "/api/v1/a/x?q=1"))
        self.assertEqual(answer.header("content-length"), "0")

    def test_two_on_one_path(self):
        """Different methods may be different proxies; the rest is 405, with all of Allow."""
        other = Upstream()
        other.body = b'"other"'
        self.mount("/x", methods=["POST"])
        self.server.mount("/x", make_proxy(other, methods=["DELETE", "PATCH"]))
        self.assertEqual(self.post("/api/v1/x").body, b'{"ok": true}')
        self.assertEqual(self.post("/api/v1/x", method="PATCH").body, b'"other"')
        answer = self.post("/api/v1/x", method="PUT")
        self.assertEqual(answer.error, (405, "METHOD_NOT_ALLOWED"))
        self.assertEqual(answer.header("allow"), "DELETE, OPTIONS, PATCH, POST")

    def test_mounted_twice(self):
        """One method of one path has one resource."""
        self.mount("/x", methods=["POST", "PUT"])
        self.mount("/x", methods=["DELETE"])
        for options in ({"methods": ["GET", "PUT"]}, {}):
            with self.assertRaises(ConfigError) as caught:
                self.mount("/x", **options)
            self.assertIn("already the path of", caught.exception.problems[0])
        with self.assertRaises(ConfigError):
            self.server.mount("/x", Page())

    def test_paths(self):
        """A mount's path opens with a slash, ends without, and is what a request line can hold."""
        odd = ("/a b", "/ä", "/a%20b", "/a?b", "/a#b", "/a\r\nb", "/a\n")
        for path in ("", "x", "/", "/x/", "//x", "/a//b", "/<name>", *odd):
            with self.subTest(path=path), self.assertRaises(ConfigError) as caught:
                self.mount(path)
            self.assertTrue(caught.exception.problems[0].startswith("path: "))

    def test_routes(self):
        """What is mounted, in order; a resource decides about methods itself."""
        self.mount("/x", methods=["GET"])
        self.server.mount("/page", Page())
        first, second = self.server.routes()
        self.assertEqual((first.full_path, first.methods), ("/api/v1/x", ("GET", "HEAD")))
        self.assertEqual((second.methods, second.proxy), ((), None))

    def test_empty_base_path(self):
        """Mounts may live at the root; the health check and 404 stay what they are."""
        self.server = make_server(base_path="")
        self.mount("/x")
        self.assertEqual(self.post("/x").code, 200)
        self.assertEqual(self.post("/api/v1/x").code, 404)
        self.assertEqual(self.get("/healthz").code, 200)

    def test_cache_is_bounded(self):
        """Paths that a stranger makes up do not stay."""
        self.mount("/p", target="https://api.example.com/v1", methods=["GET"])
        routes = self.server._routes
        for number in range(1100):
            routes._match(b"GET", b"/p/%d" % number)
            routes._match(b"M%d" % number, b"/p")
            routes.cors_for(b"/api/v1/q/%d" % number)
        self.assertLessEqual(len(routes._matches), 1024)
        self.assertLessEqual(len(routes._cors), 1024)


class KleinRoutes(RoutingCase):
    def test_beside_proxies(self):
        """A user's own routes: methods, arguments, forms, coroutines, redirects of Klein's own."""
        self.mount("/x")
        router = self.server.router

        @router.route("/hello/<name>", methods=["GET"])
        def hello(request, name):
            return f"{name} {request.args}"

        @router.route("/form", methods=["POST"])
        async def form(request):
            return request.args[b"a"][0]

        @router.route("/slash/")
        def slash(request):
            return b"slash"

        self.assertEqual(self.get("/api/v1/hello/ada?q=1").body, b"ada {b'q': [b'1']}")
        urlencoded = [("Content-Type", "application/x-www-form-urlencoded")]
        self.assertEqual(self.post("/api/v1/form", urlencoded, body=b"a=b").body, b"b")
        redirect = self.get("/api/v1/slash")
        self.assertIn(redirect.code, (301, 302, 307, 308))
        self.assertTrue(redirect.header("location").endswith("/api/v1/slash/"))
        self.assertEqual(self.post("/api/v1/x").code, 200)

    def test_wrong_method(self):
        """Ours in form: 405 with Allow."""
        self.server.router.route("/get", methods=["GET"])(lambda request: b"")
        answer = self.post("/api/v1/get")
        self.assertEqual(answer.error, (405, "METHOD_NOT_ALLOWED"))
        self.assertEqual(answer.header("allow"), "GET, HEAD, OPTIONS")

    def test_added_later(self):
        """A route added after the first request is found, though its path was asked before."""
        self.assertEqual(self.get("/api/v1/late").error, (404, "NOT_FOUND"))
        self.assertIsNone(self.server._routes.cors_for(b"/api/v1/late"))
        self.server.router.route("/late", methods=["GET"])(lambda request: b"here")
        self.assertEqual(self.get("/api/v1/late").body, b"here")
        self.assertIsNotNone(self.server._routes.cors_for(b"/api/v1/late"))
        self.mount("/later")
        self.assertEqual(self.post("/api/v1/later").code, 200)

    def test_error_handlers(self):
        """A user's own word for "not found" is the answer."""

        @self.server.router.handle_errors(NotFound)
        def not_found(request, failure):
            request.setResponseCode(404)
            return b"my own"

        answer = self.get("/api/v1/nowhere")
        self.assertEqual((answer.code, answer.body), (404, b"my own"))

    def test_handler_raises(self):
        """A bug in a handler is a 500 that says nothing."""

        @self.server.router.route("/bug")
        def bug(request):
            raise KeyError("sk-canary")

        answer = self.get("/api/v1/bug")
        self.assertEqual(answer.code, 500)
        self.assertNotIn(b"sk-canary", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_mounted_application(self):
        """A whole Klein application below a mount, as it is."""
        app = Klein()
        app.route("/a/<b>")(lambda request, b: b.encode())
        self.server.mount("/app", app.resource())
        self.server.mount("/page", Page())
        self.assertEqual(self.get("/api/v1/app/a/c").body, b"c")
        self.assertEqual(self.get("/api/v1/app/nothing").code, 404)
        self.assertEqual(self.get("/api/v1/page/a/b").body, b"api/v1/page|a/b")


class Beside(RoutingCase):
    def test_root_children(self):
        """Resources outside the base path: by first segment, ``b""`` for the root itself."""
        self.server.root_children[b"page"] = Page()
        self.server.root_children[b""] = Page()
        self.server.root_children[b"tree"] = tree = Resource()
        tree.putChild(b"leaf", Page())
        for path, body in [
            ("/page/a/b", b"page|a/b"),
            ("/", b"|"),
            ("/tree/leaf/x", b"tree/leaf|x"),
        ]:
            self.assertEqual(self.get(path).body, body, path)
        self.assertEqual(self.get("/tree/none").code, 404)
        self.assertEqual(self.get("/other").error, (404, "NOT_FOUND"))


class Doors(RoutingCase):
    """Klein routes go through the same first door as proxies."""

    def options(self):
        return {
            "require_auth": True,
            "authenticator": StaticTokens({"token-a": User("ada")}),
            "public_routes": ("/healthz", "/api/v1/open"),
        }

    def test_user(self):
        """A user is needed, and ``server.user`` tells who; public paths need none."""
        router, who = self.server.router, self.server.user

        def name(request):
            user = who(request)
            return b"nobody" if user is None else user.id.encode()

        for path in ("/who", "/open", "/open/below"):
            router.route(path, endpoint=path)(name)
        ada, eve = [("Authorization", "Bearer token-a")], [("Authorization", "Bearer x")]
        self.assertEqual(self.get("/api/v1/who").error, (401, "UNAUTHORIZED"))
        self.assertEqual(self.get("/api/v1/who", eve).error, (401, "INVALID_TOKEN"))
        self.assertEqual(self.get("/api/v1/who", ada).body, b"ada")
        self.assertEqual(self.get("/api/v1/open").body, b"nobody")
        self.assertEqual(self.get("/api/v1/open", eve).body, b"nobody")
        self.assertEqual(self.get("/api/v1/open", ada).body, b"ada")
        self.assertEqual(self.get("/api/v1/open/below").error, (401, "UNAUTHORIZED"))
        self.assertEqual(self.get("/healthz").code, 200)

    def test_proxy(self):
        """A proxy needs a user too, unless it says "anyone"."""
        self.mount("/x")
        self.mount("/y", authorize="anyone")
        self.assertEqual(self.post("/api/v1/x").error, (401, "UNAUTHORIZED"))
        self.assertEqual(self.post("/api/v1/y").code, 200)
        bad = [*PROXIED, ("Authorization", "Bearer x")]
        self.assertEqual(self.post("/api/v1/y", bad).code, 200)


class Cors(RoutingCase):
    def cors(self, path):
        return self.server._routes.cors_for(path)

    def test_table(self):
        """What a preflight may allow for a path: methods and headers of all that is there."""
        self.mount("/x", target_url_header="X-One")
        self.mount("/x", methods=["GET"], target_url_header="X-Two", pass_headers=["X-A-*"])
        self.mount("/p", target="https://api.example.com/v1", pass_headers=[])
        self.server.router.route("/hello", methods=["GET"])(lambda request: b"")
        both = self.cors(b"/api/v1/x")
        self.assertEqual(set(both.methods), {b"GET", b"HEAD", b"POST"})
        self.assertEqual(set(both.allow_headers), {"X-One", "X-Two"})
        self.assertEqual(both.allow_patterns, (*PASSED, "X-A-*"))
        self.assertEqual(both.pass_headers, ("X-A-*",))
        self.assertEqual(both.route, "/api/v1/x")
        for below in (b"/below", b"//below", b"/a%0Ab", b"/%ff"):
            self.assertIn("X-Stainless-*", self.cors(b"/api/v1/p" + below).allow_patterns)
        self.assertEqual(self.cors(b"/api/v1/hello"), RouteCors((b"GET", b"HEAD")))
        self.assertEqual(self.cors(b"/healthz"), RouteCors((b"GET", b"HEAD")))
        for path in (b"/api/v1/none", b"/none", b"/", b"/api/v1/%ff", b"/api/v1"):
            self.assertIsNone(self.cors(path), path)


class Draining(SynchronousTestCase):
    def test_refused(self):
        """An exchange that begins while the server drains gets 503 and Retry-After."""
        spine = make_spine()
        spine.site.drain()
        answer = spine.ask()
        self.assertEqual(answer.error, (503, "UNAVAILABLE"))
        self.assertEqual(answer.header("retry-after"), "1")
        self.assertEqual(answer.header("connection"), "close")
