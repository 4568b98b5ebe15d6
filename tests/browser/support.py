"""The stage of the browser tests: page and proxy of different origins, and Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from unittest import SkipTest
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import deferLater
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import File

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.model import AllowedNetwork
from naap_twisted.testing import RunningServer

from . import chromium

PACKAGES = Path(__file__).parent / "node_modules"
OWN_HOSTS = ("127.0.0.1", "localhost")


def lacks(reason: str) -> None:
    """Skip with *reason*; where everything has to be there (CI), fail with it."""
    if os.environ.get("CI"):
        raise AssertionError(reason)
    raise SkipTest(reason)


def need_packages(*names: str) -> None:
    """Skip unless the npm packages *names* are installed."""
    for name in names:
        if not (PACKAGES / name).is_dir():
            lacks(f"npm package {name} is missing: npm ci --prefix tests/browser")


async def until(condition: Callable[[], Any], tries: int = 1500) -> None:
    """Let the reactor work until *condition* holds; not everything tells when it changes."""
    for _ in range(tries):
        if condition():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("the condition never came true")


def listen(test: TestCase, site: Site) -> int:
    """Serve *site* on loopback until *test* ends, its kept connections too; the port."""
    # The browser keeps connections open, and tells of a closed one when it likes.
    factory = WrappingFactory(site)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")

    async def stop() -> None:
        await maybeDeferred(port.stopListening)
        for connection in list(factory.protocols):
            connection.transport.abortConnection()
        while factory.protocols:
            await deferLater(reactor, 0)

    test.addCleanup(stop)
    return int(port.getHost().port)


class _Text(Resource):
    isLeaf = True

    def __init__(self, body: str, content_type: str) -> None:
        super().__init__()
        self._body = body.encode()
        self._type = content_type

    def render_GET(self, request: Any) -> bytes:
        request.setHeader(b"content-type", self._type.encode())
        return self._body


class PageServer:
    """Serves the page under test from an origin that is not the proxy's.

    :ivar origin: such as ``http://localhost:4711``.
    """

    def __init__(self, test: TestCase, host: str = "localhost") -> None:
        self._root = Resource()
        self.origin = f"http://{host}:{listen(test, Site(self._root))}"

    def text(self, name: str, body: str, content_type: str = "text/html; charset=utf-8") -> str:
        """Serve *body* at ``/name``; its URL."""
        self._root.putChild(name.encode(), _Text(body, content_type))
        return f"{self.origin}/{name}"

    def folder(self, name: str, path: Path) -> str:
        """Serve the files below *path* at ``/name/``; that URL."""
        File.contentTypes.update({".mjs": "text/javascript", ".js": "text/javascript"})
        self._root.putChild(name.encode(), File(str(path)))
        return f"{self.origin}/{name}/"


def proxy_to(
    test: TestCase, port: int, path: str, server: dict[str, Any], **route: Any
) -> RunningServer:
    """A running proxy whose one route, at *path*, may reach *port* of this machine.

    :param server: options of ``create_plugin_server``.
    """
    reachable = (AllowedNetwork(ip_network("127.0.0.1/32"), port),)
    plugin = create_plugin_server("browser-test", 0, allow_networks=reachable, **server)
    proxy = create_external_proxy(
        allowed_hosts=["127.0.0.1"],
        allowed_schemes=["http"],
        allowed_ports=[port],
        allow_networks=reachable,
        **route,
    )
    plugin.mount(path, proxy)
    return RunningServer(test, plugin)


class BrowserTestCase(TestCase):
    """A test with a page.

    Every test fails when the page asked another host for anything, or wrote an error to the console
    that :meth:`expect_console` did not announce.

    :ivar page: playwright's Page; only for use inside :meth:`browse`.
    """

    timeout = 120
    _expected: tuple[str, ...] = ()

    async def open(self, **options: Any) -> None:
        """Make ``self.page``; *options* as for ``browser.new_context`` (viewport, color_scheme)."""
        if reason := chromium.missing():
            lacks(reason)
        self._console: list[str] = []
        self._foreign: list[str] = []
        self._chromium = chromium.Chromium.running()
        await self._chromium.call(self._open, options)
        self.addCleanup(self._closing)

    def _open(self, options: dict[str, Any]) -> None:
        self.context = self._chromium.new_context(**options)
        self.page = self.context.new_page()
        self.context.on("request", self._asked)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self._console.append(f"uncaught: {error}"))

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "file") and parts.hostname not in OWN_HOSTS:
            self._foreign.append(request.url)

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self._console.append(f"{message.text} ({message.location.get('url', '')})")

    def expect_console(self, *patterns: str) -> None:
        """Console errors that match one of *patterns* are what this test wants."""
        self._expected = (*self._expected, *patterns)

    async def browse(self, scenario: Callable[..., Any], *arguments: Any) -> Any:
        """Run *scenario(page, \\*arguments)* in the browser's thread; its result."""
        return await self._chromium.call(scenario, self.page, *arguments)

    async def _closing(self) -> None:
        await self._chromium.call(self.context.close)
        unexpected = [
            line
            for line in self._console
            if not any(re.search(pattern, line) for pattern in self._expected)
        ]
        self.assertEqual(unexpected, [], "errors in the browser's console")
        self.assertEqual(self._foreign, [], "requests to other hosts")
