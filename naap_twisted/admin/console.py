"""The console's API: ``/console/setup`` and ``/console/explain``, for this port's own page only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..body import BodyPolicy
from ..errors import InternalError, MethodNotAllowed, NotFound, ProxyError
from ..interfaces import IDownstreamRequest, IHeadResource
from .decision import Question, decide
from .guard import check_host, check_local, check_same_origin
from .setup import setup_of

if TYPE_CHECKING:
    from ..server import PluginServer

MOST_BODY = 64 * 1024
_BODY = BodyPolicy(("application/json",), MOST_BODY, required=True)


def console_children(
    server: PluginServer, *, tries: Mapping[str, str] | None = None
) -> dict[bytes, IResource]:
    """What to put below a root for the console of *server*: ``{b"console": ...}``.

    :param tries: a target to try, by the route's full path.
    """
    return {b"console": Console(server, tries or {})}


@implementer(IHeadResource)
class Console(Resource):
    """Answers ``setup`` and ``explain`` below the path it hangs at.

    It judges its callers itself (:mod:`.guard`), so that it is safe wherever it hangs, and takes
    back what the CORS wrapper of a proxy's own port would have granted to every page.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, server: PluginServer, tries: Mapping[str, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._tries = tries

    def render(self, request: IDownstreamRequest) -> int:
        """See the module."""
        exchange = Deferred.fromCoroutine(self._serve(request))
        request.when_gone(exchange.cancel)
        exchange.addErrback(self._failed, request)
        return NOT_DONE_YET

    async def _serve(self, request: IDownstreamRequest) -> None:
        headers = request.responseHeaders
        for name in (b"origin", b"credentials"):
            headers.removeHeader(b"access-control-allow-" + name)
        headers.removeHeader(b"access-control-expose-headers")
        headers.setRawHeaders(b"Cross-Origin-Resource-Policy", [b"same-origin"])
        check_local(request)
        host = check_host(request, self._server.parts.options.server_names)
        check_same_origin(request, host)
        send_json(request, await self._answer(request))

    async def _answer(self, request: IDownstreamRequest) -> Any:
        below = b"/".join(request.postpath)
        if below == b"setup":
            _only(request, b"GET", b"HEAD")
            return setup_of(self._server, self._tries)
        if below != b"explain":
            raise NotFound()
        _only(request, b"POST")
        body, _ = await _BODY.open(request)
        assert isinstance(body, bytes)  # it is required, and JSON is read whole
        # No field is a number, and a huge one takes Python long to read.
        document = json.loads(body, parse_int=bool, parse_float=bool)
        question = Question.read(document)
        return await decide(self._server, question, self._server.parts.clock)

    def _failed(self, failure: Failure, request: IDownstreamRequest) -> None:
        if failure.check(CancelledError):
            return  # the page left
        error = failure.value
        if not isinstance(error, ProxyError):
            self._log.failure("The console failed", failure)
            error = InternalError()
        request.refuse(error)


def send_json(request: IDownstreamRequest, document: Any, status: int = 200) -> None:
    """*document* as the whole answer, never from a cache."""
    payload = json.dumps(document).encode()
    request.setResponseCode(status)
    headers = request.responseHeaders
    headers.setRawHeaders(b"Content-Type", [b"application/json"])
    headers.setRawHeaders(b"Content-Length", [b"%d" % len(payload)])
    headers.setRawHeaders(b"X-Content-Type-Options", [b"nosniff"])
    headers.setRawHeaders(b"Cache-Control", [b"no-store"])
    request.write(payload)
    request.finish()


def _only(request: IDownstreamRequest, *methods: bytes) -> None:
    if request.method not in methods:
        raise MethodNotAllowed(headers=((b"Allow", b", ".join(methods)),))
