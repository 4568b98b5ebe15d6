"""Redirects of an upstream that has a key, to a host that must not get it."""

from attrs import frozen

from naap_twisted.testing import ScriptedUpstream

from .oracle import KEY, OK, Stage, one_test_per

_PATH = b"/api/v1/both"
_OF_THE_PAGE = (
    b"Cookie: session=of-the-page",
    b"X-Api-Key: of-the-page",
    b"Proxy-Authorization: Basic of-the-page",
    b"X-Team: of-the-page",
    b"Accept: text/plain",
    b"If-None-Match: x",
)
_PASSED = ["Cookie", "X-Api-Key", "Proxy-*", "X-Team", "Accept", "If-None-Match"]


def moved(code, url, *more):
    """A redirect."""
    head = (b"HTTP/1.1 %d Moved" % code, b"Location: " + url.encode(), b"Content-Length: 0", *more)
    return b"\r\n".join(head) + b"\r\n\r\n"


@frozen
class Hop:
    """A redirect to the other origin.

    :ivar followed: the other one is asked; else the redirect is relayed.
    """

    code: int
    method: bytes
    followed: bool

    @property
    def name(self):
        """Of the test."""
        return f"{self.method.decode()} {self.code}"


HOPS = [
    *(Hop(code, m, True) for m in (b"GET", b"HEAD") for code in (301, 302, 303, 307, 308)),
    *(Hop(code, b"GET", False) for code in (300, 304, 305)),
    *(Hop(code, b"POST", code >= 307) for code in (301, 302, 303, 307, 308)),
    *(Hop(code, b"DELETE", code >= 307) for code in (301, 302, 303, 307, 308)),
]


class RedirectStage(Stage):
    """Two upstreams: the page names the first, which leads to the second."""

    methods = ("GET", "POST", "DELETE", "PUT")

    def begin(self, *steps, **route):
        self.start(server={"allow_networks": ["127.0.0.1/32"]})
        self.other = ScriptedUpstream(self, OK)
        self.upstream.steps = steps
        options = {
            "methods": self.methods,
            "content_type": "*/*",
            "allowed_ports": [self.upstream.port, self.other.port],
            "follow_redirects": True,
            "pass_headers": _PASSED,
            **route,
        }
        self.mount("/both", self.upstream, KEY, options)

    async def ask(self, method=b"POST", body=b"{}", url=None):
        """The one answer to a page."""
        body = b"" if method in (b"GET", b"HEAD", b"DELETE") else body
        raw = self.request(*_OF_THE_PAGE, method=method, body=body, path=_PATH, url=url)
        if not body:
            raw = raw.replace(b"Content-Length: 0\r\n", b"")
            raw = raw.replace(b"Content-Type: application/json\r\n", b"")
        (reply,) = await self.converse(raw, method=method)
        return reply

    def assert_no_secret(self, peer):
        """Neither ours nor the page's own."""
        for received in peer.requests:
            self.assertNotIn(KEY.encode(), received.raw)
            self.assertNotIn(b"of-the-page", received.raw)
            self.assertEqual(received.values("authorization"), [])


@one_test_per(HOPS)
class CrossOriginTests(RedirectStage):
    """Method x status."""

    async def check(self, row):
        self.begin()
        self.upstream.steps = (moved(row.code, self.other.origin + "/file"),)
        reply = await self.ask(row.method)
        self.assertEqual(reply.status, 200 if row.followed else row.code)
        self.assertEqual(self.other.connections, int(row.followed))
        for received in self.other.requests:
            self.assertEqual(received.line, row.method + b" /file HTTP/1.1")
            self.assertEqual(received.body, b"{}" if row.method == b"POST" else b"")
            self.assertEqual(received.values("accept"), [b"text/plain"])
            self.assertEqual(received.values("if-none-match"), [b"x"])
            self.assertEqual(len(received.values("content-type")), int(row.method == b"POST"))
        self.assert_no_secret(self.other)
        await self.judge(sent=1)


