"""Fakes that more than one test uses."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress
from twisted.web.resource import IResource, Resource
from twisted.web.test.requesthelper import DummyRequest
from zope.interface import implementer

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.errors import ProxyError
from naap_twisted.interfaces import IDownstreamRequest

#: Stands before a command that is to be interrupted. Tests in the background of a shell have
#: SIGINT ignored, and what they start would ignore it as well.
INTERRUPTIBLE = [
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    " os.execv(sys.argv[1], sys.argv[1:])",
]


@implementer(IDownstreamRequest)
class FakeRequest(DummyRequest):
    """A request on our site, without a connection.

    :param headers: request headers; a list value is a repeated header.
    :ivar refused: the ProxyError it was refused with, or ``None``.
    :ivar rendered: the resources it was passed on to, in order.
    """

    body = None
    content = None
    outer = b""
    relayed = False
    compression = None
    etag = None
    code = 200
    defaultContentType = b"text/html"

    def __init__(
        self,
        method: bytes = b"GET",
        uri: bytes = b"/",
        headers: dict[str, str | list[str]] | None = None,
        *,
        secure: bool = False,
        client: IAddress | None = None,
    ) -> None:
        super().__init__([])
        self.client = client or IPv4Address("TCP", "192.0.2.7", 50000)
        self.method = method
        self.uri = uri
        self.path = uri.partition(b"?")[0]
        self.clientproto = b"HTTP/1.1"
        self.secure = secure
        self.record = ExchangeRecord()
        self.refused: ProxyError | None = None
        self.rendered: list[IResource] = []
        self.failure: Any = None
        for name, value in (headers or {}).items():
            values = [value] if isinstance(value, str) else value
            self.requestHeaders.setRawHeaders(name, values)

    def isSecure(self) -> bool:
        return self.secure

    def setHeader(self, name: Any, value: Any) -> None:
        # DummyRequest adds where every real request replaces.
        self.responseHeaders.setRawHeaders(name, [value])

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        self.code = code
        super().setResponseCode(code, message)

    def refuse(self, error: ProxyError) -> None:
        assert self.refused is None and not self.finished, "answered twice"
        self.refused = error
        self.code = error.http_status
        self.finish()

    def when_gone(self, callback: Any) -> None:
        if not self.finished:
            self.notifyFinish().addErrback(lambda _: callback())

    def render(self, resource: IResource) -> None:
        assert self.refused is None and not self.finished, "passed on after an answer"
        self.rendered.append(resource)
        super().render(resource)

    def processingFailed(self, reason: Any) -> Any:
        self.failure = reason
        return super().processingFailed(reason)

    def abort(self) -> None:
        raise AssertionError("nothing here aborts")

    def sent(self, name: str) -> str | None:
        """A response header's value, several joined as HTTP would; ``None`` if not set."""
        values = self.responseHeaders.getRawHeaders(name)
        return None if values is None else ", ".join(values)

    def sent_list(self, name: str) -> list[str]:
        """A comma-separated response header as a list."""
        value = self.sent(name)
        return [] if not value else [part.strip() for part in value.split(",")]


def verify_protocol(protocol: type, found: object) -> None:
    """Refuse a class or an object that lacks what *protocol* names, or calls arguments otherwise.

    What ``zope.interface.verify`` is for interfaces. An attribute need not be there on a class.

    :raises AssertionError: what is not as it has to be.
    """
    whose = found if isinstance(found, type) else type(found)
    for name in inspect.get_annotations(protocol):
        assert isinstance(found, type) or hasattr(found, name), f"{whose} has no {name}"
    for name, method in vars(protocol).items():
        if not name.startswith("_"):
            assert callable(getattr(found, name, None)), f"{whose} has no {name}()"
            wanted, has = (
                list(inspect.signature(f).parameters) for f in (method, getattr(whose, name))
            )
            assert has == wanted, f"{whose}.{name} takes {has}, not {wanted}"


class Answer(Resource):
    """Answers ``b"inner"`` to everything."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        return b"inner"
