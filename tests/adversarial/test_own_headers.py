"""Response headers that are this server's to say, against an upstream that says them, too."""

from naap_twisted import ExposeHeader, RateLimit
from naap_twisted.errors import ConfigError

from .oracle import Stage, one_test_per
from .own_headers_vectors import ACTING, RENAMED, SHARED, STREAMS, answer

_PAGE = b"http://localhost:3000"


class OwnStage(Stage):
    """One answer of the upstream's, read by a page of a listed origin."""

    async def ask(self, *lines, server=None, **route):
        """The one answer, for an upstream's with *lines*."""
        self.start(answer(*lines), server={"cors_origins": [_PAGE.decode()], **(server or {})})
        self.mount("/own", self.upstream, self.key, route)
        (reply,) = await self.converse(
            self.request(b"Origin: " + _PAGE, b"Accept: */*", path=b"/api/v1/own")
        )
        self.assertEqual((reply.status, reply.complete), (200, True))
        return reply


@one_test_per(SHARED)
class SharedTests(OwnStage):
    """Both sides say something: both are heard."""

    async def check(self, row):
        reply = await self.ask(*row.lines, server=row.server, **row.route)
        for name, values in row.values.items():
            self.assertEqual(reply.values(name), values, name)
        for name in row.exposed:
            (listed,) = reply.values("access-control-expose-headers")
            self.assertIn(name, listed.split(b", "))
        await self.judge(sent=1)


@one_test_per(STREAMS)
class StreamTests(SharedTests):
    """What comes piece by piece is not to be held or changed on its way."""


@one_test_per(ACTING)
class ActingTests(OwnStage):
    """A name that acts on our origin: no option lets it through."""

    async def check(self, row):
        """Patterns that match it do not; named, it is refused before anything starts."""
        letters = [f"{letter}*" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
        reply = await self.ask(row.name.encode() + b": evil", response_headers=letters)
        # This one comes back under a name that says whose it is.
        renamed = b"X-Upstream-Request-Id: evil" if row.name == "X-Request-ID" else b""
        self.assertNotIn(b"evil", self.heard[0].replace(renamed, b""))
        if reply.values("access-control-expose-headers"):
            (listed,) = reply.values("access-control-expose-headers")
            more = [b"x-request-id"] if row.name.lower() == "x-request-id" else []
            names = listed.lower().split(b", ")
            self.assertEqual([n for n in names if n == row.name.lower().encode()], more)
        await self.judge(sent=1)


class RefusedTests(OwnStage):
    """The options that name a header."""

    async def test_named(self):
        """One line, which opens with the option."""
        self.start()
        for row in ACTING:
            for place, options in (
                ("response_headers[0]: ", {"response_headers": [row.name]}),
                ("expose_headers[0].to: ", {"expose_headers": [ExposeHeader("X-A", row.name)]}),
            ):
                with self.subTest(row=row), self.assertRaises(ConfigError) as no:
                    self.mount("/own", self.upstream, self.key, options)
                (line,) = no.exception.problems
                self.assertTrue(line.startswith(place), line)
        await self.judge(sent=0)

    async def test_renamed(self):
        """What browsers and caches act on may come under its own name, and is no alias."""
        self.start()
        for name in RENAMED:
            with self.subTest(name=name), self.assertRaises(ConfigError) as no:
                pairs = [ExposeHeader("X-Evil", name)]
                self.mount("/own", self.upstream, self.key, {"expose_headers": pairs})
            (line,) = no.exception.problems
            self.assertTrue(line.startswith("expose_headers[0].to: "), line)
        await self.judge(sent=0)


class ErrorTests(Stage):
    """An upstream's error in our envelope."""

    async def test_both_are_heard(self):
        """Its Vary is beside ours; what is not to be cached stays so."""
        lines = (b"Vary: Accept", b"Cache-Control: public", b"Retry-After: 1")
        self.start(
            answer(*lines, status=b"429 No"),
            server={"cors_origins": [_PAGE.decode()]},
            response_headers=["Vary", "Cache-Control", "Retry-After"],
        )
        (reply,) = await self.converse(self.request(b"Origin: " + _PAGE))
        self.assertEqual(reply.status, 429)
        self.assertEqual(reply.values("Vary"), [b"Origin, Accept"])
        self.assertEqual(reply.values("Cache-Control"), [b"no-store"])
        (listed,) = reply.values("Access-Control-Expose-Headers")
        self.assertLessEqual({b"X-Request-ID", b"Vary", b"Retry-After"}, set(listed.split(b", ")))
        await self.judge(sent=1)


class LimitTests(OwnStage):
    """RateLimit: whose it is can be told."""

    lines = (b'RateLimit: "address";r=0;t=9', b'RateLimit-Policy: "address";q=1;w=9')
    route = {"response_headers": ["RateLimit*"]}

    async def test_ours_is_not_replaced(self):
        """Where this server counts, too, the upstream's has a name that says whose it is."""
        reply = await self.ask(*self.lines, server={"rate_limit": RateLimit(5, 60.0)}, **self.route)
        self.assertEqual(reply.values("RateLimit"), [b'"address";r=4;t=60'])
        self.assertEqual(reply.values("RateLimit-Policy"), [b'"address";q=5;w=60'])
        self.assertEqual(reply.values("X-Upstream-RateLimit"), [b'"address";r=0;t=9'])
        self.assertEqual(reply.values("X-Upstream-RateLimit-Policy"), [b'"address";q=1;w=9'])
        (listed,) = reply.values("Access-Control-Expose-Headers")
        names = listed.lower().split(b", ")
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual({b"ratelimit", b"x-upstream-ratelimit"}, set(names))
        await self.judge(sent=1)

    async def test_alone(self):
        """Where it does not, the upstream's is the only one."""
        reply = await self.ask(*self.lines, **self.route)
        self.assertEqual(reply.values("RateLimit"), [b'"address";r=0;t=9'])
        self.assertEqual(reply.values("X-Upstream-RateLimit"), [])
        await self.judge(sent=1)


class CallableTests(OwnStage):
    """What a callable of ours said is kept, too."""

    async def test_kept(self):
        """Its Vary, and the names that it lets pages read."""

        def authorize(request):
            headers = request.responseHeaders
            headers.addRawHeader(b"Vary", b"X-Tenant")
            headers.addRawHeader(b"Link", b"</ours>; rel=help")
            headers.addRawHeader(b"X-Plan", b"gold")
            listed = headers.getRawHeaders(b"access-control-expose-headers")[0]
            headers.setRawHeaders(b"Access-Control-Expose-Headers", [listed + b", X-Plan"])
            return True

        reply = await self.ask(
            b"Vary: Accept",
            b"Retry-After: 1",
            b"Link: </theirs>; rel=next",
            authorize=authorize,
            response_headers=["Vary", "Retry-After", "Link"],
        )
        self.assertEqual(reply.values("Link"), [b"</ours>; rel=help", b"</theirs>; rel=next"])
        self.assertEqual(reply.values("Vary"), [b"Origin, X-Tenant, Accept"])
        (listed,) = reply.values("Access-Control-Expose-Headers")
        self.assertLessEqual({b"X-Plan", b"X-Request-ID", b"Retry-After"}, set(listed.split(b", ")))
        await self.judge(sent=1)