class SecretTests(RedirectStage):
    """Where the key could go."""

    async def test_same_origin(self):
        """It goes along there, and so does what the page sent."""
        self.begin()
        self.upstream.steps = (moved(307, "/again"),)
        self.assertEqual((await self.ask()).status, 307)
        for received in self.upstream.requests:
            self.assertEqual(received.body, b"{}")
            self.assertEqual(received.values("x-team"), [b"of-the-page"])
        await self.judge(sent=4)

    async def test_another_name_of_the_same_host(self):
        """An origin is what the URL says: two names for one address are two."""
        self.begin(allowed_hosts=["127.0.0.1", "api.example.com"])
        named = self.upstream.origin.replace("127.0.0.1", "api.example.com")
        self.upstream.steps = (moved(307, named + "/again"),)
        self.keyed = False
        await self.ask()
        first, *others = self.upstream.requests
        self.assertEqual(first.values("authorization"), [b"Bearer " + KEY.encode()])
        self.assertEqual(len(others), 3)
        for received in others:
            self.assertNotIn(KEY.encode(), received.raw)
        await self.judge(sent=4)

    async def test_gone_for_good(self):
        """Back at the first origin the request comes without it: somebody else wrote that URL."""
        self.begin()
        self.upstream.steps = (moved(302, self.other.origin + "/there"),)
        self.other.steps = (moved(302, self.upstream.origin + "/back"),)
        self.keyed = False
        self.assertEqual((await self.ask(b"GET")).status, 302)
        keys = [received.values("authorization") for received in self.upstream.requests]
        self.assertEqual(keys, [[b"Bearer " + KEY.encode()], []])
        self.assert_no_secret(self.other)
        self.assertEqual(len(self.other.requests), 2)
        await self.judge(sent=2)

    async def test_of_a_callable(self):
        """Made for one request, it is bound to that one's origin, too."""
        keys = {"Authorization": f"Bearer {KEY}", "X-Version": "2026-01"}
        self.begin(forward_headers=lambda request: keys)
        self.upstream.steps = (moved(302, self.other.origin + "/file"),)
        self.assertEqual((await self.ask(b"GET")).status, 200)
        self.assertEqual(self.other.requests[0].values("x-version"), [])
        self.assert_no_secret(self.other)
        await self.judge(sent=1)

    async def test_in_the_url(self):
        """An upstream that writes it into the Location: relayed, and blotted out."""
        self.begin()
        self.upstream.steps = (moved(302, f"{self.other.origin}/?key={KEY}"),)
        reply = await self.ask(b"GET")
        self.assertEqual(reply.status, 302)
        self.assertEqual(
            reply.values("location"), [f"{self.other.origin}/?key=[redacted]".encode()]
        )
        self.assertEqual(self.other.connections, 0)
        await self.judge(sent=1)

    async def test_in_the_body(self):
        """A body that holds it is not sent on: the redirect is relayed."""
        self.begin()
        self.upstream.steps = (moved(307, self.other.origin + "/file"),)
        reply = await self.ask(body=b'{"key":"%s"}' % KEY.encode())
        self.assertEqual(reply.status, 307)
        self.assertEqual(self.other.connections, 0)
        await self.judge(sent=1)

    async def test_a_signature_is_in_no_log(self):
        """The query of a signed URL is for its store alone."""
        self.begin()
        self.upstream.steps = (moved(302, self.other.origin + "/f?X-Signature=hush-7f3a"),)
        self.assertEqual((await self.ask(b"GET")).status, 200)
        self.assertIn(b"hush-7f3a", self.other.requests[0].line)
        self.assertNotIn("hush-7f3a", "\n".join(self.logged))
        await self.judge(sent=1)


