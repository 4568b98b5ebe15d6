"""The base of the admin side's resources: a coroutine that ends with its caller, and no cache."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..errors import InternalError, MethodNotAllowed, ProxyError
from ..interfaces import IDownstreamRequest, IHeadResource


@implementer(IHeadResource)
class Answering(Resource):
    """A leaf resource whose :meth:`serve` answers the request, or raises the refusal."""

    isLeaf = True
    _log = Logger()

    def render(self, request: IDownstreamRequest) -> int:
        """Begin :meth:`serve`, which is cancelled if the caller leaves."""
        exchange = Deferred.fromCoroutine(self.serve(request))
        request.when_gone(exchange.cancel)
        exchange.addErrback(self._failed, request)
        return NOT_DONE_YET

    async def serve(self, request: IDownstreamRequest) -> None:
        """Answer *request*.

        :raises ProxyError: the refusal that is sent instead.
        """
        raise NotImplementedError

    def _failed(self, failure: Failure, request: IDownstreamRequest) -> None:
        if failure.check(CancelledError):
            return  # The caller left.
        error = failure.value
        if not isinstance(error, ProxyError):
            self._log.failure("{where} failed; it answered 500", failure, where=type(self).__name__)
            error = InternalError()
        request.refuse(error)


def only(request: IDownstreamRequest, *methods: bytes) -> None:
    """:raises MethodNotAllowed: the request's method is none of *methods*."""
    if request.method not in methods:
        raise MethodNotAllowed(headers=((b"Allow", b", ".join(methods)),))


def send_json(request: IDownstreamRequest, document: Any, status: int = 200) -> None:
    """Send *document* as the complete answer."""
    send(request, json.dumps(document).encode(), "application/json", status)


def send(request: Any, payload: bytes, content_type: str, status: int = 200) -> None:
    """Send *payload* as the complete answer."""
    request.setResponseCode(status)
    headers = request.responseHeaders
    headers.setRawHeaders(b"Content-Type", [content_type.encode("ascii")])
    headers.setRawHeaders(b"Content-Length", [b"%d" % len(payload)])
    headers.setRawHeaders(b"X-Content-Type-Options", [b"nosniff"])
    headers.setRawHeaders(b"Cache-Control", [b"no-store"])
    request.write(payload)
    request.finish()
