"""The server's own calls: treq clients whose requests go out under the rules of its routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from ..errors import ConfigError
from ..interfaces import IUpstream
from ..model import AllowedNetwork, HeaderPairs
from ..policy.egress import AnyHost, EgressPolicy
from ..route.rewrite import injected_headers
from ..route.scrub import Guard, Scrubber
from ..secret import Secret
from ..upstream.agent import GuardedHTTPClient, VettedAgent


def open_client(upstream: IUpstream, networks: Sequence[AllowedNetwork]) -> GuardedHTTPClient:
    """A client for URLs that code chooses, or a user: any public host, and listed networks."""
    return GuardedHTTPClient(VettedAgent(upstream, AnyHost(networks)))


def keyed_client(
    upstream: IUpstream, policy: EgressPolicy, forward_headers: Mapping[str, str | Secret]
) -> GuardedHTTPClient:
    """A client that adds *forward_headers*, where *policy* allows; answers do not repeat them.

    :raises ConfigError: a header that can't be set, as for a route.
    """
    try:
        injected = injected_headers(forward_headers)
    except ValueError as error:
        raise ConfigError(f"forward_headers: {error}") from None
    agent = VettedAgent(upstream, policy, injected=injected)
    return GuardedHTTPClient(ScrubbingAgent(agent, injected))


@implementer(IAgent)
class ScrubbingAgent:
    """Takes the secrets of *injected* out of what comes back."""

    def __init__(self, agent: VettedAgent, injected: HeaderPairs) -> None:
        self._agent = agent
        self._guard = Guard(injected)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``."""
        answer = self._agent.request(method, uri, headers, bodyProducer)
        return answer.addCallback(ScrubbedResponse, self._guard)


class ScrubbedResponse(proxyForInterface(IResponse, "_response")):  # type: ignore[misc]
    """A response whose headers and body have ``[redacted]`` where they repeated a secret."""

    # What is redacted may be shorter or longer than it was.
    length = UNKNOWN_LENGTH

    def __init__(self, response: IResponse, guard: Guard) -> None:
        super().__init__(response)
        self._guard = guard

    @property
    def headers(self) -> Headers:
        """The upstream's, cleaned; none whose name holds a secret."""
        cleaned = Headers()
        for name, values in self._response.headers.getAllRawHeaders():
            if not self._guard.holds(name.lower()):
                cleaned.setRawHeaders(name, [self._guard.clean(value) for value in values])
        return cleaned

    def deliverBody(self, protocol: IProtocol) -> None:
        """See ``IResponse``."""
        self._response.deliverBody(_ScrubbedBody(protocol, Scrubber(self._guard)))


class _ScrubbedBody(Protocol):
    def __init__(self, protocol: IProtocol, scrubber: Scrubber) -> None:
        self._protocol = protocol
        self._scrubber = scrubber

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._protocol.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        clean = self._scrubber.feed(data)
        if clean:
            self._protocol.dataReceived(clean)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        rest = self._scrubber.end()
        if rest:
            self._protocol.dataReceived(rest)
        self._protocol.connectionLost(reason)
