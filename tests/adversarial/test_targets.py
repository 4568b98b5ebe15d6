"""Where a request wants to go: the header of a free route, the rest of the path of a pinned one."""

from klein import Klein

from .oracle import Stage, one_test_per
from .targets_vectors import REMAINDERS, TARGETS

MAY_BE_ASKED = {"api.example.com", "www.sub.example.org"}


class TargetStage(Stage):
    """Judges one row of the tables."""

    async def decided(self, row, replies):
        """Refused as the row says, or sent once with the row's request line."""
        if row.code:
            status = 404 if row.code == "NOT_FOUND" else 400
            self.assert_error(replies, status, row.code)
        else:
            self.assertEqual([(r.status, r.body) for r in replies], [(200, b'{"ok":1}')])
            self.assertEqual(self.upstream.requests[0].line, row.line)
        self.assertLessEqual(set(self.resolver.asked), MAY_BE_ASKED)
        await self.judge(sent=0 if row.code else 1)


@one_test_per(TARGETS)
class HeaderTests(TargetStage):
    """X-Target-URL."""

    async def check(self, row):
        self.start()
        await self.decided(row, await self.converse(self.request(url=row.url)))


@one_test_per(REMAINDERS)
class PinnedTests(TargetStage):
    """The request target below a mount whose base is fixed."""

    async def check(self, row):
        self.start()
        base = f"http://127.0.0.1:{self.upstream.port}/base"
        self.mount("/p", self.upstream, self.key, {"target": base})
        below = self.fill(b"/api/v1/p" + row.url)
        await self.decided(row, await self.converse(self.request(path=below)))


class RepeatedTests(Stage):
    """A second value is never a choice that we make."""

    async def test_two_headers(self):
        """The first is fine, the second is another host; and the other way round."""
        self.start()
        good, bad = b"http://127.0.0.1:{up}/", b"http://127.0.0.2:{up}/"
        for first, second in ((good, bad), (bad, good), (good, good)):
            raw = self.request(self.fill(b"X-Target-URL: " + second), url=first)
            self.assert_error(await self.converse(raw), 400, "INVALID_TARGET")
        await self.judge(sent=0)

    async def test_header_ignored_where_the_base_is_pinned(self):
        """A pinned route reads no X-Target-URL, and does not pass it on."""
        self.start()
        base = f"http://127.0.0.1:{self.upstream.port}/base"
        self.mount("/p", self.upstream, self.key, {"target": base})
        raw = self.request(url=b"http://127.0.0.2:{up}/", path=b"/api/v1/p/a")
        replies = await self.converse(raw)
        self.assertEqual([reply.status for reply in replies], [200])
        self.assertEqual(self.upstream.requests[0].values("x-target-url"), [])
        await self.judge(sent=1)


class SlashTests(Stage):
    """A slash too many, or too few: served, or a redirect that says nothing of the Host."""

    def routes(self, base_path="/api/v1"):
        self.start(server={"base_path": base_path, "server_names": ["a", "evil.example"]})
        app, router = Klein(), self.running.server.router
        app.route("/slash/")(lambda request: b"app")
        router.route("/slash/")(lambda request: b"slash")
        router.route("/name/<name>/", endpoint="name")(lambda request, name: name)
        router.route("/moved", redirect_to="slash/", endpoint="moved")(lambda request: b"")
        router.route("/away", endpoint="away")(self.away)
        self.running.server.mount("/app", app.resource())

    def away(self, request):
        request.setResponseCode(302)
        request.setHeader(b"Location", request.args[b"to"][0])
        return b""

    async def location(self, path):
        answer = await self.running.ask("GET", path, {"Host": "evil.example:81"})
        self.assertNotIn(b"evil", answer.body)
        self.assertNotIn("evil", "".join(map(str, answer.headers.getAllRawHeaders())))
        return answer.status, answer.header("Location")

    async def test_redirects_are_relative(self):
        """The server's own routes, and a mounted application's."""
        self.routes()
        for path, location in (
            ("/api/v1/slash", "/api/v1/slash/"),
            ("/api/v1/slash?a=b%20c&d", "/api/v1/slash/?a=b%20c&d"),
            ("/api/v1//slash/", None),
            ("/api/v1/name//x/", "/api/v1/name/x/"),
            ("/api/v1/slash//", "/api/v1/slash/"),
            ("/api/v1/app/slash", "/api/v1/app/slash/"),
            ("/api/v1/app/slash/", None),
            ("/api/v1/name/x//", "/api/v1/name/x/"),
            ("/api/v1/moved", "/api/v1/slash/"),
        ):
            status = 200 if location is None else 308
            self.assertEqual(await self.location(path), (status, location), path)

    async def test_never_to_another_host(self):
        """A path that opens with two slashes is a host to browsers; so is one with a backslash."""
        self.routes(base_path="")
        seen = 0
        for path in ("//name/x", "/name/%2f%2fevil", "//slash", "/%5cname/x", "//", "/%09/slash"):
            answer = await self.running.ask("GET", path, {"Host": "a"})
            location = answer.header("Location")
            if location is not None:
                seen += 1
                self.assertRegex(location, r"^/(?![/\\\t])", path)
        self.assertGreater(seen, 1)

    async def test_what_a_handler_says(self):
        """Its own words stay, but for the very host that was asked."""
        self.routes()
        port = self.running.port
        for to, location in (
            ("https://other.example/a", "https://other.example/a"),
            ("http://a:81/b?c", "/b?c"),
            (f"http://A:{port}/b", "/b"),
            ("http://a", "/"),
            ("http://a?b", "/?b"),
            ("http://a//evil", "/.//evil"),
            ("http://a:3000/b", "http://a:3000/b"),
            ("https://a:81/b", "https://a:81/b"),
            ("/b", "/b"),
            ("b", "b"),
        ):
            path = f"/api/v1/away?to={to.replace('?', '%3f')}"
            answer = await self.running.ask("GET", path, {"Host": "a:81"})
            self.assertEqual((answer.status, answer.header("Location")), (302, location))
