"""The rate limit of an address, which counts every request before anything else costs work."""

from __future__ import annotations

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
from .base import HEALTH_PATH, Wrapper


class RateLimited(Wrapper):
    """Counts each request of ``record.client`` and answers 429 with Retry-After past the limit.

    Where the limiter fails, the answer is 503: else breaking its store would switch the limit off.

    :param announced: the limit that the RateLimit headers announce; with ``None`` there are none.
    """

    _log = Logger()

    def __init__(
        self, inner: IResource, limiter: IRateLimiter, *, announced: RateLimit | None = None
    ) -> None:
        super().__init__(inner)
        self._limiter = limiter
        self._announcement = None if announced is None else Announcement("address", announced)

    def admit(self, request: IDownstreamRequest) -> bool:
        """Let the request go on now, or later where the limiter answers with a Deferred."""
        if request.path == HEALTH_PATH or getattr(request, "refusal", None) is not None:
            return True  # a head that could not be read is charged already
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
    """Counts bytes that are no request, together with the requests of the same address.

    There is no header to read, so the sender is the connection's own address. A trusted proxy and
    the peer of a UNIX socket are not charged, because they send for many callers.

    :param limiter: the limiter that counts requests.
    :param trusted: proxies that are not charged.
    """

    _log = Logger()

    def __init__(self, limiter: IRateLimiter, trusted: TrustedProxies = NOBODY) -> None:
        self._limiter = limiter
        self._trusted = trusted

    def __call__(self, peer: str) -> ProxyError | None:
        """Count one, and give the refusal where *peer* is over the limit.

        A limiter that answers with a Deferred is not waited for; its count takes effect next time.
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
        if not failure.check(ProxyError):  # that one says that the store is gone, which is logged
            self._log.failure("The rate limiter failed", failure)
