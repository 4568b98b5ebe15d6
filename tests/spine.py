"""A browser, a server and an upstream in memory: the spine from end to end without a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from treq.testing import StubTreq
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import ITransport
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from naap_twisted import ExternalProxy, PluginServer, create_external_proxy, create_plugin_server
from naap_twisted.interfaces import IUpstream
from naap_twisted.model import OutboundRequest
from naap_twisted.route.spine import MountedProxy
from naap_twisted.upstream.agent import TreqUpstream

TARGET = "https://api.example.com/v1/chat"
JSON = ("Content-Type", "application/json")
Pairs = Sequence[tuple[str, str]]


@frozen
class Seen:
    """A request as the upstream got it."""

    method: str
    uri: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """A header's only value."""
        values = self.headers.getRawHeaders(name)
        assert values is None or len(values) == 1, values
        return values[0] if values else None


class Upstream(Resource):
    """Answers what it is told to, and remembers what it was asked.

    :ivar silent: never answers.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.code = 200
        self.headers: Pairs = [JSON]
        self.body = b'{"ok": true}'
        self.silent = False
        self.seen: list[Seen] = []

    def render(self, request: Any) -> Any:
        self.seen.append(
            Seen(
                request.method.decode(),
                request.uri.decode(),
                request.requestHeaders,
                request.content.read(),
            )
        )
        request.defaultContentType = None
        request.setResponseCode(self.code)
        for name, value in self.headers:
            request.responseHeaders.addRawHeader(name, value)
        return NOT_DONE_YET if self.silent else self.body


@frozen
class Answer:
    """A response as the browser got it."""

    code: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """All of a header's values as one; ``None`` if it is not there."""
        values = self.headers.getRawHeaders(name)
        return None if values is None else ", ".join(values)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """Status and code of one of our own errors."""
        return self.code, self.json["error"]["code"]

    @property
    def message(self) -> str:
        return self.json["error"]["message"]


@implementer(ITransport)
class BrowserTransport(StringTransport):
    """A string transport that can be cut."""

    aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Not here."""

    def abortConnection(self) -> None:
        self.aborted = True
        self.protocol.connectionLost(Failure(ConnectionAborted()))


def connect(site: Site, client: str = "192.0.2.7") -> BrowserTransport:
    """A browser's connection to *site*; requests go in by ``transport.protocol.dataReceived``."""
    peer = IPv4Address("TCP", client, 50000)
    protocol = site.buildProtocol(peer)
    transport = BrowserTransport(IPv4Address("TCP", "192.0.2.1", 80), peer)
    transport.protocol = protocol
    protocol.makeConnection(transport)
    return transport


def request_bytes(method: str, path: str, headers: Pairs, body: bytes | None) -> bytes:
    """A request as it stands on the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def read_answer(raw: bytes) -> Answer:
    """The one response in *raw*; AssertionError if it is not complete."""
    head, gap, rest = raw.partition(b"\r\n\r\n")
    assert gap, f"no response head in {raw!r}"
    status, *lines = head.split(b"\r\n")
    headers = Headers()
    for line in lines:
        name, _, value = line.partition(b": ")
        headers.addRawHeader(name, value)
    if headers.hasHeader("transfer-encoding"):
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
            if size == b"0":
                break
        else:
            raise AssertionError("the chunked body has no end")
    else:
        body = rest
        declared = headers.getRawHeaders("content-length", [str(len(body))])[0]
        assert len(body) in (int(declared), 0), f"{declared} bytes declared: {body!r}"
    return Answer(int(status.split(b" ")[1]), headers, body)


def ask_site(
    site: Site,
    method: str,
    path: str,
    headers: Pairs = (),
    body: bytes | None = None,
) -> Answer:
    """One request on a connection of its own."""
    transport = connect(site)
    transport.protocol.dataReceived(request_bytes(method, path, headers, body))
    return read_answer(transport.value())


@define
class Spine:
    """A server with one proxy route at ``/api/v1/x``, and its upstream."""

    upstream: Upstream
    server: PluginServer
    proxy: MountedProxy
    path: str = "/api/v1/x"
    stock: bool = False
    _site: Site | None = field(default=None)

    @property
    def site(self) -> Site:
        """Our site, or Twisted's own where ``stock`` is set."""
        if self._site is None:
            stock = Site(self.server.resource(), reactor=MemoryReactorClock())
            self._site = stock if self.stock else self.server.site()
        return self._site

    def ask(
        self,
        method: str = "POST",
        *,
        target: str | None = TARGET,
        headers: Pairs = (JSON,),
        body: bytes | None = b"{}",
        below: str = "",
    ) -> Answer:
        """What the browser gets for one request."""
        named = [*headers] if target is None else [*headers, ("X-Target-URL", target)]
        return ask_site(self.site, method, self.path + below, named, body)

    @property
    def sent(self) -> Seen:
        """The last request that went upstream."""
        return self.upstream.seen[-1]


def make_server(**options: Any) -> PluginServer:
    """A server with neither auth nor limits, on a reactor of its own that does nothing."""
    defaults: dict[str, Any] = {
        "require_auth": False,
        "rate_limit": None,
        "reactor": MemoryReactorClock(),
    }
    return create_plugin_server("spine", **(defaults | options))


def make_proxy(upstream: Upstream, **options: Any) -> ExternalProxy:
    """A route to *upstream*; its target is api.example.com unless *options* say otherwise."""
    if "target" not in options:
        options.setdefault("allowed_hosts", ["api.example.com"])
    return create_external_proxy(upstream=TreqUpstream(StubTreq(upstream)), **options)


def make_spine(
    server: dict[str, Any] | None = None, *, stock: bool = False, **options: Any
) -> Spine:
    """All three, with the route's *options*."""
    upstream = Upstream()
    plugin = make_server(**(server or {}))
    plugin.mount("/x", make_proxy(upstream, **options))
    proxy = plugin.routes()[0].proxy
    assert proxy is not None
    return Spine(upstream, plugin, proxy, stock=stock)


class Scripted:
    """An upstream that ends in a given way, and remembers what it was sent."""

    def __init__(self, outcome: Callable[[], Any]) -> None:
        self.outcome = outcome
        self.sent: list[OutboundRequest] = []

    def send(self, outbound: OutboundRequest) -> Any:
        self.sent.append(outbound)
        return self.outcome()

    def close(self) -> Deferred[None]:
        return succeed(None)


def begin(upstream: IUpstream, **options: Any) -> BrowserTransport:
    """A browser's connection with one request on its way to *upstream*."""
    server = make_server()
    hosts = ["api.example.com"]
    server.mount("/x", create_external_proxy(allowed_hosts=hosts, upstream=upstream, **options))
    transport = connect(server.site())
    head = [JSON, ("X-Target-URL", TARGET)]
    transport.protocol.dataReceived(request_bytes("POST", "/api/v1/x", head, b"{}"))
    return transport
