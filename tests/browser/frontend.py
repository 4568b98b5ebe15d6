"""The stage of the frontend's tests: examples/frontend as built, served beside a real proxy."""

from __future__ import annotations

import json
import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TextIO

from twisted.internet import reactor
from twisted.web.server import Site
from twisted.web.static import Data, File

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.demo import DemoService
from naap_twisted.model import AllowedNetwork
from naap_twisted.testing import RunningServer, ScriptedUpstream

from ..demo.loopback import Tally
from .support import PACKAGES, BrowserTestCase, lacks, listen, need_packages

FRONTEND = Path(__file__).parent.parent.parent / "examples" / "frontend"
DIST = FRONTEND / "dist"
CONFIG = FRONTEND / "public" / "config.js"
BUILD = "npm ci --prefix examples/frontend && npm run build --prefix examples/frontend"
ANSWER = '[role="log"]'
ERROR = '[role="alert"] .error'
KEY = "Bearer sk-of-the-browser-tests"


def need_build() -> None:
    """Skip unless ``dist/`` is there, and of these sources."""
    built = DIST / "index.html"
    if not built.exists():
        lacks(f"examples/frontend is not built: {BUILD}")
    sources = [FRONTEND / "index.html", *FRONTEND.glob("*.json"), *FRONTEND.glob("src/**/*.*")]
    if max(path.stat().st_mtime for path in sources) > built.stat().st_mtime:
        lacks(f"examples/frontend was built from older sources: {BUILD}")


# As in docs/frontend.md. The proxy's port is not known when the page is served.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src http://127.0.0.1:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class StrictFile(File):
    """The build's files, under a policy that allows them nothing that they don't need."""

    contentTypes = {**File.contentTypes, ".js": "text/javascript"}

    def render_GET(self, request: Any) -> Any:
        request.setHeader("Content-Security-Policy", POLICY)
        return super().render_GET(request)


def app_site(config: Data) -> Site:
    """The built app with *config* for its ``config.js``."""
    root = StrictFile(str(DIST))
    root.putChild(b"config.js", config)
    return Site(root)


def event(text: str) -> bytes:
    """One streamed piece of a chat answer, as an HTTP chunk."""
    data = b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def answer(status: int, document: object, *lines: str) -> bytes:
    """A JSON answer of an upstream."""
    body = json.dumps(document).encode()
    head = [
        f"HTTP/1.1 {status} Whatever",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class FrontendTestCase(BrowserTestCase):
    """
    :ivar origin: where the page comes from; never the proxy's origin.
    :ivar upstream: the scripted API, after :meth:`stage`.
    """

    #: The page's host: cookies are shared with the proxy only where it is the same.
    host = "localhost"

    def serve(self) -> None:
        """Serve the app, whose configuration may come later."""
        need_build()
        self.config = Data(b"", "text/javascript")
        self.origin = f"http://{self.host}:{listen(self, app_site(self.config))}"

    def demo(self, media: bool = False, out: TextIO | None = None) -> DemoService:
        """The whole demo, and the app with the configuration it is shipped with.

        :param media: with the endpoint that receives; else with one that only answers.
        :param out: what the demo prints.
        """
        self.serve()
        demo = DemoService(0, reactor, out, media=media)
        self.openai = Tally(demo.openai)
        demo.startService()
        self.addCleanup(demo.stopService)
        assert demo.server is not None
        shipped = CONFIG.read_text("utf-8")
        assert "http://127.0.0.1:4020" in shipped
        root = demo.server.addresses()[0]
        self.config.data = shipped.replace("http://127.0.0.1:4020", root).encode()
        return demo

    def stage(
        self, *steps: Any, server: Any = None, app: Any = None, chat: Any = None, **route: Any
    ) -> None:
        """A scripted API, a proxy at /api/v1/assistant/openai-proxy, and the app asking it.

        :param app: further settings of config.js; *chat*: of its ``chat`` section.
        """
        self.serve()
        self.upstream = ScriptedUpstream(self, *steps)
        reachable = (AllowedNetwork(ip_network("127.0.0.1/32"), self.upstream.port),)
        options = {
            "require_auth": False,
            "allow_networks": reachable,
            "cors_origins": [self.origin],
            "drain_timeout": 1.0,
            **(server or {}),
        }
        plugin = create_plugin_server("ai-assistant", 0, **options)
        route = {
            "allowed_hosts": ["127.0.0.1"],
            "allowed_schemes": ["http"],
            "allowed_ports": [self.upstream.port],
            "allow_networks": reachable,
            "forward_headers": {"Authorization": KEY},
            **route,
        }
        plugin.mount("/assistant/openai-proxy", create_external_proxy(**route))
        self.proxy = RunningServer(self, plugin)
        settings = {
            "backends": {"ai-assistant": self.proxy.url},
            "chat": {
                "apiPath": "/api/v1/assistant/openai-proxy",
                "targetUrl": f"{self.upstream.origin}/v1/chat/completions",
                "models": ["gpt-4"],
            },
            **(app or {}),
        }
        settings["chat"].update(chat or {})
        self.config.data = f"window.NAAP = {json.dumps(settings)};".encode()

    async def visit(self, **options: Any) -> None:
        """Open the app; *options* as for :meth:`open`."""
        await self.open(**options)
        answer = await self.browse(lambda page: page.goto(self.origin + "/").all_headers())
        # React renders after "load", when it has time; a key pressed before that is lost.
        await self.browse(lambda page: page.get_by_label("Your question").wait_for())
        self.assertEqual(answer["content-security-policy"], POLICY)

    async def ask(self, question: str, model: str | None = None) -> None:
        """Type *question* and press Enter."""

        def scenario(page: Any) -> None:
            if model:
                page.get_by_label("Model").select_option(model)
            page.get_by_label("Your question").fill(question)
            page.keyboard.press("Enter")

        await self.browse(scenario)

    async def shown(self, selector: str, text: str) -> str:
        """Wait until *selector* contains *text*; all of its text."""

        def scenario(page: Any) -> Any:
            found = page.locator(selector)
            found.filter(has_text=text).wait_for()
            return found.inner_text()

        return str(await self.browse(scenario))

    async def findings(self) -> list[str]:
        """Serious and critical findings of axe-core on the page as it stands."""
        need_packages("axe-core")
        source = (PACKAGES / "axe-core" / "axe.min.js").read_text("utf-8")

        def scenario(page: Any) -> Any:
            page.evaluate(source)
            return page.evaluate("axe.run()")["violations"]

        return [
            f"{found['id']}: {[node['html'] for node in found['nodes']]}"
            for found in await self.browse(scenario)
            if found["impact"] in ("serious", "critical")
        ]

    async def picture(self, name: str) -> None:
        """Keep a screenshot in the folder that NAAP_SCREENSHOTS names, if it is set."""
        folder = os.environ.get("NAAP_SCREENSHOTS")
        if folder:
            path = str(Path(folder) / f"frontend-{name}.png")
            await self.browse(lambda page: page.screenshot(path=path, full_page=True))
