"""A rate limiter that counts in Redis: one limit for all processes and machines.

It is the sliding window of :mod:`.memory`, entry for entry, as a script. Redis runs a script
without interruption, so that two processes can't both take the last place, and by its own clock.

Each process also counts the requests that it allowed, and never allows more than the limit. So no
window sees more than (number of processes) x (limit) requests whatever happens to Redis, and no
more than the limit while Redis answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import Unavailable
from ..model import RateDecision, RateLimit
from .memory import MemoryRateLimiter
from .redis_link import RedisGone, RedisLink

# The value is a list of "opened last count", oldest first, of at most 18 entries; times are in
# milliseconds.
SCRIPT = """
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(ARGV[3])
if now < 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local used, oldest, opened, count = 0, now, nil, 0
for _, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local first, last, hits = entry:match('^(%d+) (%d+) (%d+)$')
  if last + window <= now then
    redis.call('LPOP', KEYS[1])
  else
    if used == 0 then oldest = tonumber(last) end
    used = used + hits
    opened, count = tonumber(first), tonumber(hits)
  end
end
if used >= limit then
  return {0, 0, oldest + window - now}
end
if opened and now < opened + window / 16 then
  redis.call('LSET', KEYS[1], -1, string.format('%.0f %.0f %d', opened, now, count + 1))
  if used == count then oldest = now end
else
  redis.call('RPUSH', KEYS[1], string.format('%.0f %.0f 1', now, now))
end
redis.call('PEXPIRE', KEYS[1], window)
return {1, limit - used - 1, oldest + window - now}
"""


class RedisRateLimiter:
    """Counts requests in Redis, and in this process, too.

    :param prefix: stands before each key: the server's name and the policy's.
    :param deny: while Redis is gone, requests get 503; else each process goes by its own counts.
    :param now: seconds, in the place of Redis' own clock, for tests.
    """

    def __init__(
        self,
        limit: RateLimit,
        link: RedisLink,
        clock: IReactorTime,
        *,
        prefix: str,
        deny: bool = False,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.limit = limit
        self._link = link
        self._local = MemoryRateLimiter(limit, clock)
        self._prefix = prefix
        self._deny = deny
        self._now = now

    def hit(self, key: str) -> RateDecision | Deferred[RateDecision]:
        """Count one request of *key*.

        :raises Unavailable: Redis is gone and *deny* is set.
        """
        refused = self._local.refusal(key)
        if refused is not None:
            return refused
        if not self._link.up:
            return self._without(key)
        now = -1 if self._now is None else int(self._now() * 1000)
        window = max(1, int(self.limit.window * 1000))
        arguments = [self.limit.requests, window, now]
        asked = self._link.evaluate(SCRIPT, [f"{self._prefix}{key}"], arguments)
        return asked.addCallbacks(self._decision, self._lost, (key,), errbackArgs=(key,))

    def _decision(self, answer: Any, key: str) -> RateDecision:
        allowed, remaining, wait = answer
        seconds = max(1, -(-int(wait) // 1000))
        if not allowed:
            return RateDecision(False, self.limit.requests, 0, seconds, reset=seconds)
        own = self._local.hit(key)
        if not own.allowed:
            return own  # this process allowed other requests while Redis was asked
        return RateDecision(True, self.limit.requests, int(remaining), reset=seconds)

    def _lost(self, failure: Failure, key: str) -> RateDecision:
        failure.trap(RedisGone)
        return self._without(key)

    def _without(self, key: str) -> RateDecision:
        if self._deny:
            raise Unavailable(reason="Redis is gone and on_redis_loss is deny")
        return self._local.hit(key)
