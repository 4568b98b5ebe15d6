"""A rate limiter in this process's memory, bounded in the number of keys and in memory for each.

The window slides: a fixed one lets twice the limit through around each boundary, which breaks the
promise of ``RateLimit``, "in any window". A log of every hit would keep ``requests`` times for a
key, so the log is coarse: hits close together share an entry, which expires when the *last* of them
is a window old. That never lets one too many through; a hit may count 1/16 of the window longer.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque

from attrs import define
from twisted.internet.interfaces import IReactorTime

from ..model import RateDecision, RateLimit

_ENTRIES_A_WINDOW = 16


@define
class _Entry:
    """Hits close together; times are in seconds of the clock."""

    opened: float
    last: float
    count: int


@define
class _Hits:
    """The hits of one key, oldest first; ``used`` is the sum of their counts."""

    entries: deque[_Entry]
    used: int = 0


class MemoryRateLimiter:
    """Counts requests by key. A refused request does not count, so that waiting always helps.

    A call takes constant time, averaged over calls.

    :param clock: its ``seconds()`` is the time.
    :param max_keys: past it, the key whose last hit is the oldest is dropped.
    """

    def __init__(self, limit: RateLimit, clock: IReactorTime, max_keys: int = 100_000) -> None:
        self.limit = limit
        self._clock = clock
        self._max_keys = max_keys
        self._span = limit.window / _ENTRIES_A_WINDOW
        # Keys stand in the order of their last counted hit, so the first is the next to expire.
        self._keys: OrderedDict[str, _Hits] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are held."""
        return len(self._keys)

    def hit(self, key: str) -> RateDecision:
        """Count one request of *key*."""
        now = self._clock.seconds()
        hits = self._keys.get(key)
        if hits is None:
            self._make_room(now)
            hits = self._keys[key] = _Hits(deque())
        else:
            self._drop_expired(hits, now)
        allowed = self.limit.requests
        if hits.used >= allowed:
            return self._refusal(hits, now)
        self._count(hits, now)
        self._keys.move_to_end(key)
        reset = self._wait(hits, now)
        return RateDecision(True, allowed, allowed - hits.used, reset=reset)

    def refusal(self, key: str) -> RateDecision | None:
        """The decision by which :meth:`hit` would refuse *key* now, else ``None``."""
        hits = self._keys.get(key)
        if hits is None:
            return None
        now = self._clock.seconds()
        self._drop_expired(hits, now)
        return self._refusal(hits, now) if hits.used >= self.limit.requests else None

    def _refusal(self, hits: _Hits, now: float) -> RateDecision:
        wait = self._wait(hits, now)
        return RateDecision(False, self.limit.requests, 0, wait, reset=wait)

    def _wait(self, hits: _Hits, now: float) -> int:
        return max(1, math.ceil(hits.entries[0].last + self.limit.window - now))

    def _count(self, hits: _Hits, now: float) -> None:
        hits.used += 1
        newest = hits.entries[-1] if hits.entries else None
        if newest is not None and now < newest.opened + self._span:
            newest.last = now
            newest.count += 1
        else:
            hits.entries.append(_Entry(now, now, 1))

    def _drop_expired(self, hits: _Hits, now: float) -> None:
        entries = hits.entries
        while entries and self._expired(entries[0], now):
            hits.used -= entries.popleft().count

    def _expired(self, entry: _Entry, now: float) -> bool:
        # The sum is that of _wait(): rounded alike, so that Retry-After is never a hair too short.
        return entry.last + self.limit.window <= now

    def _make_room(self, now: float) -> None:
        """Drop two expired keys for each new one, so that expired keys never pile up."""
        for _ in range(2):
            oldest = next(iter(self._keys.values()), None)
            # refusal() may have dropped the last entries of a key.
            if oldest is None or (oldest.entries and not self._expired(oldest.entries[-1], now)):
                break
            self._keys.popitem(last=False)
        if len(self._keys) >= self._max_keys:
            self._keys.popitem(last=False)
