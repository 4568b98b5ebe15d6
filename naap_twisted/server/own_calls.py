"""The server's own calls: treq clients whose requests go out under the rules of its routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from ..errors import BadGateway, UpstreamCut, naming_option
from ..framing.codings import Inflater, Unreadable, coding_of
from ..interfaces import IUpstream
from ..model import AllowedNetwork, OutboundRequest
from ..policy.egress import AnyHost, EgressPolicy
from ..route.relay import response_fields
from ..route.request_headers import injected_headers
from ..route.scrub import Guard, Scrubber
from ..secret import Secret
from ..upstream.agent import GuardedHTTPClient, VettedAgent
from ..upstream.beginning import discard

_SLICE = 64 * 1024


def open_client(upstream: IUpstream, networks: Sequence[AllowedNetwork]) -> GuardedHTTPClient:
    """A client for URLs that code or a user chooses: any public host, and the listed *networks*."""
    return GuardedHTTPClient(VettedAgent(upstream, AnyHost(networks)))


def keyed_client(
    upstream: IUpstream, policy: EgressPolicy, forward_headers: Mapping[str, str | Secret]
) -> GuardedHTTPClient:
    """A client that adds *forward_headers* and asks only where *policy* allows.

    Answers that repeat the value of a header are redacted, as a route's are.

    :raises ConfigError: a header has a name or value that can't be sent.
    """
    with naming_option("forward_headers"):
        injected = injected_headers(forward_headers)
    scrubbing = ScrubbingUpstream(upstream, Guard(injected))
    return GuardedHTTPClient(VettedAgent(scrubbing, policy, injected=injected))


class ScrubbingUpstream:
    """Sends through *upstream*, and takes the secrets that *guard* finds out of each response.

    A content coding, which no request asks for, is undone here: treq would undo gzip behind the
    guard.
    """

    def __init__(self, upstream: IUpstream, guard: Guard) -> None:
        self._guard = guard
        self._upstream = upstream
        self.close = upstream.close

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        """See ``IUpstream``. Fails with BadGateway where an answer's coding can't be undone."""
        return self._upstream.send(outbound).addCallback(self._scrubbed, outbound.method)

    def _scrubbed(self, response: IResponse, method: bytes) -> IResponse:
        coding = coding_of(response_fields(response))
        bodiless = method == b"HEAD" or response.code in (204, 304)
        if not coding or bodiless or not self._guard:
            return ScrubbedResponse(response, self._guard)
        try:
            return ScrubbedResponse(response, self._guard, Inflater(coding))
        except Unreadable as error:
            discard(response)
            raise BadGateway(reason=f"an answer to be redacted: {error}") from None


class ScrubbedResponse(proxyForInterface(IResponse, "_response")):  # type: ignore[misc]
    """A response whose headers and body have ``[redacted]`` where they repeated a secret.

    :param inflater: undoes the body's content coding, of which the headers say nothing then.
    """

    # The redacted body may be shorter or longer than the body that Content-Length announced.
    length = UNKNOWN_LENGTH

    def __init__(self, response: IResponse, guard: Guard, inflater: Inflater | None = None) -> None:
        super().__init__(response)
        self._guard = guard
        self._inflater = inflater

    @property
    def headers(self) -> Headers:
        """The upstream's headers, redacted; those whose *name* holds a secret are left out."""
        cleaned = Headers()
        for name, values in self._response.headers.getAllRawHeaders():
            if not self._guard.holds(name.lower()):
                cleaned.setRawHeaders(name, [self._guard.clean(value) for value in values])
        if self._inflater is not None:
            cleaned.removeHeader(b"Content-Encoding")
        return cleaned

    def deliverBody(self, protocol: IProtocol) -> None:
        """See ``IResponse``."""
        body = _ScrubbedBody(protocol, Scrubber(self._guard), self._inflater)
        self._response.deliverBody(body)


class _ScrubbedBody(Protocol):
    transport: Any

    def __init__(self, protocol: IProtocol, scrubber: Scrubber, inflater: Inflater | None) -> None:
        self._protocol = protocol
        self._scrubber = scrubber
        self._inflater = inflater
        self._broken: Failure | None = None

    def connectionMade(self) -> None:
        self._protocol.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        if self._inflater is None:
            self._pass_on(self._scrubber.feed(data))
        elif self._broken is None:
            self._inflate(self._inflater, data)

    def _inflate(self, inflater: Inflater, data: bytes) -> None:
        try:
            inflater.put(data)
            while inflater.waits:
                self._pass_on(self._scrubber.feed(inflater.take(_SLICE)))
        except Unreadable as error:
            self._broken = Failure(UpstreamCut(str(error)))
            self.transport.loseConnection()

    def _pass_on(self, clean: bytes) -> None:
        if clean:
            self._protocol.dataReceived(clean)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inflater is not None and self._broken is None:
            try:
                self._inflater.end()
            except Unreadable as error:
                self._broken = Failure(UpstreamCut(str(error)))
        self._pass_on(self._scrubber.end())
        arrived = reason.check(ResponseDone, PotentialDataLoss)
        self._protocol.connectionLost(self._broken if self._broken and arrived else reason)