class NotAllowedTests(RedirectStage):
    """What the route would not reach by itself it does not reach by a redirect."""

    hosts = {**Stage.hosts, "www.sub.example.org": "10.0.0.1"}

    async def test_relayed(self):
        """Another port, another address, a name that is not listed, another scheme."""
        self.begin()
        for code, method in ((302, b"GET"), (307, b"POST")):
            for url in (
                f"http://127.0.0.1:{self.sentinels.port}/",
                f"http://127.0.0.2:{self.upstream.port}/",
                f"http://evil.example:{self.upstream.port}/",
                f"https://127.0.0.1:{self.upstream.port}/",
                f"http://169.254.169.254:{self.upstream.port}/",
                "file:///etc/passwd",
            ):
                self.upstream.steps = (moved(code, url),)
                self.assertEqual((await self.ask(method)).status, code, url)
        self.assertEqual(self.other.connections, 0)
        await self.judge(sent=12)

    async def test_an_address_behind_an_allowed_name(self):
        """A name that resolves to an address which is closed: 400, as for a page that names it."""
        self.begin(allowed_hosts=["127.0.0.1", "*.sub.example.org"])
        url = f"http://www.sub.example.org:{self.other.port}/"
        self.upstream.steps = (moved(302, url),)
        self.assert_error([await self.ask(b"GET")], 400, "ADDRESS_NOT_ALLOWED")
        self.assertEqual(self.other.connections, 0)
        await self.judge(sent=1)

    async def test_pinned(self):
        """A pinned base is not left, and its key stays below it."""
        self.begin()
        target = self.upstream.origin + "/v1"
        options = {"target": target, "methods": ["GET"], "follow_redirects": True}
        self.mount("/pin", self.upstream, KEY, options)
        for url in (self.other.origin + "/v1/a", self.upstream.origin + "/v2"):
            self.upstream.steps = (moved(302, url),)
            raw = b"GET /api/v1/pin/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            (reply,) = await self.converse(raw, method=b"GET")
            self.assertEqual(reply.status, 302)
        self.assertEqual(self.other.connections, 0)
        await self.judge(sent=2)

    async def test_pinned_to_a_store(self):
        """A listed file store is asked for GET and HEAD, without key; nothing else is."""
        store = self.begin_with_store()
        for code in (301, 302, 303, 307, 308):
            for method in (b"GET", b"HEAD"):
                self.upstream.steps = (moved(code, store + "/f?sig=1"),)
                reply = await self.pinned(method)
                self.assertEqual(reply.status, 200, (code, method))
                self.assertEqual(reply.body, b"" if method == b"HEAD" else b'{"ok":1}')
                line = self.other.requests[-1].line
                self.assertEqual(line, method + b" /f?sig=1 HTTP/1.1")
        self.assert_no_secret(self.other)
        asked = len(self.other.requests)
        for code in (301, 302, 303):
            self.upstream.steps = (moved(code, store + "/f"),)
            self.assertEqual((await self.pinned(b"POST")).status, code)
        self.assertEqual(len(self.other.requests), asked)
        await self.judge(sent=13)

    async def test_pinned_to_a_fragment(self):
        """What stands behind "#" is for the page, and reaches nobody."""
        store = self.begin_with_store()
        for code, method in ((302, b"GET"), (307, b"POST")):
            self.upstream.steps = (moved(code, store + f"/f?sig=1#{KEY}"),)
            self.assertEqual((await self.pinned(method)).status, 200)
            line = self.other.requests[-1].line
            self.assertEqual(line, method + b" /f?sig=1 HTTP/1.1")
        self.assert_no_secret(self.other)
        await self.judge(sent=2)

    async def test_pinned_to_others(self):
        """The list opens nothing on the base's own origin, and no other port, name or scheme."""
        self.begin_with_store()
        for url in (
            self.upstream.origin + "/v2",
            self.upstream.origin + "/v1/../v2",
            f"http://127.0.0.1:{self.sentinels.port}/",
            f"http://evil.example:{self.other.port}/",
            f"https://127.0.0.1:{self.other.port}/",
            f"http://127.0.0.2:{self.other.port}/",
        ):
            self.upstream.steps = (moved(302, url),)
            self.assertEqual((await self.pinned()).status, 302, url)
        self.assertEqual(self.other.connections, 0)
        await self.judge(sent=6)

    async def test_pinned_and_back(self):
        """What the store leads back to gets no key, and only below the base."""
        store = self.begin_with_store()
        self.keyed = False
        for path, sent, status in (("/v1/b", [[KEY], []], 302), ("/v2/b", [[KEY]], 302)):
            self.upstream.requests.clear()
            self.upstream.steps = (moved(302, store + "/f"),)
            self.other.steps = (moved(302, self.upstream.origin + path),)
            self.assertEqual((await self.pinned()).status, status)
            keys = [
                [value.decode().removeprefix("Bearer ") for value in r.values("authorization")]
                for r in self.upstream.requests
            ]
            self.assertEqual(keys, sent, path)
        self.assert_no_secret(self.other)

    def begin_with_store(self):
        """A pinned route that may follow to the other upstream: its origin."""
        self.begin()
        options = {
            "target": self.upstream.origin + "/v1",
            "methods": ["GET", "POST"],
            "content_type": "*/*",
            "follow_redirects": True,
            "pass_headers": _PASSED,
            "allowed_hosts": ["127.0.0.1"],
            "allowed_schemes": ["http"],
            "allowed_ports": [self.other.port, self.upstream.port],
        }
        self.mount("/pin", self.upstream, KEY, options)
        return self.other.origin

    async def pinned(self, method=b"GET"):
        """The one answer to a page that asks the pinned route."""
        body = b"{}" if method == b"POST" else b""
        lines = [method + b" /api/v1/pin/a HTTP/1.1", b"Host: a", b"Connection: close"]
        lines += [*_OF_THE_PAGE, *([b"Content-Length: 2", b"Content-Type: a/b"] if body else [])]
        (reply,) = await self.converse(b"\r\n".join(lines) + b"\r\n\r\n" + body, method=method)
        return reply
