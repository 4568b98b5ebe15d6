"""The same way out behind Twisted's and treq's interfaces.

- :class:`VettedAgent` is an ``IAgent``: a plugin's own calls get the egress policy, address checks
  and deadlines of a proxy route.
- :class:`GuardedHTTPClient` is treq's ``HTTPClient`` over it, without what must not happen in a
  service: one cookie jar for everybody and redirects that take custom headers along.
- :class:`TreqUpstream` is the other direction: any treq client as a proxy's way out, so that
  ``treq.testing.StubTreq`` can stand in for an upstream; :func:`as_upstream` makes it of one.
"""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol

from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from ..errors import BadGateway, ConfigError, ProxyError
from ..interfaces import IUpstream
from ..model import HeaderPairs, OutboundRequest, Target, Timeouts, VettedTarget
from ..policy.target import parse_target
from ..secret import Secret

_OURS = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection"))


class Policy(Protocol):
    """What lets a target through: a route's egress policy, or that of the server's own calls."""

    def vet(self, target: Target) -> VettedTarget:
        """The target, let through. Raises a ProxyError that says why not."""


@implementer(IAgent)
class VettedAgent:
    """Twisted's agent over an upstream: parses, vets, sends. No redirects, cookies or decoding.

    :param policy: which URLs may be asked.
    :param injected: headers that are added to each request, in place of the caller's own. Encoded
        answers are not asked for then: what may repeat a secret has to be readable.
    """

    def __init__(
        self,
        upstream: IUpstream,
        policy: Policy,
        timeouts: Timeouts | None = None,
        *,
        injected: HeaderPairs = (),
    ) -> None:
        self._upstream = upstream
        self._policy = policy
        self._timeouts = timeouts or Timeouts()
        self._injected = (*injected, (b"Accept-Encoding", b"identity")) if injected else ()
        self._ours = _OURS.union(name.lower() for name, _ in self._injected)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``. Fails with the errors of :class:`~naap_twisted.interfaces.IUpstream`."""

        def send() -> Any:
            vetted = self._policy.vet(parse_target(uri, "the request's URL"))
            pairs = tuple(
                (name, value)
                for name, values in (headers or Headers()).getAllRawHeaders()
                for value in values
                if name.lower() not in self._ours
            )
            headers_out = (*pairs, *self._injected)
            return self._upstream.send(
                OutboundRequest(method, vetted, headers_out, bodyProducer, self._timeouts)
            )

        return maybeDeferred(send)


class GuardedHTTPClient(HTTPClient):
    """treq's client without a memory: no cookie is kept, no redirect followed unless asked for."""

    def __init__(self, agent: IAgent) -> None:
        jar = IndexableCookieJar(DefaultCookiePolicy(allowed_domains=[]))
        super().__init__(agent, jar)

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """See :meth:`treq.client.HTTPClient.request`; ``allow_redirects`` is off by default."""
        options.setdefault("allow_redirects", False)
        return super().request(method, url, **options)


class TreqUpstream:
    """Sends through a treq client; for tests (``treq.testing``) more than for service.

    :param client: its cookie jar is everybody's; only a :class:`GuardedHTTPClient` keeps none.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        """See :class:`~naap_twisted.interfaces.IUpstream`."""
        headers = Headers()
        for name, value in outbound.headers:
            headers.addRawHeader(name, value.reveal() if isinstance(value, Secret) else value)
        answer: Deferred[IResponse] = self._client.request(
            outbound.method.decode("ascii"),
            outbound.target.target.url,
            headers=headers,
            data=outbound.body,
            allow_redirects=False,
            unbuffered=True,
            cookies=CookieJar(),
        )
        return answer.addErrback(_in_our_words)

    def close(self) -> Deferred[None]:
        """Nothing is kept open."""
        return succeed(None)


def as_upstream(given: object) -> IUpstream:
    """The way out that *given* is, or makes: an ``IUpstream``, or a treq client.

    :raises ConfigError: it is neither.
    """
    if not isinstance(given, type):
        if isinstance(given, IUpstream):
            return given
        if callable(getattr(given, "request", None)):
            return TreqUpstream(given)
    raise ConfigError(
        "upstream: expected a treq client, such as treq.testing.StubTreq(resource), or an"
        f" IUpstream, not {type(given).__name__}"
    )


def _in_our_words(failure: Failure) -> Failure:
    """Twisted's failures as those of ``IUpstream``; a bug stays what it is."""
    causes: list[Failure] = getattr(failure.value, "reasons", [])
    for cause in causes:
        if cause.check(ProxyError, CancelledError):
            return cause
    if causes or failure.check(ConnectError, ConnectionClosed, DNSLookupError):
        return Failure(BadGateway(reason=f"upstream: {type(failure.value).__name__}"))
    return failure
