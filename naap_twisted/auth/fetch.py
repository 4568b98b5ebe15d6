"""The calls that authentication itself makes, bounded in time and size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS
from twisted.web.iweb import IAgent, IAgentEndpointFactory
from zope.interface import implementer

from ..errors import NaapError
from ..upstream.attempts import cancelled_next_turn
from ..upstream.beginning import Beginning
from ..upstream.tls import trust_roots

RequestHeaders = dict[bytes | str, bytes | str]
TIMEOUT = 5.0
#: What a caller is told while a service that authentication needs gives no answer.
DOWN = "Authentication is not available at the moment"


class FetchFailed(NaapError):
    """No complete answer came. The text is for the log: it holds neither URL nor header."""


class Fetch:
    """GET and POST by stock treq: it follows no redirect, and no cookie outlives its call.

    :param reactor: ``None`` is the running one.
    :param timeout: seconds for the whole call, from the connection to the last byte.
    :param limit: bytes of the answer's body.
    :param ca_file: PEM file of further trust anchors.
    :param agent: takes the place of Twisted's, for tests.
    :raises ConfigError: *ca_file* can't be read.
    """

    def __init__(
        self,
        reactor: Any = None,
        *,
        timeout: float = TIMEOUT,
        limit: int = 64 * 1024,
        ca_file: str = "",
        agent: IAgent | None = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._reactor = reactor
        self._timeout = timeout
        self._limit = limit
        tls_policy = BrowserLikePolicyForHTTPS(trustRoot=trust_roots(ca_file))
        endpoints = _Endpoints(reactor, tls_policy, timeout)
        self._agent = agent or Agent.usingEndpointFactory(reactor, endpoints)

    async def get(self, url: str, headers: RequestHeaders) -> tuple[int, bytes]:
        """The answer's status and body.

        :raises FetchFailed: no connection, no complete answer in time, or a body over the limit.
        """
        return await self._in_time("GET", url, headers, None)

    async def post(self, url: str, form: Mapping[str, str | bytes]) -> tuple[int, bytes]:
        """The answer's status and body to a form, of which no part gets into a failure's text.

        :raises FetchFailed: as :meth:`get` does.
        """
        headers: RequestHeaders = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        return await self.send(url, headers, urlencode(form).encode("ascii"))

    async def send(self, url: str, headers: RequestHeaders, body: bytes) -> tuple[int, bytes]:
        """The answer's status and body to a POST of *body*.

        :raises FetchFailed: as :meth:`get` does.
        """
        return await self._in_time("POST", url, headers, body)

    async def _in_time(
        self, method: str, url: str, headers: RequestHeaders, body: bytes | None
    ) -> tuple[int, bytes]:
        answer = Deferred.fromCoroutine(self._ask(method, url, headers, body))
        try:
            return await answer.addTimeout(self._timeout, self._reactor)
        except FetchFailed:
            raise
        except Exception as error:
            raise FetchFailed(type(error).__name__) from None

    async def _ask(
        self, method: str, url: str, headers: RequestHeaders, sent: bytes | None
    ) -> tuple[int, bytes]:
        # A treq client keeps one cookie jar for all its calls, so each call has its own client.
        response: Any = await HTTPClient(self._agent).request(
            method,
            url,
            headers=headers,
            data=sent,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        beginning = Beginning(self._limit + 1)
        response.deliverBody(beginning)
        body = await beginning.done
        if len(body) > self._limit:
            raise FetchFailed(f"a body over {self._limit} bytes")
        if not beginning.complete:
            raise FetchFailed("the answer broke off")
        return response.code, body


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """The endpoints that an ``Agent`` makes by default, without two log lines for a connection."""

    def __init__(self, reactor: Any, policy: BrowserLikePolicyForHTTPS, timeout: float) -> None:
        self._reactor, self._policy, self._timeout = reactor, policy, timeout

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        host = uri.host.strip(b"[]").decode("ascii")
        endpoint: Any = HostnameEndpoint(self._reactor, host, uri.port, timeout=self._timeout)
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return _Quiet(endpoint, self._reactor)


@implementer(IStreamClientEndpoint)
class _Quiet:
    def __init__(self, endpoint: IStreamClientEndpoint, reactor: Any) -> None:
        self._endpoint, self._reactor = endpoint, reactor

    def connect(self, protocolFactory: Any) -> Any:
        protocolFactory.noisy = False
        return cancelled_next_turn(self._endpoint.connect(protocolFactory), self._reactor)


def check_url(url: str, *, cleartext: bool) -> None:
    """Refuse a URL that an operator can't mean for a service that authentication calls.

    :param cleartext: plain http may lead beyond this machine.
    :raises ValueError: it is not http or https, names no host, holds user info or a fragment, or is
        plain http to another machine where *cleartext* forbids that.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018
    except ValueError:
        raise ValueError("is not a URL") from None
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("is not a URL")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError('is not a URL such as "https://auth.example.org/api/v1/auth/me"')
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("must have neither user info nor a fragment")
    if parts.scheme == "http" and not cleartext and not is_local(url):
        raise ValueError("must be https, unless its host is localhost")


def is_local(url: str) -> bool:
    """Whether *url* names this machine."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
