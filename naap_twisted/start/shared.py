"""What the workers of one machine count together, without Redis and without a database.

The supervisor keeps it in its memory: rate limits, budgets, uses and revocations of page tokens.
Workers ask over their channel, and no decision is made without the answer.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import astuple
from twisted.internet.defer import Deferred

from ..auth.revocations import Clocks, Revocation, Revocations, Uses
from ..errors import InvalidToken
from ..interfaces import IPageTokenStore, IRateLimiter
from ..limits.memory import MemoryRateLimiter
from ..model import PageGrant, RateDecision, RateLimit
from ..spend.ledger import Charge, Correction, Ledger, MemoryLedger, Standing, Verdict
from .channel import Channel

#: Seconds that an answer may take before the request is refused with 503.
PATIENCE = 2.0
# Policies that are counted. Each reload that changes a limit begins another, so the one whose last
# hit is the oldest is dropped, which is one of a config that serves no more.
_MOST_LIMITERS = 4_096
_PASSES, _REVOKED, _USED_UP = range(3)
_WORDS = {_REVOKED: "revoked", _USED_UP: "used up"}


class Common:
    """The counts of all workers, in the supervisor.

    :ivar secret: of this supervisor's time; keys of the workers come from it.
    """

    def __init__(self, clock: Any, clocks: Clocks | None = None) -> None:
        self.secret = secrets.token_bytes(32)
        self._clock = clock
        self._limiters: OrderedDict[tuple[str, int, float], MemoryRateLimiter] = OrderedDict()
        self._ledger = MemoryLedger()
        clocks = clocks or Clocks()
        self._revoked, self._uses = Revocations(clocks, 0.0), Uses(clocks, 0.0)

    def handlers(self) -> Mapping[str, Callable[..., Any]]:
        """What workers ask, by word."""
        return {
            "hit": self.hit,
            "reserve": self.reserve,
            "settle": self.settle,
            "standings": self.standings,
            "spend": self.spend,
            "revoke": self.revoke,
        }

    def hit(self, policy: str, requests: int, window: float, key: str) -> list[Any]:
        """Count one request of *key*, as :class:`~..limits.memory.MemoryRateLimiter` does."""
        name = policy, requests, window
        limiter = self._limiters.get(name)
        if limiter is None:
            if len(self._limiters) >= _MOST_LIMITERS:
                self._limiters.popitem(last=False)
            made = MemoryRateLimiter(RateLimit(requests, window), self._clock)
            limiter = self._limiters[name] = made
        else:
            self._limiters.move_to_end(name)
        told = limiter.hit(key)
        return [told.allowed, told.limit, told.remaining, told.retry_after, told.reset]

    def reserve(self, charges: list[list[Any]]) -> list[Any]:
        """Reserve, as a :class:`~..spend.ledger.Ledger` does."""
        verdict = self._ledger.reserve([Charge(*charge) for charge in charges])
        return [verdict.refused, [astuple(standing) for standing in verdict.before]]

    def settle(self, corrections: list[list[Any]]) -> None:
        """Settle, as a ledger does."""
        self._ledger.settle([Correction(Charge(*c), spent) for c, spent in corrections])

    def standings(self, charges: list[list[Any]]) -> list[Any]:
        """Read, as a ledger does."""
        return [astuple(s) for s in self._ledger.read([Charge(*charge) for charge in charges])]

    def spend(self, sub: str, id: str, issued_at: int, uses: int, lasting: float) -> int:
        """Count a use of a page token: 0: it passes, 1: it is revoked, 2: it is used up."""
        self._last(lasting)
        grant = PageGrant(id, (), issued_at, 0, uses=uses)
        if self._revoked.hold(sub, grant):
            return _REVOKED
        return _PASSES if not uses or self._uses.count(grant) else _USED_UP

    def revoke(self, id: str, sub: str, at: int, lasting: float) -> None:
        """Remember a revocation."""
        self._last(lasting)
        self._revoked.add(Revocation(id, sub, at))

    def _last(self, seconds: float) -> None:
        self._revoked.last(seconds)
        self._uses.last(seconds)


class ChannelWorkplace:
    """A worker's :class:`~..server.parts.Workplace`: it asks the supervisor's :class:`Common`."""

    def __init__(self, channel: Channel, secret: bytes) -> None:
        self._channel = channel
        self._secret = secret

    def limiter(self, policy: str, limit: RateLimit) -> IRateLimiter:
        """See :class:`~..server.parts.Workplace`."""
        return _Limiter(self._channel, policy, limit)

    def ledger(self) -> Ledger:
        """See :class:`~..server.parts.Workplace`."""
        return _Ledger(self._channel)

    def page_tokens(self, lasting: float) -> IPageTokenStore:
        """See :class:`~..server.parts.Workplace`."""
        return _PageTokens(self._channel, lasting)

    def key(self, purpose: str) -> bytes:
        """See :class:`~..server.parts.Workplace`."""
        return hmac.digest(self._secret, purpose.encode(), "sha256")


class _Limiter:
    def __init__(self, channel: Channel, policy: str, limit: RateLimit) -> None:
        self._channel = channel
        self._policy = policy
        self._limit = limit

    def hit(self, key: str) -> Deferred[RateDecision]:
        asked = self._channel.ask(
            "hit",
            patience=PATIENCE,
            policy=self._policy,
            requests=self._limit.requests,
            window=self._limit.window,
            key=key,
        )
        return asked.addCallback(lambda told: RateDecision(*told))


class _Ledger:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def reserve(self, charges: Sequence[Charge]) -> Deferred[Verdict]:
        asked = self._channel.ask("reserve", patience=PATIENCE, charges=[*map(astuple, charges)])
        return asked.addCallback(lambda told: Verdict(told[0], _standings(told[1])))

    def settle(self, corrections: Sequence[Correction]) -> Deferred[None]:
        written = [(astuple(each.charge), each.spent) for each in corrections]
        # Lines come in their order or not at all, and without a supervisor there is no ledger.
        return self._channel.ask("settle", patience=PATIENCE, corrections=written)

    def read(self, charges: Sequence[Charge]) -> Deferred[Sequence[Standing]]:
        asked = self._channel.ask("standings", patience=PATIENCE, charges=[*map(astuple, charges)])
        return asked.addCallback(_standings)


def _standings(told: list[list[int]]) -> tuple[Standing, ...]:
    return tuple([Standing(*each) for each in told])


class _PageTokens:
    def __init__(self, channel: Channel, lasting: float) -> None:
        self._channel = channel
        self._lasting = lasting

    async def revoke(self, token_id: str, sub: str, at: int) -> None:
        await self._channel.ask(
            "revoke", patience=PATIENCE, id=token_id, sub=sub, at=at, lasting=self._lasting
        )

    async def spend(self, sub: str, grant: PageGrant) -> None:
        verdict = await self._channel.ask(
            "spend",
            patience=PATIENCE,
            sub=sub,
            id=grant.id,
            issued_at=grant.issued_at,
            uses=grant.uses,
            lasting=self._lasting,
        )
        if verdict:
            words = _WORDS[verdict]
            raise InvalidToken(f"The token is {words}", reason=f"page token {grant.id} is {words}")
