"""The demo as one service: upstreams on loopback, a proxy before them, its page and its guide."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import sys
from functools import partial
from ipaddress import ip_network
from typing import Any, TextIO

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.web.resource import Resource
from twisted.web.server import Site

from ..admin.console import Console
from ..create import create_plugin_server
from ..model import AllowedNetwork, ExposeHeader, RateLimit
from ..page.page import demo_children
from ..route.spine import create_external_proxy
from ..server.plugin_server import PluginServer
from .guide import CHAT_PATH, GUEST_PATH, PINNED_PATH, PINNED_WHIP_PATH, WHIP_PATH, Guide
from .media.process import INSTALL, LOOPBACK, MediaProcess, is_installed
from .media.status import MediaStatus
from .openai_upstream import OpenAIUpstream
from .upstream import new_authorization
from .whip_upstream import WhipUpstream

BASE_PATH = "/api/v1"
#: What a guest may ask; in any hour, so that it is the same at every minute.
QUESTIONS = {"requests": 5, "per": "1h", "of": "guest"}


class DemoService(MultiService):
    """Starts the upstreams, then a proxy that may reach their ports, then prints its guide.

    :param port: the proxy's TCP port on 127.0.0.1; 0 picks a free one.
    :param reactor: listens and keeps the time.
    :param out: where the guide is printed; the log would put time stamps into its commands.
    :param media: whether a process of its own receives the media of WebRTC sessions; ``None``: if
        aiortc is installed.
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
        """Start everything; sockets that were opened earlier would not survive twistd's fork."""
        openai = self._listen(self.openai.site())
        if self.media is None:
            whip = self._listen(self.whip.site())
        else:
            self.media.startService()
            whip = self.media.port
        chat_url = f"http://{LOOPBACK}:{openai}/v1/chat/completions"
        whip_url = f"http://{LOOPBACK}:{whip}/whip/demo-room"
        self.server = self._build(openai, whip, chat_url, whip_url)
        super().startService()
        self.server.setServiceParent(self)
        root = self.server.addresses()[0]
        self.guide = Guide(root, root + BASE_PATH, chat_url, whip_url)
        self._say(self.guide.text().rstrip("\n") + "\n")
        if self.media is None:
            self._say(f"No media behind WebRTC sessions; for that: {INSTALL}\n")

    def stopService(self) -> Deferred[Any]:
        """Stop the proxy, then the upstreams, so that open exchanges can end."""
        stopped = maybeDeferred(super().stopService)
        stopped.addCallback(lambda _: self._close())
        return stopped

    def hurry(self) -> None:
        """Cut every open exchange, while the demo stops."""
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

    def _build(self, openai: int, whip: int, chat_url: str, whip_url: str) -> PluginServer:
        network = ip_network(f"{LOOPBACK}/32")
        reachable = tuple(AllowedNetwork(network, port) for port in (openai, whip))
        server = create_plugin_server(
            name="naap-demo",
            port=self._port,
            base_path=BASE_PATH,
            require_auth=False,
            guest={},
            # The demo's page loads twenty files, and asks for the count of frames every second.
            rate_limit=RateLimit(requests=10_000),
            allow_networks=reachable,
            reactor=self._reactor,
        )
        self._mount(server, openai, whip, reachable)
        server.root_children.update(
            demo_children(BASE_PATH + CHAT_PATH, chat_url, BASE_PATH, BASE_PATH + GUEST_PATH)
        )
        demo = Resource()
        demo.putChild(b"media", MediaStatus(self.media))
        server.root_children[b"demo"] = demo
        tries = {
            BASE_PATH + CHAT_PATH: chat_url,
            BASE_PATH + WHIP_PATH: whip_url,
            BASE_PATH + PINNED_PATH: "/models",
            BASE_PATH + GUEST_PATH: "/models",
            BASE_PATH + PINNED_WHIP_PATH: "/demo-room",
        }
        server.root_children[b"console"] = Console(server, tries)
        return server

    def _mount(
        self, server: PluginServer, openai: int, whip: int, reachable: tuple[AllowedNetwork, ...]
    ) -> None:
        proxy = partial(
            create_external_proxy,
            forward_headers={"Authorization": self._authorization},
            allow_networks=reachable,
        )
        by_header = partial(proxy, allowed_hosts=[LOOPBACK], allowed_schemes=["http"])
        server.mount(CHAT_PATH, by_header(allowed_ports=[openai], timeout=60.0))
        server.mount(
            WHIP_PATH,
            by_header(
                allowed_ports=[whip],
                target_url_header="X-WHIP-URL",
                content_type="application/sdp",
                expose_headers=[ExposeHeader("Location", "X-WHIP-Resource")],
            ),
        )
        target = f"http://{LOOPBACK}:{openai}/v1"
        server.mount(PINNED_PATH, proxy(target=target, methods=("GET", "POST"), timeout=60.0))
        asked = proxy(target=target, timeout=60.0, authorize="user", budget=[QUESTIONS])
        server.mount(GUEST_PATH, asked)
        # For clients that can't learn the upstream's port, such as the built example frontend.
        target = f"http://{LOOPBACK}:{whip}/whip"
        server.mount(PINNED_WHIP_PATH, proxy(target=target, content_type="application/sdp"))


def create_demo_service(port: int = 4020, reactor: Any = None) -> DemoService:
    """The demo as a service, which opens nothing before it is started.

    :param port: the proxy's TCP port on 127.0.0.1; 0 picks a free one.
    :param reactor: the global one when ``None``.
    """
    if reactor is None:
        from twisted.internet import reactor
    # Under twistd sys.stdout is the log; this is the terminal, or ``None`` in the background.
    return DemoService(port, reactor, sys.__stdout__)
