"""The stage's upstream: a vendor's API that refuses what the real one refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from email import message_from_bytes
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

#: The vendor's key, which only the server has, and the token that its clients get in its place.
KEY = "vendor-key-9c1f03a7"
TOKEN = "token-of-ada-51d2"


@define
class Call:
    """One request as the vendor got it.

    :ivar at: when, in seconds of the monotonic clock.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float = field(factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, bytes]:
        """The parts of a multipart body (RFC 7578): those of files as ``name/filename``."""
        assert "content-encoding" not in self.headers, "a form that nobody reads"
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n"
        found: dict[str, bytes] = {}
        for part in message_from_bytes(head.encode() + self.body).get_payload():
            name = part.get_param("name", header="content-disposition")
            file = part.get_filename()
            found[f"{name}/{file}" if file else name] = part.get_payload(decode=True)
        return found


@define
class Reply:
    """What the vendor answers.

    :ivar events: pieces of a streamed body, sent one by one; then *hold* keeps the stream open.
    :ivar cut: the connection is cut in the answer's place.
    """

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(factory=dict)
    body: bytes | None = None
    events: Iterable[bytes] = ()
    hold: bool = False
    delay: float = 0.0
    cut: bool = False


class Vendor(Resource):
    """Asks *answer* for a :class:`Reply` to each call, and notes who leaves early.

    :ivar calls: every call that arrived.
    :ivar paid: calls that were answered with 2xx.
    :ivar aborts: calls whose caller left before the answer ended.
    """

    isLeaf = True

    def __init__(self, answer: Callable[[Call], Reply]) -> None:
        super().__init__()
        self.answer = answer
        self.calls: list[Call] = []
        self.paid = 0
        self.aborts = 0

    def render(self, request: Request) -> Any:
        path, _, query = request.uri.decode("latin-1").partition("?")
        headers = {
            name.decode().lower(): b", ".join(values).decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        call = Call(request.method.decode(), path, query, headers, request.content.read())
        self.calls.append(call)
        reply = self.answer(call)
        sending = deferLater(reactor, reply.delay, self._send, request, reply)
        sending.addErrback(lambda failure: failure.trap(CancelledError))
        request.notifyFinish().addErrback(self._left, sending)
        return NOT_DONE_YET

    def _left(self, _: object, sending: Any) -> None:
        self.aborts += 1
        sending.cancel()

    def _send(self, request: Request, reply: Reply) -> None:
        if reply.cut:
            request.transport.abortConnection()
            return
        self.paid += reply.status < 300
        request.setResponseCode(reply.status)
        body = reply.body
        if body is None:
            body = b"" if reply.document is None else json.dumps(reply.document).encode()
        kind = "text/event-stream" if reply.events else "application/json"
        for name, value in {"Content-Type": kind, **reply.headers}.items():
            request.setHeader(name, value)
        if not reply.events:
            request.setHeader("Content-Length", str(len(body)))
            request.write(body)
            request.finish()
            return
        for event in reply.events:
            request.write(event)
        if not reply.hold:
            request.finish()


def sse(*documents: Any, names: Iterable[str] = (), done: bool = False) -> list[bytes]:
    """Server-sent events, one a document, with an event name where *names* has one."""
    named = [*names]
    events = []
    for index, document in enumerate(documents):
        name = f"event: {named[index]}\n" if index < len(named) else ""
        events.append(f"{name}data: {json.dumps(document)}\n\n".encode())
    return [*events, b"data: [DONE]\n\n"] if done else events
