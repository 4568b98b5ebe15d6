"""The base of resources whose answer is a coroutine, which ends with its caller."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..errors import InternalError, MethodNotAllowed, ProxyError, UpstreamCut
from ..interfaces import IDownstreamRequest, IHeadResource
from .answer import own_fields, send


@implementer(IHeadResource)
class Answering(Resource):
    """A leaf resource whose :meth:`serve` answers the request, or raises the refusal.

    :cvar failure_text: the log's words for a bug in :meth:`serve` of class *where*, on *route*.
    """

    isLeaf = True
    failure_text = "{where} failed; it answered 500"
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
        if failure.check(CancelledError, UpstreamCut):
            return  # The caller left, or its connection was cut because the upstream's was.
        error = failure.value
        if not isinstance(error, ProxyError):
            where, route = type(self).__name__, request.record.route
            self._log.failure(self.failure_text, failure, where=where, route=route)
            error = InternalError()
        request.refuse(error)


def only(request: IDownstreamRequest, *methods: bytes) -> None:
    """:raises MethodNotAllowed: the request's method is none of *methods*."""
    if request.method not in methods:
        raise MethodNotAllowed(headers=((b"Allow", b", ".join(methods)),))


def send_json(request: IDownstreamRequest, document: Any, status: int = 200) -> None:
    """Send *document* as the complete answer."""
    payload = json.dumps(document).encode()
    send(request, status, own_fields(payload), payload)
