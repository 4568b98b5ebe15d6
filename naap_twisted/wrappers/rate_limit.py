"""The per-address limit: the first thing that costs a caller for every request."""

from __future__ import annotations

from collections.abc import Set

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from ..downstream.caller import NOBODY, TrustedProxies, parse_address, rate_key
from ..errors import ProxyError, Unavailable
from ..errors import RateLimited as OverLimit
from ..interfaces import IDownstreamRequest, IRateLimiter
from ..limits.announce import Announcement
from ..model import RateDecision, RateLimit
from .base import Wrapper


class RateLimited(Wrapper):
    """Counts each request of ``record.client`` and answers 429 with Retry-After past the limit.

    A limiter that fails closes the door (503): a limit that can be switched off by breaking its
    store is none.

    :param announced: the limit as the RateLimit headers tell it; ``None``: they don't.
    :param exempt: paths that are never counted: the health check.
    """

    _log = Logger()

    def __init__(
        self,
        inner: IResource,
        limiter: IRateLimiter,
        *,
        announced: RateLimit | None = None,
        exempt: Set[bytes] = frozenset({b"/healthz"}),
    ) -> None:
        super().__init__(inner)
        self._limiter = limiter
        self._exempt = exempt
        self._announcement = None if announced is None else Announcement("address", announced)

    def admit(self, request: IDownstreamRequest) -> bool:
        """Goes on at once, or by itself when a limiter that asks elsewhere has answered."""
        if request.path in self._exempt:
            return True
        try:
            decision = self._limiter.hit(rate_key(request.record.client))
        except Exception:
            self._failed(Failure(), request)
            return False
        if isinstance(decision, Deferred):
            self._wait(decision, request)
            return False
        return self._allows(decision, request)

    def _wait(self, pending: Deferred[RateDecision], request: IDownstreamRequest) -> None:
        gone = False

        def leave(_: object) -> None:
            nonlocal gone
            gone = True
            pending.cancel()

        def decided(decision: RateDecision) -> None:
            if not gone and self._allows(decision, request):
                request.render(self.inner)

        def failed(failure: Failure) -> None:
            if not gone:
                self._failed(failure, request)

        def broken(failure: Failure) -> None:
            request.processingFailed(failure)

        request.notifyFinish().addErrback(leave)
        pending.addCallbacks(decided, failed).addErrback(broken)

    def _allows(self, decision: RateDecision, request: IDownstreamRequest) -> bool:
        if self._announcement is not None:
            self._announcement.put(request.responseHeaders, decision)
        if not decision.allowed:
            reason = f"over {decision.limit} requests"
            request.refuse(OverLimit(decision.retry_after, reason=reason))
        return decision.allowed

    def _failed(self, failure: Failure, request: IDownstreamRequest) -> None:
        if isinstance(failure.value, ProxyError):
            request.refuse(failure.value)
            return
        self._log.failure("The rate limiter failed", failure)
        request.refuse(Unavailable(reason="the rate limiter failed"))


class Charge:
    """Counts what can't be read as a request, with the requests of the same address.

    Who sent it is the connection's own address, for there is no header to go by. So a trusted proxy
    is not charged, nor is what has no address: a UNIX socket's peer. Each speaks for everybody.

    :param limiter: the one that counts requests.
    :param trusted: proxies whose address is nobody's.
    """

    _log = Logger()

    def __init__(self, limiter: IRateLimiter, trusted: TrustedProxies = NOBODY) -> None:
        self._limiter = limiter
        self._trusted = trusted

    def __call__(self, peer: str) -> ProxyError | None:
        """Count it; the refusal where *peer* is over the limit.

        A limiter that asks elsewhere is not waited for: what it says counts for the next one.
        """
        address = parse_address(peer)
        if address is None or address in self._trusted:
            return None
        try:
            decision = self._limiter.hit(rate_key(str(address)))
        except Exception:
            self._failed(Failure())
            return None
        if isinstance(decision, Deferred):
            decision.addErrback(self._failed)
            return None
        if decision.allowed:
            return None
        return OverLimit(decision.retry_after, reason=f"over {decision.limit} requests")

    def _failed(self, failure: Failure) -> None:
        if not failure.check(ProxyError):  # else it is known, and told, that its store is gone
            self._log.failure("The rate limiter failed", failure)
