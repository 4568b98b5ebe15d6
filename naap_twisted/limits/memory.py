"""A rate limiter in this process's memory, bounded in keys and in what it keeps of each.

It is a sliding window. A fixed one lets twice the limit through around each boundary, which breaks
``RateLimit``'s promise of "in any window"; a full log of times keeps ``requests`` numbers a key.
So the log is kept coarse: hits close together share one entry, which is forgotten when the *last*
of them is a window old. That never lets one too many through; a hit may count longer than the
window by at most 1/16 of it.
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
    """Hits close together. Times are the clock's seconds."""

    opened: float
    last: float
    count: int


@define
class _Key:
    """One caller's hits, oldest first; ``used`` is the sum of their counts."""

    entries: deque[_Entry]
    used: int = 0


class MemoryRateLimiter:
    """Counts per key; a refused request is not counted, so that waiting always helps.

    Each call costs a constant amount, averaged over calls.

    :param clock: whose ``seconds()`` is the time; the reactor.
    :param max_keys: beyond it the key whose last hit is the oldest is forgotten.
    :raises ValueError: a limit or a bound that is not more than zero.
    """

    def __init__(self, limit: RateLimit, clock: IReactorTime, max_keys: int = 100_000) -> None:
        if limit.requests < 1 or max_keys < 1:
            raise ValueError("requests and max_keys must be at least 1")
        if not math.isfinite(limit.window) or limit.window <= 0:
            raise ValueError("window must be more than zero seconds")
        self.limit = limit
        self._clock = clock
        self._max_keys = max_keys
        self._span = limit.window / _ENTRIES_A_WINDOW
        # Ordered by last counted hit, so its front is both the oldest key and the first to expire.
        self._keys: OrderedDict[str, _Key] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are held."""
        return len(self._keys)

    def hit(self, key: str) -> RateDecision:
        """Count one request of *key*."""
        now = self._clock.seconds()
        found = self._keys.get(key)
        if found is None:
            self._make_room(now)
            found = self._keys[key] = _Key(deque())
        else:
            self._forget(found, now)
        allowed = self.limit.requests
        if found.used >= allowed:
            return self._refusal(found, now)
        self._count(found, now)
        self._keys.move_to_end(key)
        reset = self._wait(found, now)
        return RateDecision(True, allowed, allowed - found.used, reset=reset)

    def refusal(self, key: str) -> RateDecision | None:
        """What :meth:`hit` would refuse *key* with now, or ``None``. Counts nothing."""
        found = self._keys.get(key)
        if found is None:
            return None
        now = self._clock.seconds()
        self._forget(found, now)
        return self._refusal(found, now) if found.used >= self.limit.requests else None

    def _refusal(self, found: _Key, now: float) -> RateDecision:
        wait = self._wait(found, now)
        return RateDecision(False, self.limit.requests, 0, wait, reset=wait)

    def _wait(self, found: _Key, now: float) -> int:
        return max(1, math.ceil(found.entries[0].last + self.limit.window - now))

    def _count(self, found: _Key, now: float) -> None:
        found.used += 1
        newest = found.entries[-1] if found.entries else None
        if newest is not None and now < newest.opened + self._span:
            newest.last = now
            newest.count += 1
        else:
            found.entries.append(_Entry(now, now, 1))

    def _forget(self, found: _Key, now: float) -> None:
        entries = found.entries
        while entries and self._expired(entries[0], now):
            found.used -= entries.popleft().count

    def _expired(self, entry: _Entry, now: float) -> bool:
        # The same sum as in hit(): one rounding, so that Retry-After is never a hair too short.
        return entry.last + self.limit.window <= now

    def _make_room(self, now: float) -> None:
        """Drop two expired keys for each new one, so that expired keys never pile up."""
        for _ in range(2):
            oldest = next(iter(self._keys.values()), None)
            # One that was only asked about may have no entries left.
            if oldest is None or (oldest.entries and not self._expired(oldest.entries[-1], now)):
                break
            self._keys.popitem(last=False)
        if len(self._keys) >= self._max_keys:
            self._keys.popitem(last=False)
