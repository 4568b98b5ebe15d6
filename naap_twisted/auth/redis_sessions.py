"""Login sessions remembered in Redis: one process asks the session service for all of them."""

from __future__ import annotations

import hashlib
import json

from ..limits.redis_link import RedisGone, RedisLink
from ..model import User
from .users import user_of

# Value and time come by one script: between two calls the entry could expire.
_GET = """
local found = redis.call('GET', KEYS[1])
if not found then return {} end
return {found, redis.call('PTTL', KEYS[1])}
"""
_PUT = "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"


class RedisLoginSessions:
    """Keeps users under their token's digest. Redis holds no token and expires entries by itself.

    :param name: the server's name; servers of one name share sessions.
    :param session_url: the session service; users of another service are kept apart.
    """

    def __init__(self, link: RedisLink, *, name: str, session_url: str) -> None:
        service = hashlib.sha256(session_url.encode()).hexdigest()[:16]
        self._link = link
        self._prefix = f"naap:{name}:session:{service}:"

    async def get(self, digest: bytes) -> tuple[User, float] | None:
        """The user and the seconds left; ``None`` without an entry, and while Redis is gone."""
        try:
            text, left = await self._link.evaluate(_GET, [self._key(digest)], [])
            # PTTL is -1 for an entry that never expires, which this class does not write.
            return (user_of(json.loads(text), "id"), left / 1000) if left > 0 else None
        except (RedisGone, ValueError, TypeError):
            return None  # no entry, or one that this class did not write

    async def put(self, digest: bytes, user: User, seconds: float) -> None:
        """Keep *user* for *seconds*, less the time that the call itself may take."""
        left = int((seconds - self._link.deadline) * 1000)
        if left <= 0:
            return
        text = json.dumps({"id": user.id, "email": user.email, "roles": user.roles})
        try:
            await self._link.evaluate(_PUT, [self._key(digest)], [text, left])
        except RedisGone:
            return  # the other processes ask the session service themselves

    def _key(self, digest: bytes) -> str:
        return f"{self._prefix}{digest.hex()}"
