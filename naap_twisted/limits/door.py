"""The limits that ask who calls: per user, per route. They stand right behind ``authorize``."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..errors import ProxyError, RateLimited, Unavailable
from ..interfaces import IDownstreamRequest, IRateLimiter
from ..model import RateLimit
from .announce import Announcement


@frozen
class Policy:
    """One limit behind the door.

    :ivar limiter: counts.
    :ivar users_only: who calls without a name is not counted; else by address.
    """

    name: str
    limit: RateLimit
    limiter: IRateLimiter
    announcement: Announcement
    users_only: bool = False

    @classmethod
    def of(
        cls, name: str, limit: RateLimit, limiter: IRateLimiter, *, users_only: bool = False
    ) -> Policy:
        """A policy with its announcement made."""
        return cls(name, limit, limiter, Announcement(name, limit), users_only)


class Door:
    """Counts a request under each of its policies, in order; the first refusal ends it."""

    _log = Logger()

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self._policies = tuple(policies)

    def __bool__(self) -> bool:
        return bool(self._policies)

    def beside(self, policy: Policy) -> Door:
        """This door with one policy more."""
        return Door((*self._policies, policy))

    async def admit(self, request: IDownstreamRequest) -> None:
        """Let the request pass, or raise.

        :raises RateLimited: it is over one of the limits.
        :raises Unavailable: that can't be told now.
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
