"""Page tokens in Redis: what one process revokes or counts, every other of the server knows."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidToken, Unavailable
from ..limits.redis_link import RedisGone, RedisLink
from ..model import PageGrant

# A user's earlier revocation is never replaced by one with an earlier time.
_REVOKE = """
local known = tonumber(redis.call('GET', KEYS[1]) or '0')
local at = math.max(known, tonumber(ARGV[1]))
return redis.call('SET', KEYS[1], string.format('%.0f', at), 'PX', ARGV[2])
"""
# KEYS: the token, whosever it is; the user's own; every token of the user; its uses.
_SPEND = """
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 1 end
local before = tonumber(redis.call('GET', KEYS[3]) or '-1')
if tonumber(ARGV[1]) <= before then return 1 end
local uses = tonumber(ARGV[2])
if uses == 0 then return 0 end
local used = tonumber(redis.call('GET', KEYS[4]) or '0')
if used >= uses then return 2 end
redis.call('SET', KEYS[4], used + 1, 'PX', ARGV[3])
return 0
"""
_WORDS = {1: "revoked", 2: "used up"}


class RedisPageTokens:
    """An :class:`~naap_twisted.interfaces.IPageTokenStore`; Redis forgets what ended by itself.

    :param name: the server's name; servers of one name share what they know.
    :param lasting: seconds that an entry is kept: as long as a token may live.
    :param deny: while Redis is gone no page token passes; else each process goes by what it was
        told itself, and only a token whose uses are counted does not pass.
    """

    def __init__(self, link: RedisLink, *, name: str, lasting: float, deny: bool = False) -> None:
        self._link = link
        self._prefix = f"naap:{name}:page:"
        self._lasting = int(lasting * 1000)
        self._deny = deny

    async def revoke(self, token_id: str, sub: str, at: int) -> None:
        """See :class:`~naap_twisted.interfaces.IPageTokenStore`."""
        try:
            await self._link.evaluate(_REVOKE, [self._revoked(token_id, sub)], [at, self._lasting])
        except RedisGone:
            raise Unavailable(reason="Redis is gone: other processes know no revocation") from None

    async def spend(self, sub: str, grant: PageGrant) -> None:
        """See :class:`~naap_twisted.interfaces.IPageTokenStore`."""
        keys = [self._revoked(*which) for which in ((grant.id, ""), (grant.id, sub), ("", sub))]
        keys.append(f"{self._prefix}uses:{grant.id}")
        arguments: list[Any] = [grant.issued_at, grant.uses, self._lasting]
        try:
            verdict = await self._link.evaluate(_SPEND, keys, arguments)
        except RedisGone:
            if self._deny or grant.uses:
                raise Unavailable(reason="Redis is gone, which counts page tokens") from None
            return
        if verdict:
            words = _WORDS[int(verdict)]
            raise InvalidToken(f"The token is {words}", reason=f"page token {grant.id} is {words}")

    def _revoked(self, token_id: str, sub: str) -> str:
        # An id has no colon, so no user's id makes one key of two.
        return f"{self._prefix}revoked:{token_id}:{sub}"
