"""The rate limits of a user and of a route, which count a request after ``authorize``."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..errors import ProxyError, RateLimited, Unavailable
from ..interfaces import IDownstreamRequest, IRateLimiter
from ..model import RateLimit
from .announce import Announcement


@frozen
class Policy:
    """One rate limit that stands behind ``authorize``.

    :ivar users_only: a request without a user is not counted; else it is counted by address.
    """

    name: str
    limit: RateLimit
    limiter: IRateLimiter
    users_only: bool = field(default=False, kw_only=True)
    announcement: Announcement = field(init=False)

    @announcement.default
    def _announcement(self) -> Announcement:
        return Announcement(self.name, self.limit)


class Door:
    """Counts a request under each of its policies, in order; the first refusal ends it."""

    _log = Logger()

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self._policies = tuple(policies)

    def __bool__(self) -> bool:
        return bool(self._policies)

    def beside(self, policy: Policy) -> Door:
        """A door with these policies and *policy*."""
        return Door((*self._policies, policy))

    async def admit(self, request: IDownstreamRequest) -> None:
        """Count the request and let it pass, or raise.

        :raises RateLimited: it is over one of the limits.
        :raises Unavailable: a limiter failed, or its store can't be asked now.
        """
        user = request.record.user
        key = request.record.caller
        for policy in self._policies:
            if user is None and policy.users_only:
                continue
            try:
                decision = policy.limiter.hit(key)
                if isinstance(decision, Deferred):
                    decision = await decision
            except (ProxyError, CancelledError):
                raise
            except Exception:
                self._log.failure("The {name} rate limiter failed", name=policy.name)
                raise Unavailable(reason=f"the {policy.name} rate limiter failed") from None
            policy.announcement.put(request.responseHeaders, decision)
            if not decision.allowed:
                reason = f"over {decision.limit} requests ({policy.name})"
                raise RateLimited(decision.retry_after, reason=reason)
