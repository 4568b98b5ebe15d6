"""The demo as one service: upstreams on loopback, the proxy before them, the page, the guide."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import sys
from ipaddress import ip_network
from typing import Any, TextIO

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.web.resource import Resource
from twisted.web.server import Site

from ..admin.console import console_children
from ..create import create_plugin_server
from ..model import AllowedNetwork, ExposeHeader, RateLimit
from ..page.page import demo_children
from ..route.spine import create_external_proxy
from ..server.plugin_server import PluginServer
from .credentials import new_authorization
from .guide import CHAT_PATH, PINNED_PATH, PINNED_WHIP_PATH, WHIP_PATH, Guide
from .media.process import INSTALL, MediaProcess, is_installed
from .media.status import MediaStatus
from .openai_upstream import OpenAIUpstream
from .whip_upstream import WhipUpstream

LOOPBACK = "127.0.0.1"
BASE_PATH = "/api/v1"


def _chat_url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}/v1/chat/completions"


def _whip_url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}/whip/demo-room"


class DemoService(MultiService):
    """Starts the upstreams, then a proxy that knows their ports, then says how to use it.

    :param port: the proxy's TCP port on loopback; 0 picks a free one.
    :param reactor: listens and keeps the time.
    :param out: where the guide goes. Not the log: a command between time stamps can't be pasted.
    :param media: whether WebRTC sessions have media behind them, received by a process of its own;
        where there is aiortc if ``None``.
    :ivar server: the proxy; ``None`` while stopped.
    :ivar guide: the commands; ``None`` while stopped.
    """

    def __init__(
        self, port: int, reactor: Any, out: TextIO | None, media: bool | None = None
    ) -> None:
        super().__init__()
        self._port = port
        self._reactor = reactor
        self._out = out
        self._listening: list[IListeningPort] = []
        self._authorization = new_authorization()
        self.openai = OpenAIUpstream(self._authorization, reactor)
        self.whip = WhipUpstream(self._authorization)
        self.media: MediaProcess | None = None
        if is_installed() if media is None else media:
            self.media = MediaProcess(self._authorization, reactor, self._say)
        self.server: PluginServer | None = None
        self.guide: Guide | None = None

    def startService(self) -> None:
        """Listen here and not earlier: twistd may fork before it, and sockets don't like that."""
        openai = self._listen(self.openai.site())
        if self.media is None:
            whip = self._listen(self.whip.site())
        else:
            self.media.startService()
            whip = self.media.port
        self.server = self._build(openai, whip)
        super().startService()
        self.server.setServiceParent(self)
        root = self.server.addresses()[0]
        self.guide = Guide(root, root + BASE_PATH, _chat_url(openai), _whip_url(whip))
        self._say(self.guide.text().rstrip("\n") + "\n")
        if self.media is None:
            self._say(f"No media behind WebRTC sessions; for that: {INSTALL}\n")

    def stopService(self) -> Deferred[Any]:
        """The proxy first, so that what it has under way can end."""
        stopped = maybeDeferred(super().stopService)
        stopped.addCallback(lambda _: self._close())
        return stopped

    def hurry(self) -> None:
        """While it stops: wait for nothing that is in flight."""
        if self.server is not None:
            self.server.hurry()

    def _say(self, text: str) -> None:
        if self._out is not None:
            self._out.write(text + "\n")
            self._out.flush()

    def _listen(self, site: Site) -> int:
        port = self._reactor.listenTCP(0, site, interface=LOOPBACK)
        self._listening.append(port)
        return int(port.getHost().port)

    def _close(self) -> Deferred[Any]:
        closing = [maybeDeferred(port.stopListening) for port in self._listening]
        self._listening.clear()
        if self.media is not None:
            closing.append(self.media.stopService())
        if self.server is not None:
            self.server.disownServiceParent()
        self.server = self.guide = None
        return DeferredList(closing)

    def _build(self, openai: int, whip: int) -> PluginServer:
        network = ip_network(f"{LOOPBACK}/32")
        reachable = tuple(AllowedNetwork(network, port) for port in (openai, whip))
        server = create_plugin_server(
            name="naap-demo",
            port=self._port,
            base_path=BASE_PATH,
            require_auth=False,
            # Its own page asks for twenty files at each reload, and every second for frames.
            rate_limit=RateLimit(requests=10_000),
            allow_networks=reachable,
            reactor=self._reactor,
        )
        self._mount(server, openai, whip, reachable)
        server.root_children.update(demo_children(BASE_PATH + CHAT_PATH, _chat_url(openai)))
        demo = Resource()
        demo.putChild(b"media", MediaStatus(self.media))
        server.root_children[b"demo"] = demo
        tries = {
            BASE_PATH + CHAT_PATH: _chat_url(openai),
            BASE_PATH + WHIP_PATH: _whip_url(whip),
            BASE_PATH + PINNED_PATH: "/models",
            BASE_PATH + PINNED_WHIP_PATH: "/demo-room",
        }
        server.root_children.update(console_children(server, tries=tries))
        return server

    def _mount(
        self,
        server: PluginServer,
        openai: int,
        whip: int,
        reachable: tuple[AllowedNetwork, ...],
    ) -> None:
        common: dict[str, Any] = {
            "forward_headers": {"Authorization": self._authorization},
            "allow_networks": reachable,
        }
        server.mount(
            CHAT_PATH,
            create_external_proxy(
                allowed_hosts=[LOOPBACK],
                allowed_schemes=["http"],
                allowed_ports=[openai],
                timeout=60.0,
                **common,
            ),
        )
        server.mount(
            WHIP_PATH,
            create_external_proxy(
                allowed_hosts=[LOOPBACK],
                allowed_schemes=["http"],
                allowed_ports=[whip],
                target_url_header="X-WHIP-URL",
                content_type="application/sdp",
                expose_headers=[ExposeHeader("Location", "X-WHIP-Resource")],
                **common,
            ),
        )
        server.mount(
            PINNED_PATH,
            create_external_proxy(
                target=f"http://{LOOPBACK}:{openai}/v1",
                methods=("GET", "POST"),
                timeout=60.0,
                **common,
            ),
        )
        # For a page that was built, or a client, that can't learn the upstream's port.
        server.mount(
            PINNED_WHIP_PATH,
            create_external_proxy(
                target=f"http://{LOOPBACK}:{whip}/whip", content_type="application/sdp", **common
            ),
        )


def create_demo_service(port: int = 4020, reactor: Any = None) -> DemoService:
    """The whole demo; opens nothing before it is started.

    :param port: the proxy's TCP port on 127.0.0.1; 0 picks a free one.
    :param reactor: the global one when ``None``.
    """
    if reactor is None:
        from twisted.internet import reactor
    # Under twistd sys.stdout is the log; this is the terminal, or nothing in the background.
    return DemoService(port, reactor, sys.__stdout__)
