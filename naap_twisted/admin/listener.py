"""``admin_listen``: the port for operators and developers, which the public never sees.

It opens with the server and closes after it, so that /readyz says "not ready" while the server
drains.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from attrs import asdict
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from twisted.logger import Logger
from twisted.web.resource import IResource, getChildForRequest

from ..downstream.answer import own_fields, send
from ..downstream.answering import Answering, only, send_json
from ..downstream.limits import DownstreamLimits
from ..downstream.regime import Regime
from ..downstream.site import DownstreamSite
from ..errors import NotFound
from ..interfaces import IDownstreamRequest
from ..options.listen import parse_listen
from ..page.page import console_children
from ..server.ports import ListeningPort
from ..wrappers.request_id import RequestId
from ..wrappers.security_headers import SecurityHeaders
from .console import Console
from .guard import check_host, check_local, check_same_origin
from .ready import Readiness
from .setup import own_origins
from .sums import metrics_of_all
from .usage import UsageTotals

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

_LIMITS = DownstreamLimits(
    connections=256, connections_per_address=128, form=64 * 1024, lingering=32
)


class AdminListener:
    """The admin port of *server*.

    :param description: the endpoint string of ``admin_listen``.
    :ivar port: its socket.
    """

    _log = Logger()

    def __init__(self, server: PluginServer, description: str) -> None:
        clock = server.parts.clock
        self._site = DownstreamSite(_root(server), limits=_LIMITS, reactor=clock)
        self.port = ListeningPort(clock, description, self._site)

    def open(self) -> None:
        """Listen.

        :raises CannotListenError: the address is taken.
        """
        if not parse_listen(self.port.description).local:
            self._log.warn(
                "admin_listen = {listen}: /readyz and /metrics answer other machines without a"
                " password; listen on loopback, or let a firewall decide who may ask",
                listen=self.port.description,
            )
        self.port.privilegedStartService()
        self.port.startService()

    def serve(self, server: PluginServer) -> None:
        """Tell of *server* from now on."""
        self._site.serve(Regime(_root(server), _LIMITS))

    async def close(self) -> None:
        """Stop listening, and cut every connection."""
        await self.port.stopService()
        self._site.drain()
        for channel in list(self._site.open):
            channel.abort()
        self._site.ticker.stop()


def _root(server: PluginServer) -> IResource:
    return RequestId(SecurityHeaders(AdminRoot(server)))


class AdminRoot(Answering):
    """``/readyz``, ``/metrics``, ``/usage``, ``/reload``, the console's API and its page."""

    def __init__(self, server: PluginServer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._readiness = Readiness(server)
        self._metrics = metrics_of_all(server)
        self._crew = server.parts.setting.crew
        self._beside: dict[bytes, IResource] = {
            **console_children(lambda: own_origins(server)),
            b"console": Console(server),
            b"usage": UsageTotals(server),
        }

    async def serve(self, request: IDownstreamRequest) -> None:
        """Answer by path; the console and its page answer to this machine only."""
        host = check_host(request, self._server.parts.options.server_names)
        if request.path == b"/readyz":
            only(request, b"GET", b"HEAD")
            report = await self._readiness.report()
            send_json(request, report, 503 if report["failing"] else 200)
        elif request.path == b"/metrics":
            only(request, b"GET", b"HEAD")
            if self._crew is not None:
                await self._crew.look()
            metrics = generate_latest(self._metrics)
            send(request, 200, own_fields(metrics, CONTENT_TYPE_LATEST.encode("ascii")), metrics)
        elif request.path == b"/reload":
            only(request, b"POST")
            check_local(request)
            check_same_origin(request, host)
            await self._reload(request)
        else:
            check_local(request)
            self._render_beside(request)

    async def _reload(self, request: IDownstreamRequest) -> None:
        reload = self._server.reload
        if reload is None:
            raise NotFound("This server is built in code: it has no config file to read again")
        told = reload()
        if isinstance(told, Awaitable):
            told = await told
        send_json(request, asdict(told), 422 if told.problems else 200)

    def _render_beside(self, request: IDownstreamRequest) -> None:
        first, *rest = request.postpath
        if first not in self._beside:
            raise NotFound("This port has /readyz, /metrics, /usage and the console at /")
        request.prepath, request.postpath = [first], rest
        request.render(getChildForRequest(self._beside[first], request))
