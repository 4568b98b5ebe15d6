"""Keys in every place where an API wants them, each before an upstream that gives it away."""

import json
import os
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

from prometheus_client import generate_latest
from twisted.internet import reactor

from naap_twisted.admin.metrics import metrics_of
from naap_twisted.admin.setup import setup_of
from naap_twisted.route.explain import explain
from naap_twisted.testing import ScriptedUpstream

from .echo_vectors import answer
from .oracle import OK, Stage
from .test_redirects import moved

USER, PASSWORD = "AC0123456789", "canary-pa55-of-the-account"
KEY = "canary-4b7e-of-the-account"
ENVIRON = {"BASIC_USER": USER, "BASIC_PASSWORD": PASSWORD, "PLACED_KEY": KEY}


class Turns:
    """Steps of an upstream that answers each request otherwise."""

    def __init__(self, *answers):
        self._answers = iter(answers)

    def __iter__(self):
        return iter((next(self._answers),))


class PlaceStage(Stage):
    """A route whose key comes from the environment."""

    def setUp(self):
        self.patch(os, "environ", {**os.environ, **ENVIRON})

    def assert_unseen(self, *texts):
        """Nothing that a server shows of itself, and nothing that it wrote, holds one of them."""
        shown = [*map(repr, self.heard), *self.logged]
        for mount in self.running.server.routes():
            proxy = mount.proxy
            parts = [proxy.route, vars(proxy), proxy.options, proxy.route.injection]
            shown += map(repr, [*parts, proxy._targets._decided])
        server = self.running.server
        shown += [json.dumps(setup_of(server)), *server.cautions()]
        shown.append(generate_latest(metrics_of(server)).decode())
        for text in texts:
            self.assertNotIn(text, "\n".join(shown))

    async def assert_held(self, *texts, raw=None, **route):
        """Each of *texts* is taken out of a body, a header and a Location that repeat it."""
        for text in map(str.encode, texts):
            for status, body, line in (
                (401, b"bad key: <" + text + b">", b"X-Plain: 1"),
                (200, b"{}", b"X-Echo: said " + text),
                (302, b"", b"Location: https://other.example/?k=" + text),
            ):
                for errors in ("passthrough", "envelope"):
                    step = answer(status, body, line)
                    self.start(step, errors=errors, response_headers=["X-Echo"], **route)
                    (reply,) = await self.converse(self.request() if raw is None else raw)
                    self.assertEqual(reply.status, status)
                    self.assertIn(b"[redacted]", b"".join(self.heard))
                    self.assert_unseen(text.decode())
                    await self.judge(sent=1)


def get(path):
    """A raw GET of *path*."""
    head = (b"GET " + path + b" HTTP/1.1", b"Host: a", b"Connection: close")
    return b"\r\n".join(head) + b"\r\n\r\n"


class BasicTests(PlaceStage):
    """``${basic:...}``."""

    async def test_sent(self):
        """The upstream gets the pair in base64."""
        value = "Basic ${basic:env:BASIC_USER:env:BASIC_PASSWORD}"
        self.start(forward_headers={"Authorization": value})
        await self.converse(self.request())
        packed = b64encode(f"{USER}:{PASSWORD}".encode())
        self.assertEqual(self.upstream.requests[0].values("authorization"), [b"Basic " + packed])
        await self.judge(sent=1)

    async def test_echoed(self):
        """The base64, the pair and the password, whether or not "Basic" stands before."""
        pair = f"{USER}:{PASSWORD}"
        for header, scheme in (("Authorization", "Basic "), ("X-Auth", "")):
            value = scheme + "${basic:env:BASIC_USER:env:BASIC_PASSWORD}"
            packed = b64encode(pair.encode()).decode()
            await self.assert_held(packed, pair, PASSWORD, forward_headers={header: value})

    async def test_a_key_without_a_password(self):
        """Stripe's way: the key is the user."""
        packed = b64encode(f"{KEY}:".encode()).decode()
        value = {"Authorization": "Basic ${basic:env:PLACED_KEY:}"}
        await self.assert_held(packed, KEY, forward_headers=value)


