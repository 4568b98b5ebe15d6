"""``admin_listen``: a port of its own for what the public never sees.

It opens with the server and closes after it, so that it can say "not ready" while the rest drains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource, getChildForRequest
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..config.listen import parse_listen
from ..downstream.limits import DownstreamLimits
from ..downstream.site import DownstreamSite
from ..errors import InternalError, MethodNotAllowed, NotFound, ProxyError
from ..interfaces import IDownstreamRequest, IHeadResource
from ..page.page import console_children as page_children
from ..ports import ListeningPort
from ..wrappers.request_id import RequestId
from ..wrappers.security_headers import SecurityHeaders
from .console import console_children, send_json
from .guard import check_host, check_local
from .metrics import Metrics
from .ready import Readiness
from .setup import own_origins

if TYPE_CHECKING:
    from ..server import PluginServer

_LIMITS = DownstreamLimits(
    connections=256, connections_per_address=128, form=64 * 1024, linger=256 * 1024
)


class AdminListener:
    """The admin port of *server*.

    :param description: its endpoint string.
    """

    _log = Logger()

    def __init__(self, server: PluginServer, description: str) -> None:
        clock = server.parts.clock
        root = RequestId(SecurityHeaders(AdminRoot(server)))
        self._site = DownstreamSite(root, limits=_LIMITS, reactor=clock)
        self._port = ListeningPort(clock, description, self._site)

    @property
    def address(self) -> str:
        """Where it listens, as ``scheme://host:port``, else its endpoint string."""
        return self._port.address

    def open(self) -> None:
        """Listen.

        :raises CannotListenError: that can't be.
        """
        if not parse_listen(self._port.description).local:
            self._log.warn(
                "/readyz and /metrics answer other machines, without a password: {listen}",
                listen=self._port.description,
            )
        self._port.privilegedStartService()  # type: ignore[no-untyped-call]
        self._port.startService()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Stop listening; who is connected is cut off."""
        await self._port.stopService()  # type: ignore[no-untyped-call]
        self._site.drain()
        for channel in list(self._site.open):
            channel.abort()
        self._site.ticker.stop()


@implementer(IHeadResource)
class AdminRoot(Resource):
    """``/readyz``, ``/metrics``, the console's API and its page at ``/``."""

    isLeaf = True
    _log = Logger()

    def __init__(self, server: PluginServer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._readiness = Readiness(server, server.parts.clock)
        self._metrics = Metrics(server)
        self._beside: dict[bytes, IResource] = {
            **page_children(lambda: own_origins(server)),
            **console_children(server),
        }

    def render(self, request: IDownstreamRequest) -> int:
        """See the module."""
        exchange = Deferred.fromCoroutine(self._serve(request))
        request.when_gone(exchange.cancel)
        exchange.addErrback(self._failed, request)
        return NOT_DONE_YET

    async def _serve(self, request: IDownstreamRequest) -> None:
        check_host(request, self._server.parts.options.server_names)
        if request.path == b"/readyz":
            _read_only(request)
            report = await self._readiness.report()
            send_json(request, report, 503 if report["failing"] else 200)
        elif request.path == b"/metrics":
            _read_only(request)
            send_text(request, self._metrics.text())
        else:
            check_local(request)
            self._render_beside(request)

    def _render_beside(self, request: IDownstreamRequest) -> None:
        first, *rest = request.postpath
        if first not in self._beside:
            raise NotFound("This port has /readyz, /metrics and the console at /")
        request.prepath, request.postpath = [first], rest
        request.render(getChildForRequest(self._beside[first], request))

    def _failed(self, failure: Failure, request: IDownstreamRequest) -> None:
        if failure.check(CancelledError):
            return  # the caller left
        error = failure.value
        if not isinstance(error, ProxyError):
            self._log.failure("The admin port failed", failure)
            error = InternalError()
        request.refuse(error)


def send_text(request: Any, text: bytes) -> None:
    """A scrape's answer."""
    headers = request.responseHeaders
    headers.setRawHeaders(b"Content-Type", [CONTENT_TYPE_LATEST.encode("ascii")])
    headers.setRawHeaders(b"Content-Length", [b"%d" % len(text)])
    headers.setRawHeaders(b"Cache-Control", [b"no-store"])
    request.write(text)
    request.finish()


def _read_only(request: IDownstreamRequest) -> None:
    if request.method not in (b"GET", b"HEAD"):
        raise MethodNotAllowed(headers=((b"Allow", b"GET, HEAD"),))
