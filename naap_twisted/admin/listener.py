"""``admin_listen``: the port for operators and developers, which the public never sees.

It opens with the server and closes after it, so that /readyz says "not ready" while the server
drains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from twisted.logger import Logger
from twisted.web.resource import IResource, getChildForRequest

from ..downstream.answer import own_fields, send
from ..downstream.answering import Answering, only, send_json
from ..downstream.limits import DownstreamLimits
from ..downstream.site import DownstreamSite
from ..errors import NotFound
from ..interfaces import IDownstreamRequest
from ..options.listen import parse_listen
from ..page.page import console_children
from ..server.ports import ListeningPort
from ..wrappers.request_id import RequestId
from ..wrappers.security_headers import SecurityHeaders
from .console import Console
from .guard import check_host, check_local
from .metrics import metrics_of
from .ready import Readiness
from .setup import own_origins
from .usage import UsageTotals

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

_LIMITS = DownstreamLimits(
    connections=256, connections_per_address=128, form=64 * 1024, lingering=32
)


class AdminListener:
    """The admin port of *server*.

    :param description: the endpoint string of ``admin_listen``.
    """

    _log = Logger()

    def __init__(self, server: PluginServer, description: str) -> None:
        clock = server.parts.clock
        root = RequestId(SecurityHeaders(AdminRoot(server)))
        self._site = DownstreamSite(root, limits=_LIMITS, reactor=clock)
        self._port = ListeningPort(clock, description, self._site)

    @property
    def address(self) -> str:
        """Where it listens: ``scheme://host:port``, or a UNIX endpoint's string."""
        return self._port.address

    def open(self) -> None:
        """Listen.

        :raises CannotListenError: the address is taken.
        """
        if not parse_listen(self._port.description).local:
            self._log.warn(
                "admin_listen = {listen}: /readyz and /metrics answer other machines without a"
                " password; listen on loopback, or let a firewall decide who may ask",
                listen=self._port.description,
            )
        self._port.privilegedStartService()
        self._port.startService()

    async def close(self) -> None:
        """Stop listening, and cut every connection."""
        await self._port.stopService()
        self._site.drain()
        for channel in list(self._site.open):
            channel.abort()
        self._site.ticker.stop()


class AdminRoot(Answering):
    """``/readyz``, ``/metrics``, ``/usage``, the console's API and the page at ``/``."""

    def __init__(self, server: PluginServer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._readiness = Readiness(server)
        self._metrics = metrics_of(server)
        self._beside: dict[bytes, IResource] = {
            **console_children(lambda: own_origins(server)),
            b"console": Console(server),
            b"usage": UsageTotals(server),
        }

    async def serve(self, request: IDownstreamRequest) -> None:
        """Answer by path; the console and its page answer to this machine only."""
        check_host(request, self._server.parts.options.server_names)
        if request.path == b"/readyz":
            only(request, b"GET", b"HEAD")
            report = await self._readiness.report()
            send_json(request, report, 503 if report["failing"] else 200)
        elif request.path == b"/metrics":
            only(request, b"GET", b"HEAD")
            metrics = generate_latest(self._metrics)
            send(request, 200, own_fields(metrics, CONTENT_TYPE_LATEST.encode("ascii")), metrics)
        else:
            check_local(request)
            self._render_beside(request)

    def _render_beside(self, request: IDownstreamRequest) -> None:
        first, *rest = request.postpath
        if first not in self._beside:
            raise NotFound("This port has /readyz, /metrics, /usage and the console at /")
        request.prepath, request.postpath = [first], rest
        request.render(getChildForRequest(self._beside[first], request))