class QueryTests(PlaceStage):
    """``forward_query``: a key and a version."""

    keys = {
        "forward_headers": {},
        "forward_query": {"key": "${env:PLACED_KEY}", "api-version": "2024-10-21"},
        "methods": ["GET", "POST"],
    }
    own = f"key={quote(KEY)}&api-version=2024-10-21".encode()

    async def ask(self, below, *lines, path=b"/api/v1/x"):
        """The one answer to a GET of *below*, on a route where the page names the URL."""
        url = f"http://127.0.0.1:{self.upstream.port}".encode() + below
        raw = self.request(*lines, method=b"GET", url=url, body=b"", path=path)
        (reply,) = await self.converse(raw)
        return reply

    async def ask_pinned(self, below):
        """The same on a pinned route."""
        self.mount("/pin", self.upstream, KEY, {**self.keys, "target": self.upstream.origin})
        raw = self.request(method=b"GET", body=b"", path=b"/api/v1/pin" + below)
        (reply,) = await self.converse(raw)
        return reply

    def line(self, at=0):
        """The request line of the upstream's request *at*."""
        return self.upstream.requests[at].line

    async def test_sent(self):
        """Last, behind the page's own bytes as they came; on both kinds of route."""
        for below in (b"/", b"/m?q=a%2Fb+c&&x", b"/m?", b"//m/%2f;v=1?keys=1&monkey"):
            mark = b"&" if b"?" in below[:-1] else b"" if b"?" in below else b"?"
            line = b"GET " + below + mark + self.own + b" HTTP/1.1"
            self.start(**self.keys)
            self.assertEqual((await self.ask(below)).status, 200)
            self.assertEqual((await self.ask_pinned(below)).status, 200)
            self.assertEqual([self.line(0), self.line(1)], [line, line])
            self.assert_unseen(KEY)
            await self.judge(sent=2)

    async def test_named_by_the_page(self):
        """In any spelling: 400, which says who sets it, and no upstream is asked."""
        for query in (
            *(b"?key=mine", b"?KEY=mine", b"?a=1&%6bey=mine", b"?%256Bey", b"?key[]=mine"),
            *(b"?key%5b%5D=mine", b"?a;key=mine", b"?+key=mine", b"?api_version=1"),
            *(b"?API%2DVersion=2020", b"?x=1&key="),
        ):
            self.start(**self.keys)
            for reply in (await self.ask(b"/m" + query), await self.ask_pinned(b"/m" + query)):
                self.assert_error([reply], 400, "INVALID_TARGET")
                self.assertIn(b"The server sets the query parameter", reply.body)
                self.assertNotIn(b"mine", reply.body)
            self.assert_unseen(KEY)
            await self.judge(sent=0)

    async def test_echoed(self):
        """As it is and as it went out; the version is no secret and stays."""
        await self.assert_held(KEY, KEY.replace("-", "%2D"), **self.keys)
        body = b"unknown api-version 2024-10-21"
        self.start(answer(400, body), errors="passthrough", **self.keys)
        self.assertEqual((await self.ask(b"/")).body, body)
        await self.judge(sent=1)

    async def test_a_callable_makes_the_headers(self):
        """The query's key is looked for beside what the callable has made."""
        made = "canary-made-for-one-request"
        keys = {**self.keys, "forward_headers": lambda request: {"X-Key": made}}
        self.start(answer(401, f"{made} {KEY}".encode()), errors="passthrough", **keys)
        self.assertEqual((await self.ask(b"/")).body, b"[redacted] [redacted]")
        self.assertEqual(self.upstream.requests[0].values("x-key"), [made.encode()])
        await self.judge(sent=1)

    async def test_location(self):
        """A relative one is resolved against what the page asked for, not what was sent."""
        for location, absolute in ((b"", b"/m?q=1"), (b"?b", b"/m?b"), (b"/n", b"/n")):
            self.start(answer(302, b"", b"Location: " + location), **self.keys)
            reply = await self.ask(b"/m?q=1")
            origin = self.upstream.origin.encode()
            self.assertEqual(reply.values("location"), [origin + absolute])
            self.assert_unseen(KEY)
            await self.judge(sent=1)

    def begin(self):
        """A route that follows redirects, to a second upstream as well."""
        self.start(server={"allow_networks": ["127.0.0.1/32"]})
        self.keyed = False
        self.other = ScriptedUpstream(self, OK)
        ports = [self.upstream.port, self.other.port]
        route = {**self.keys, "allowed_ports": ports, "follow_redirects": True}
        self.mount("/hop", self.upstream, KEY, route)

    async def test_redirects(self):
        """Within the origin it is set anew; to another one, and back from there, it never goes."""
        for again in ("/again?a=1", f"/again?a=1&{self.own.decode()}", "/again?a=1&KEY=old"):
            self.begin()
            there = moved(302, self.other.origin + "/there?b=2")
            self.upstream.steps = Turns(moved(302, again), there, moved(302, "/last"))
            self.other.steps = (moved(302, self.upstream.origin + "/back"),)
            self.assertEqual((await self.ask(b"/m", path=b"/api/v1/hop")).status, 302)
            self.assertEqual(self.line(0), b"GET /m?" + self.own + b" HTTP/1.1")
            self.assertEqual(self.line(1), b"GET /again?a=1&" + self.own + b" HTTP/1.1")
            self.assertEqual(self.other.requests[0].line, b"GET /there?b=2 HTTP/1.1")
            self.assertEqual(self.line(2), b"GET /back HTTP/1.1")
            self.assert_unseen(KEY)
            await self.judge(sent=3)

    async def test_a_redirect_that_takes_it_elsewhere(self):
        """An upstream that writes it into another origin's URL: relayed, and blotted out."""
        self.begin()
        self.upstream.steps = (moved(302, f"{self.other.origin}/?stolen={KEY}"),)
        reply = await self.ask(b"/m", path=b"/api/v1/hop")
        cleaned = f"{self.other.origin}/?stolen=[redacted]".encode()
        self.assertEqual(reply.values("location"), [cleaned])
        self.assertEqual(self.other.connections, 0)
        await self.judge(sent=1)

    async def test_explained(self):
        """The page's URL, and nothing of the key; a URL that names it is refused as a page's is."""
        self.start(**self.keys)
        proxy = self.running.server.routes()[0].proxy
        for below, passed in (("/m?q=1", True), ("/m?KEY=1", False)):
            url = self.upstream.origin + below
            first, *_ = await explain(proxy, url, self.resolver, reactor)
            self.assertEqual((first.name, first.allowed), ("parse", passed))
            self.assertNotIn(KEY, repr(first))
        await self.judge(sent=0)

    async def test_another_sites_page(self):
        """What needs no CORS spends no key in a query either."""
        line = b"Sec-Fetch-Site: cross-site"
        self.start(**self.keys)
        self.assert_error([await self.ask(b"/", line)], 403, "CROSS_SITE_NOT_ALLOWED")
        await self.judge(sent=0)
        keyless = {"key": None, "forward_query": {"api-version": "2024-10-21"}}
        self.start(**{**self.keys, **keyless})
        self.assertEqual((await self.ask(b"/", line)).status, 200)
        await self.judge(sent=1)


