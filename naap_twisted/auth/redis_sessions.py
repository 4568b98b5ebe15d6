"""Remembered sessions in Redis: what one process was told, the others need not ask again."""

from __future__ import annotations

import hashlib
import json

from ..limits.redis_link import RedisGone, RedisLink
from ..model import User
from .users import user_of

# One call: an entry that ends between two would be without an end.
_GET = """
local found = redis.call('GET', KEYS[1])
if not found then return {} end
return {found, redis.call('PTTL', KEYS[1])}
"""
_PUT = "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"


class RedisSessions:
    """Users by their token's digest. Redis holds no token, and forgets entries by itself.

    :param name: the server's; servers of the same name share.
    :param session_url: whose answers these are: another service's are kept apart.
    """

    def __init__(self, link: RedisLink, *, name: str, session_url: str) -> None:
        service = hashlib.sha256(session_url.encode()).hexdigest()[:16]
        self._link = link
        self._prefix = f"naap:{name}:session:{service}:"

    async def get(self, digest: bytes) -> tuple[User, float] | None:
        """The user and the seconds that are left; ``None`` while Redis is gone, too."""
        try:
            found = await self._link.evaluate(_GET, [self._key(digest)], [])
        except RedisGone:
            return None
        try:
            text, left = found
            fields = json.loads(text)
            # PTTL of an entry without an end, which none of ours is, is -1.
            return (user_of(fields, "id"), left / 1000) if left > 0 else None
        except (ValueError, TypeError):
            return None  # nothing, or nothing of ours

    async def put(self, digest: bytes, user: User, seconds: float) -> None:
        """Keep *user*; the time that the call itself may take is not on top of *seconds*."""
        left = int((seconds - self._link.deadline) * 1000)
        if left <= 0:
            return
        text = json.dumps({"id": user.id, "email": user.email, "roles": user.roles})
        try:
            await self._link.evaluate(_PUT, [self._key(digest)], [text, left])
        except RedisGone:
            return  # the others ask for themselves

    def _key(self, digest: bytes) -> str:
        return f"{self._prefix}{digest.hex()}"
