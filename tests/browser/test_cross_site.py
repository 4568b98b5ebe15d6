"""What a page of another site can make Chromium send to a route with a key: what CORS judges."""

import json

from twisted.logger import globalLogPublisher

from naap_twisted import create_external_proxy
from naap_twisted.testing import RunningServer, ScriptedUpstream

from .support import BrowserTestCase, PageServer, proxy_to, until

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n" + b'{"ok":1}'
PAGE = """<!doctype html><title>page</title><link rel=icon href=data:,>
<a id=link href="{url}?link">link</a>
<form id=get action="{url}"><button id=send name=form value=1>send</button></form>
<form id=post action="{url}?form" method=post enctype="text/plain" target=frame>
<input name="{{" value="}}"><button id=posted>post</button></form>
<iframe name=frame></iframe>
<img id=image alt="">"""
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"/>'
WAVE = (
    b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\x08\0\0\0"
    + b"\x80" * 8
)
IMAGE = b"HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\nContent-Length: %d\r\n\r\n%s" % (
    len(SVG),
    SVG,
)
SOUND = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n%s" % (
    len(WAVE),
    WAVE,
)
# Whether the page can show an image or play a sound.
SHOW = """([kind, url]) => new Promise((told) => {
    const element = document.createElement(kind);
    element.onload = element.oncanplay = () => told(true);
    element.onerror = () => told(false);
    element.src = url;
})"""
FETCH = "url => fetch(url).then((answer) => answer.status)"


class CrossSiteTests(BrowserTestCase):
    """The page is on localhost, the proxy on 127.0.0.1: two sites."""

    async def begin(self, origins=None, **route) -> RunningServer:
        self.upstream = ScriptedUpstream(self, OK)
        self.pages = PageServer(self)
        origins = origins or [self.pages.origin]
        server = {"require_auth": False, "cors_origins": origins, "rate_limit": None}
        self.proxy = proxy_to(self, self.upstream.port, "/free", server)
        options = {"forward_headers": {"Authorization": "Bearer key-of-these-tests"}, **route}
        target = f"{self.upstream.origin}/v1"
        kept = create_external_proxy(
            target=target, methods=["GET", "POST"], content_type="*/*", **options
        )
        self.proxy.server.mount("/p", kept)
        self.url = f"{self.proxy.url}/api/v1/p/models"
        await self.open()
        self.expect_console("Failed to load resource", "Frame-Options|frame-ancestors|sandbox")
        self.page_url = self.pages.text("page", PAGE.format(url=self.url))
        return self.proxy

    async def answered(self, scenario):
        """What the log says of the route while *scenario* ran on a new page: status, method.

        Playwright does not tell of an image's answer that Chromium keeps from the page.
        """
        lines = []

        def heard(event):
            line = str(event.get("line", ""))
            if line.startswith("{") and '"/api/v1/p"' in line:
                lines.append(json.loads(line))

        globalLogPublisher.addObserver(heard)
        try:
            await self.browse(lambda page: page.goto(self.page_url))
            await self.browse(scenario)
            await until(lambda: lines)
        finally:
            globalLogPublisher.removeObserver(heard)
        (line,) = lines
        return line["status"], line["method"]

    async def test_without_cors(self):
        """An image, a link, forms and a frame are refused; nobody pays for them."""
        for origins in (None, "*"):
            await self.begin(origins)
            url = self.url
            load = "([tag, url]) => { document.querySelector(tag).src = url; }"
            for scenario, method in (
                (lambda page: page.evaluate(load, ["img", f"{url}?image"]), "GET"),  # noqa: B023
                (lambda page: page.evaluate(load, ["iframe", f"{url}?frame"]), "GET"),  # noqa: B023
                (lambda page: page.click("#link"), "GET"),
                (lambda page: page.click("#send"), "GET"),
                (lambda page: page.click("#posted"), "POST"),
            ):
                self.assertEqual(await self.answered(scenario), (403, method))
            self.assertEqual(self.upstream.requests, [])

    async def test_with_cors(self):
        """A script of a listed origin is what the route is for; so is an address typed by hand."""
        await self.begin()
        answer = await self.answered(lambda page: page.evaluate(FETCH, self.url))
        self.assertEqual(answer, (200, "GET"))
        self.assertEqual(await self.answered(lambda page: page.goto(self.url)), (200, "GET"))
        await until(lambda: len(self.upstream.requests) == 2)

    async def test_without_a_key(self):
        """Where nothing is added there is nothing to spend: an image may ask."""
        await self.begin(forward_headers=None)
        load = "url => { document.querySelector('img').src = url; }"
        answer = await self.answered(lambda page: page.evaluate(load, f"{self.url}?image"))
        self.assertEqual(answer, (200, "GET"))

    async def test_shown_where_the_route_allows_it(self):
        """An image and a sound on a page of a listed origin, and on no other's."""
        listed = "http://app.localhost"
        for policy, origins, shown in (
            ("cross-origin", None, True),
            ("same-origin", None, False),
            ("cross-origin", [listed], False),
            ("cross-origin", "*", False),
        ):
            await self.begin(origins, resource_policy=policy)
            self.upstream.steps = (IMAGE,)
            await self.browse(lambda page: page.goto(self.page_url))
            for kind, answer in (("img", IMAGE), ("audio", SOUND)):
                self.upstream.steps = (answer,)
                url = f"{self.url}?{kind}"
                told = await self.browse(lambda page: page.evaluate(SHOW, [kind, url]))  # noqa: B023
                self.assertEqual(told, shown, (policy, origins, kind))
            self.assertEqual(bool(self.upstream.requests), shown)

    async def test_shown_without_a_key(self):
        """Where there is no key to spend, the policy alone decides."""
        for policy, shown in (("cross-origin", True), ("same-origin", False)):
            await self.begin(["http://app.localhost"], forward_headers=None, resource_policy=policy)
            self.upstream.steps = (IMAGE,)
            await self.browse(lambda page: page.goto(self.page_url))
            told = await self.browse(lambda page: page.evaluate(SHOW, ["img", f"{self.url}?i"]))
            self.assertEqual(told, shown, policy)
