"""The bases of resources that answer at the end of a head; a coroutine ends with its caller."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..errors import MethodNotAllowed, UpstreamCut
from ..interfaces import IDownstreamRequest, IHeadResource
from .answer import own_fields, refuse_failure, send


@implementer(IHeadResource)
class HeadResource(Resource):
    """A leaf that gets each request at the end of its headers, and answers through it."""

    isLeaf = True


class Answering(HeadResource):
    """A leaf resource whose :meth:`serve` answers the request, or raises the refusal.

    :cvar failure_text: the log's words for a bug in :meth:`serve` of class *where*, on *route*.
    """

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
        where, route = type(self).__name__, request.record.route
        refuse_failure(request, failure, self._log, self.failure_text, where=where, route=route)


def only(request: IDownstreamRequest, *methods: bytes) -> None:
    """:raises MethodNotAllowed: the request's method is none of *methods*."""
    if request.method not in methods:
        raise MethodNotAllowed(headers=((b"Allow", b", ".join(methods)),))


def send_json(request: IDownstreamRequest, document: Any, status: int = 200) -> None:
    """Send *document* as the complete answer."""
    payload = json.dumps(document).encode()
    send(request, status, own_fields(payload), payload)
