"""The server's resources on any ``twisted.web.server.Site``: its requests are adapted to ours.

A stock site hands a request on only when its body is complete, so no request body streams here.
Everything else works as on our own site.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any
from urllib.parse import unquote_to_bytes as unquote

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import directlyProvides, providedBy

from ..errors import ProxyError
from ..interfaces import IDownstreamRequest, IHeadResource
from .answer import keep_host_out, refuse_failure, send_refusal
from .answering import HeadResource
from .body import RequestBody
from .record import ExchangeRecord

_log = Logger()
_OWN = frozenset(("_original", "body", "record", "relayed", "compression", "outer", "uri", "path"))


class AdaptedRequest:
    """A stock request with what ``IDownstreamRequest`` adds; the rest is delegated to it."""

    def __init__(self, original: Request) -> None:
        self._original = original
        self.record = ExchangeRecord(started=monotonic())
        self.relayed = False
        self.compression: Any = None
        self.outer = b""
        self.uri: bytes = original.uri
        self.path: bytes = original.path
        self.body = _body_of(original)
        # Klein handlers see the original; server.user() asks it for the record.
        original.record = self.record  # type: ignore[attr-defined]
        directlyProvides(self, IDownstreamRequest, providedBy(original))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN or name.startswith("__"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._original, name, value)

    def render(self, resource: IResource) -> None:
        """Let *resource* answer: a head resource gets this request, any other the stock one."""
        if not IHeadResource.providedBy(resource):
            _keep_host_out_of(self._original)
            self._original.render(resource)  # type: ignore[attr-defined]
        elif resource.render(self) is not NOT_DONE_YET:
            raise RuntimeError("a head resource answers through the request")

    def write(self, data: bytes) -> None:
        """Write a piece of the answer and count its bytes for the log."""
        self.record.bytes_out += len(data)
        self._invent_no_type()
        self._original.write(data)

    def finish(self) -> None:
        """End the answer; a no-op once the browser has left, where Twisted's raises."""
        if not self._is_over():
            self._invent_no_type()
            self._original.finish()

    def _invent_no_type(self) -> None:
        """Keep Twisted from calling an upstream's answer that has no type ``text/html``."""
        if self.relayed:
            self._original.defaultContentType = None  # type: ignore[attr-defined]

    def refuse(self, error: ProxyError) -> None:
        """See :class:`~naap_twisted.interfaces.IDownstreamRequest`."""
        self.record.outcome, self.record.reason = error.code, error.for_log
        self.record.rule = error.rule
        if self._is_over():
            return
        if self._original.startedWriting:
            self.abort()
        else:
            send_refusal(self, error)

    def _is_over(self) -> bool:
        # Twisted takes the channel away from a request whose browser has left.
        return bool(self._original.finished) or self._original.channel is None

    def when_gone(self, callback: Callable[[], object]) -> None:
        """See :class:`~naap_twisted.interfaces.IDownstreamRequest`."""
        self._original.notifyFinish().addErrback(lambda _: callback())

    def processingFailed(self, reason: Failure) -> Failure:
        """See :class:`~naap_twisted.downstream.request.DownstreamRequest`."""
        refuse_failure(self, reason, _log, "Unhandled error in a handler")
        return reason

    def abort(self) -> None:
        """Reset the connection, so that the browser sees the answer as incomplete."""
        transport: Any = self._original.transport
        if transport is not None:
            transport.abortConnection()


class AnySite(HeadResource):
    """Makes *root*, a head resource, work on any ``Site`` and below any path.

    :param is_own: whether path segments are the beginning of a path of the server's own, such as
        its base path. Hung there, it answers for the whole path, and anywhere else for what is
        below.
    """

    def __init__(self, root: IHeadResource, is_own: Callable[[Sequence[bytes]], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._root = root
        self._is_own = is_own

    def render(self, request: Any) -> Any:
        """Adapt the request, unless it is one of ours whose body is still to be read."""
        depth = 0 if self._is_own(request.prepath) else len(request.prepath)
        ours = IDownstreamRequest.providedBy(request) and request.content is None
        adapted = request if ours else AdaptedRequest(request)
        if depth:
            _step_below(adapted, depth)
        request.prepath = []
        request.postpath = list(map(unquote, adapted.path[1:].split(b"/")))
        return self._root.render(adapted)


def _step_below(request: Any, depth: int) -> None:
    """Take the first *depth* segments off the path; the resources above have read them.

    They are counted and not compared, because Twisted hands them on decoded, and the rest of the
    request's target has to stay byte for byte.
    """
    path, mark, query = request.uri.partition(b"?")
    segments = path.split(b"/")
    request.outer += b"/".join(segments[: depth + 1])
    request.path = b"/" + b"/".join(segments[depth + 1 :])
    request.uri = request.path + mark + query


def _keep_host_out_of(original: Request) -> None:
    """Apply :func:`keep_host_out` at the first byte of an answer, for which Twisted has no hook."""
    write = original.write

    def first(data: bytes) -> None:
        del original.write  # the class's own again
        write(keep_host_out(original, data))  # type: ignore[no-untyped-call]

    original.write = first  # type: ignore[method-assign]


def _body_of(request: Request) -> RequestBody:
    content = request.content
    data = content.read() if content is not None else b""
    if content is not None:
        content.seek(0)
    body = RequestBody(None, len(data))
    if data:
        body.feed(data)
        body.end()
    return body