class ProviderQueryTests(QueryTests):
    """The same where a provider's file says that the key goes to the query."""

    def setUp(self):
        super().setUp()
        file = Path(self.mktemp()).absolute()
        file.parent.mkdir(parents=True, exist_ok=True)
        file = file.with_suffix(".toml")
        file.write_text('[route]\nmethods = ["GET", "POST"]\n[key]\nquery = "key"\n')
        self.keys = {
            "provider": str(file),
            "key": "${env:PLACED_KEY}",
            "forward_headers": {},
            "forward_query": {"api-version": "2024-10-21"},
        }

    async def test_written_out(self):
        """A key that stands in the code is guarded as one, whatever its parameter is called."""
        file = Path(self.keys["provider"])
        file.write_text('[route]\nmethods = ["GET", "POST"]\n[key]\nquery = "which"\n')
        await self.assert_held(KEY, **{**self.keys, "key": KEY})


class PathTests(PlaceStage):
    """A secret in the path of a pinned base."""

    def begin(self, *steps, base="/services/${env:PLACED_KEY}/T0", **route):
        """A pinned route at ``/pin``."""
        self.start(server={"allow_networks": ["127.0.0.1/32"]})
        self.upstream.steps = steps or (OK,)
        target = self.upstream.origin + base
        pinned = {"target": target, "methods": ["GET", "POST"], "forward_headers": {}, **route}
        self.mount("/pin", self.upstream, KEY, pinned)
        self.keyed = False

    async def ask(self, below=b""):
        """The one answer to a GET of *below*."""
        (reply,) = await self.converse(get(b"/api/v1/pin" + below))
        return reply

    async def test_sent(self):
        """In its place, and the page's bytes behind it as they came."""
        for below in (b"", b"/", b"/x%2Fy//z;v=1?q=%6b&r", b"?q"):
            self.begin()
            self.assertEqual((await self.ask(below)).status, 200)
            line = f"GET /services/{KEY}/T0".encode() + below + b" HTTP/1.1"
            self.assertEqual(self.upstream.requests[0].line, line)
            self.assert_unseen(KEY)
            await self.judge(sent=1)

    async def test_beside_a_query(self):
        """Both places in one target."""
        self.begin(forward_query={"key": "${env:BASIC_PASSWORD}"})
        await self.ask(b"/x?a=1")
        line = f"GET /services/{KEY}/T0/x?a=1&key={PASSWORD} HTTP/1.1".encode()
        self.assertEqual(self.upstream.requests[0].line, line)
        self.assert_unseen(KEY, PASSWORD)
        await self.judge(sent=1)

    async def test_echoed(self):
        """In a body, a header, an absolute Location, a relative one, and one that climbs."""
        origin = self.origin_of()
        for status, body, line, shown in (
            (401, KEY.encode(), b"X-Plain: 1", None),
            (404, f"/services/{KEY}/T0/x".encode(), b"X-Plain: 1", None),
            (200, b"{}", b"X-Echo: said " + KEY.encode(), None),
            (201, b"{}", f"Location: {origin}/services/{KEY}/T0/n", "/services/[redacted]/T0/n"),
            (302, b"", f"Location: /services/{KEY}/T0/n", "/services/[redacted]/T0/n"),
            (302, b"", "Location: n?b", "/services/[redacted]/T0/n?b"),
            (302, b"", "Location: ", "/services/[redacted]/T0/x?a=1"),
            (302, b"", "Location: ../../n", "/services/n"),
        ):
            for errors in ("passthrough", "envelope"):
                raw = line if isinstance(line, bytes) else line.encode()
                self.begin(errors=errors, response_headers=["X-Echo"])
                raw = raw.replace(origin.encode(), self.upstream.origin.encode())
                self.upstream.steps = (answer(status, body, raw),)
                reply = await self.ask(b"/x?a=1")
                self.assertEqual(reply.status, status)
                if shown is not None:
                    where = (self.upstream.origin + shown).encode()
                    self.assertEqual(reply.values("location"), [where])
                self.assert_unseen(KEY)
                await self.judge(sent=1)

    def origin_of(self):
        """Stands for the upstream's origin, which each stage has anew."""
        return "http://the-upstream"

    async def test_redirects(self):
        """Followed below the base, however the upstream spells it; not beside it or elsewhere."""
        for location, line in (
            ("next", f"/services/{KEY}/T0/next"),
            (f"/services/{KEY}/T0/next?x", f"/services/{KEY}/T0/next?x"),
            (f"/services/{KEY}/T1", None),
            ("/services/[redacted]/T0/x", None),
            ("https://other.example/", None),
            (f"https://other.example/{KEY}", None),
        ):
            self.begin(follow_redirects=True)
            self.upstream.steps = Turns(moved(302, location), OK)
            reply = await self.ask(b"/x")
            self.assertEqual(reply.status, 302 if line is None else 200, location)
            if line is not None:
                self.assertEqual(self.upstream.requests[1].line, f"GET {line} HTTP/1.1".encode())
            self.assert_unseen(KEY)
            await self.judge(sent=1 if line is None else 2)

    async def test_redirects_beyond_the_base(self):
        """To another origin that the route allows: without the secret, or not at all."""
        for path, status in (("/there", 200), (f"/there?{KEY}", 302)):
            self.start(server={"allow_networks": ["127.0.0.1/32"]})
            self.keyed = False
            other = ScriptedUpstream(self, OK)
            self.upstream.steps = (moved(302, other.origin + path),)
            route = {
                "target": self.upstream.origin + "/services/${env:PLACED_KEY}",
                "forward_headers": {},
                "forward_query": {"key": "${env:BASIC_PASSWORD}"},
                "methods": ["GET"],
                "follow_redirects": True,
                "allowed_hosts": ["127.0.0.1"],
                "allowed_schemes": ["http"],
                "allowed_ports": [other.port],
            }
            self.mount("/pin", self.upstream, KEY, route)
            self.assertEqual((await self.ask(b"/x")).status, status)
            lines = [received.line for received in other.requests]
            self.assertEqual(lines, [b"GET /there HTTP/1.1"] if status == 200 else [])
            self.assert_unseen(KEY, PASSWORD)
            await self.judge(sent=1)

    async def test_explained(self):
        """By its source."""
        self.begin()
        proxy = self.running.server.routes()[-1].proxy
        for url in ("/x?q", f"{self.upstream.origin}/services/{KEY}/T0/x?q"):
            first, *_ = await explain(proxy, url, self.resolver, reactor)
            self.assertTrue(first.text.endswith("/services/${env:PLACED_KEY}/T0/x?q"), first)
        first, *_ = await explain(proxy, self.upstream.origin + "/y", self.resolver, reactor)
        self.assertFalse(first.allowed)
        self.assertNotIn(KEY, repr(first))
        await self.judge(sent=0)

    async def test_another_sites_page(self):
        """The route carries a key."""
        self.begin()
        raw = get(b"/api/v1/pin").replace(b"\r\n\r\n", b"\r\nSec-Fetch-Site: cross-site\r\n\r\n")
        self.assert_error(await self.converse(raw), 403, "CROSS_SITE_NOT_ALLOWED")
        await self.judge(sent=0)


