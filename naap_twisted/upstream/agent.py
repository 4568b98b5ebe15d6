"""Adapters between our upstream client and the interfaces of Twisted and treq.

- :class:`VettedAgent` is an ``IAgent``: a plugin's own calls get the egress policy, the address
  checks and the deadlines of a proxy route.
- :class:`GuardedHTTPClient` is treq's ``HTTPClient`` over it, without what must not happen in a
  service: one cookie jar for all users, and redirects that take custom headers along.
- :class:`TreqUpstream` adapts in the other direction: a route sends through any treq client, so
  that ``treq.testing.StubTreq`` can stand in for an upstream. :func:`as_upstream` makes one.
"""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

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
from ..model import HeaderPairs, OutboundRequest, Timeouts
from ..policy.egress import AnyHost, EgressPolicy
from ..policy.target import parse_target
from ..secret import Secret

_FRAMING = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection"))


@implementer(IAgent)
class VettedAgent:
    """Twisted's agent over an upstream. It follows no redirect, keeps no cookie, decodes nothing.

    :param policy: decides which URLs may be asked.
    :param injected: headers that are added to each request, in place of the caller's own. The
        agent then asks for no encoded answer, because what may repeat a secret has to be readable.
    """

    def __init__(
        self,
        upstream: IUpstream,
        policy: EgressPolicy | AnyHost,
        timeouts: Timeouts | None = None,
        *,
        injected: HeaderPairs = (),
    ) -> None:
        self._upstream = upstream
        self._policy = policy
        self._timeouts = timeouts or Timeouts()
        self._injected = (*injected, (b"Accept-Encoding", b"identity")) if injected else ()
        self._replaced = _FRAMING.union(name.lower() for name, _ in self._injected)

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
                if name.lower() not in self._replaced
            )
            sent = (*pairs, *self._injected)
            outbound = OutboundRequest(method, vetted, sent, bodyProducer, self._timeouts)
            return self._upstream.send(outbound)

        return maybeDeferred(send)


class GuardedHTTPClient(HTTPClient):
    """treq's client without a cookie jar, which follows redirects only when it is asked to."""

    def __init__(self, agent: IAgent) -> None:
        jar = IndexableCookieJar(DefaultCookiePolicy(allowed_domains=[]))
        super().__init__(agent, jar)

    def request(self, method: str, url: Any, **options: Any) -> Any:
        """See :meth:`treq.client.HTTPClient.request`; ``allow_redirects`` is off by default."""
        options.setdefault("allow_redirects", False)
        return super().request(method, url, **options)


class TreqUpstream:
    """Sends through a treq client; for tests (``treq.testing``) more than for service.

    :param client: all users share its cookie jar; only a :class:`GuardedHTTPClient` has none.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, outbound: OutboundRequest) -> Deferred[IResponse]:
        """See :class:`~naap_twisted.interfaces.IUpstream`."""
        headers = Headers()
        for name, value in outbound.headers:
            headers.addRawHeader(name, value.reveal() if isinstance(value, Secret) else value)
        target, sealed = outbound.target.target, outbound.request_target
        url = target.url if sealed is None else target.origin + sealed.reveal().decode("ascii")
        answer: Deferred[IResponse] = self._client.request(
            outbound.method.decode("ascii"),
            url,
            headers=headers,
            data=outbound.body,
            allow_redirects=False,
            unbuffered=True,
            cookies=CookieJar(),
        )
        return answer.addErrback(_as_upstream_failure)

    def close(self) -> Deferred[None]:
        """Do nothing: no connection is kept open here."""
        return succeed(None)


def as_upstream(client: object) -> IUpstream:
    """*client* itself where it is an ``IUpstream``, or an ``IUpstream`` that sends through it.

    :raises ConfigError: it is neither an ``IUpstream`` nor a treq client.
    """
    if not isinstance(client, type):
        if isinstance(client, IUpstream):
            return client
        if callable(getattr(client, "request", None)):
            return TreqUpstream(client)
    raise ConfigError(
        "upstream: expected a treq client, such as treq.testing.StubTreq(resource), or an"
        f" IUpstream, not {type(client).__name__}"
    )


def _as_upstream_failure(failure: Failure) -> Failure:
    """A failure of Twisted's agent as one of ``IUpstream``; a bug's exception stays as it is."""
    causes: list[Failure] = getattr(failure.value, "reasons", [])
    for cause in causes:
        if cause.check(ProxyError, CancelledError):
            return cause
    if causes or failure.check(ConnectError, ConnectionClosed, DNSLookupError):
        error = BadGateway(reason=f"upstream: {type(failure.value).__name__}")
        unsent = failure.check(ConnectError, DNSLookupError)
        return Failure(error if unsent else error.once_sent())
    return failure
