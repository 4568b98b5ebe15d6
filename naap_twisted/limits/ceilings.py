"""How many new guests an address may have, and a prefix of addresses."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from ..downstream.caller import rate_key
from ..errors import RateLimited
from ..interfaces import IRateLimiter


class Ceilings:
    """Counts new guests under their address and under its prefix: the /64 of an IPv6 address.

    The address comes first: one machine that is refused takes nothing from the others of its
    prefix. And the addresses of a prefix, of which one subscriber has 2**64, push no prefix out of
    its bounded table.

    :param address: counts by address; *prefix*: by prefix.
    """

    def __init__(self, address: IRateLimiter, prefix: IRateLimiter) -> None:
        self._steps = ((address, _whole, "an address"), (prefix, rate_key, "a prefix"))

    async def count(self, client: str) -> None:
        """Count a new guest at the address *client*, and let it in, or raise.

        :raises RateLimited: there are as many as may be.
        :raises Unavailable: the store that counts can't be asked.
        """
        for limiter, key_of, whose in self._steps:
            decision = limiter.hit(key_of(client))
            if isinstance(decision, Deferred):
                decision = await decision
            if not decision.allowed:
                reason = f"over {decision.limit} new guests of {whose}"
                raise RateLimited(decision.retry_after, reason=reason)


def _whole(client: str) -> str:
    return client