class HostsTests(PlaceStage):
    """``hosts``: keys of single hosts, which are names of one upstream here."""

    A, B, C = "127.0.0.1", "api.example.com", "www.sub.example.org"
    keys = {
        "forward_headers": {"Authorization": "Bearer canary-of-all-others"},
        "forward_query": {"key": "canary-of-all-others"},
        "hosts": {
            "127.0.0.1": {"forward_headers": {"X-Key": "${env:PLACED_KEY}"}},
            "API.example.com": {"forward_query": {"token": "${env:BASIC_PASSWORD}"}},
        },
        "methods": ["GET", "POST"],
    }
    others = "canary-of-all-others"

    async def ask(self, host, below="/m", path=b"/api/v1/x"):
        """The one answer to a GET of a page that names *host*."""
        url = f"http://{host}:{self.upstream.port}{below}".encode()
        (reply,) = await self.converse(self.request(method=b"GET", url=url, body=b"", path=path))
        return reply

    async def test_sent(self):
        """A host's table takes the place of the route's keys; nobody gets another's."""
        sent = (
            (self.A, b"/m", [], [KEY.encode()]),
            (self.B, f"/m?token={PASSWORD}".encode(), [], []),
            (self.C, f"/m?key={self.others}".encode(), [f"Bearer {self.others}".encode()], []),
        )
        self.start(**self.keys)
        for number, (host, target, authorization, key) in enumerate(sent):
            self.assertEqual((await self.ask(host)).status, 200)
            received = self.upstream.requests[number]
            self.assertEqual(received.line, b"GET " + target + b" HTTP/1.1")
            self.assertEqual(received.values("authorization"), authorization)
            self.assertEqual(received.values("x-key"), key)
        self.assert_unseen(KEY, PASSWORD, self.others)
        await self.judge(sent=3)

    async def test_named_by_the_page(self):
        """What a host's table sets, a page can't set there; elsewhere it can."""
        self.start(**self.keys)
        for host, query, status in (
            (self.A, "?key=mine&token=mine", 200),
            (self.B, "?key=mine", 200),
            (self.B, "?TOKEN=mine", 400),
            (self.C, "?token=mine", 200),
            (self.C, "?key=mine", 400),
        ):
            self.assertEqual((await self.ask(host, "/m" + query)).status, status, (host, query))
        await self.judge(sent=3)

    async def test_echoed(self):
        """Every host's guard looks for the keys of all."""
        text = f"{KEY} {PASSWORD} {self.others}"
        for host in (self.A, self.B, self.C):
            location = f"Location: https://other.example/{text.replace(' ', '/')}".encode()
            for step in (answer(401, text.encode()), answer(302, b"", location)):
                self.start(step, errors="passthrough", **self.keys)
                await self.ask(host)
                self.assertEqual(b"".join(self.heard).count(b"[redacted]"), 3)
                self.assert_unseen(KEY, PASSWORD, self.others)
                await self.judge(sent=1)

    async def test_redirects(self):
        """From one host with keys to another: neither gets what is the other's."""
        hosts = (self.A, self.B, self.C)
        for first, second in ((a, b) for a in hosts for b in hosts if a != b):
            self.start(follow_redirects=True, **self.keys)
            there = f"http://{second}:{self.upstream.port}/there"
            self.upstream.steps = Turns(moved(302, there), OK)
            self.assertEqual((await self.ask(first)).status, 200)
            received = self.upstream.requests[1]
            self.assertEqual(received.line, b"GET /there HTTP/1.1")
            for key in (KEY, PASSWORD, self.others):
                self.assertNotIn(key.encode(), received.raw)
            await self.judge(sent=2)

    async def test_callables(self):
        """A host's headers may be made for one request; the other keys are looked for, too."""
        made = "canary-made-for-one-request"
        table = {"forward_headers": lambda request: {"X-Made": made}}
        keys = {**self.keys, "hosts": {**self.keys["hosts"], self.C: table}}
        self.start(answer(401, f"{made} {KEY}".encode()), errors="passthrough", **keys)
        self.assertEqual((await self.ask(self.C)).body, b"[redacted] [redacted]")
        self.assertEqual(self.upstream.requests[0].values("x-made"), [made.encode()])
        self.assertEqual(self.upstream.requests[0].values("authorization"), [])
        await self.judge(sent=1)

    async def test_signatures(self):
        """A host with a table of its own gets no signature of the route's either."""
        self.start(sign=lambda request: {"X-Signature": "canary-signature"}, **self.keys)
        for number, (host, signed) in enumerate(((self.A, 0), (self.B, 0), (self.C, 1))):
            self.assertEqual((await self.ask(host)).status, 200)
            received = self.upstream.requests[number]
            self.assertEqual(received.values("x-signature"), [b"canary-signature"] * signed)
        await self.judge(sent=3)

    async def test_another_sites_page(self):
        """A key of one host is a key of the route."""
        self.start(**{**self.keys, "forward_headers": {}, "forward_query": {}})
        raw = self.request(b"Sec-Fetch-Site: cross-site")
        self.assert_error(await self.converse(raw), 403, "CROSS_SITE_NOT_ALLOWED")
        await self.judge(sent=0)
