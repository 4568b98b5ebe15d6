"""First answers to idempotency keys, kept in this process's memory and given again.

What is kept is sealed with AES-256-GCM under a key that is derived from the caller's
Idempotency-Key and from all of its request, of which only digests stay here: whoever reads this
process's memory later, or a swapped page of it, opens no answer. The oldest answers are forgotten
where room is needed; a request that still runs never is, for its retry must not run beside it.
"""

from __future__ import annotations

import hmac
import json
from collections import Counter, OrderedDict
from collections.abc import Callable
from itertools import islice
from os import urandom
from typing import Generic, TypeVar

from attrs import define, field, frozen
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..errors import IdempotencyConflict

Beside = TypeVar("Beside")

#: Bytes that the bookkeeping of one kept answer is counted as.
OVERHEAD = 1024
_NONCE = 12
# Answers of one window that one request makes forgotten when their time is over.
_AT_ONCE = 8
# Seconds until a retry is told to ask again: the part of the time that the first has run so far,
# because what took long is likely to take longer; and the least and the most of it.
_PART, _SOONEST, _LATEST = 0.25, 1, 30


@frozen
class ReplayBounds:
    """Bounds on the answers that one server keeps.

    :ivar answer: bytes of one answer's body.
    :ivar total: bytes of all, those that are still coming included.
    :ivar caller: bytes of those of one caller.
    :ivar running: requests that go on without their callers, all together.
    :ivar running_per_caller: those of one caller.
    :ivar longest: seconds that one goes on.
    """

    answer: int = 1024 * 1024
    total: int = 64 * 1024 * 1024
    caller: int = 8 * 1024 * 1024
    running: int = 100
    running_per_caller: int = 10
    longest: float = 600.0


@frozen
class ReplayKey:
    """Whose key, for which route; the same text of another caller is another key."""

    route: str
    caller: str
    key: str = field(repr=False)

    def __bytes__(self) -> bytes:
        # A list in JSON has one reading, whatever characters the three hold.
        return json.dumps([self.route, self.caller, self.key]).encode()


@define(eq=False)
class _Kept(Generic[Beside]):
    """An answer; *until* is the clock's time at which its window ends."""

    name: bytes
    route: str
    caller: str
    mark: bytes
    sealed: bytes = field(repr=False)
    beside: Beside
    window: float
    until: float

    @property
    def size(self) -> int:
        return len(self.sealed) + OVERHEAD


@define(eq=False)
class _Caller(Generic[Beside]):
    """What one caller has here; *kept* is in the order of keeping."""

    size: int = 0
    alone: int = 0
    running: int = 0
    kept: OrderedDict[bytes, _Kept[Beside]] = field(factory=OrderedDict)


@frozen
class Replayed(Generic[Beside]):
    """A kept answer, and what was kept beside it."""

    answer: bytes = field(repr=False)
    beside: Beside


class Running(Generic[Beside]):
    """The first request of a key, until its answer is kept or the key is free again.

    :ivar over: one of the two has happened.
    """

    def __init__(
        self,
        replays: Replays[Beside],
        owner: ReplayKey,
        fingerprint: bytes,
        window: float,
        began: float,
    ) -> None:
        self.owner = owner
        self.window = window
        self.began = began
        self.over = False
        self.size = 0
        self.name, self.mark = replays.name_and_mark(owner, fingerprint)
        self.fingerprint = fingerprint
        self._replays = replays
        self._ceiling: IDelayedCall | None = None
        self._cut: Callable[[], None] | None = None

    @property
    def is_alone(self) -> bool:
        """Whether it goes on without its caller."""
        return self._cut is not None

    @property
    def left(self) -> float:
        """Seconds that it may go on without its caller; 0 where it may not at all."""
        if self._ceiling is None or not self._ceiling.active():
            return 0.0
        return max(0.0, self._ceiling.getTime() - self._replays.clock.seconds())

    def take(self, size: int) -> bool:
        """Count *size* bytes of its answer that have come; whether there is room for them."""
        return not self.over and self._replays.take(self, size)

    def keep(self, answer: bytes, beside: Beside) -> None:
        """Keep the whole *answer* for the window; with room for none the key is free again."""
        if not self.over:
            self._end()
            self._replays.kept(self, answer, beside)

    def release(self, outcome: str = "released") -> None:
        """Free the key: the next request with it goes upstream.

        :param outcome: as it is counted.
        """
        if not self.over:
            self._end()
            self._replays.count(self.owner.route, outcome)

    def go_on_alone(self, cut: Callable[[], None]) -> bool:
        """Go on without the caller, for a bounded time; ``False`` where too many do already.

        :param cut: is called when the time is over, or the server stops.
        """
        if self.is_alone:
            return True
        if self.over or not self._replays.may_go_on(self.owner.caller):
            return False
        self._cut = cut
        seconds = min(self.window, self._replays.bounds.longest)
        self._ceiling = self._replays.clock.callLater(seconds, cut)
        self._replays.alone(self, 1)
        return True

    def cut(self) -> None:
        """End it, if it goes on alone."""
        if self._cut is not None:
            self._cut()

    def _end(self) -> None:
        self.over = True
        if self._ceiling is not None and self._ceiling.active():
            self._ceiling.cancel()
        if self._cut is not None:
            self._cut = None
            self._replays.alone(self, -1)
        self._replays.ended(self)


class Replays(Generic[Beside]):
    """The keys of one server.

    Calls take constant time, averaged over calls, but for the sealing, which reads the answer.

    :ivar clock: its ``seconds()`` is the time.
    :ivar counts: what became of requests with a key, by route and outcome: ``kept``, ``too_long``,
        ``released``; ``replayed``, ``running``, ``differs``; ``forgotten`` before its window ended.
    :ivar size: bytes that are held.
    """

    def __init__(self, clock: IReactorTime, bounds: ReplayBounds | None = None) -> None:
        self.clock = clock
        self.bounds = bounds or ReplayBounds()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.size = 0
        self._secret = urandom(32)
        self._running: dict[bytes, Running[Beside]] = {}
        self._alone: dict[Running[Beside], None] = {}
        self._kept: OrderedDict[bytes, _Kept[Beside]] = OrderedDict()
        # Answers of equal windows end in the order in which they were kept.
        self._by_window: dict[float, OrderedDict[bytes, _Kept[Beside]]] = {}
        self._callers: dict[str, _Caller[Beside]] = {}

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._kept)

    @property
    def going_on(self) -> int:
        """How many requests go on without their callers."""
        return len(self._alone)

    def begin(
        self, owner: ReplayKey, fingerprint: bytes, window: float
    ) -> Running[Beside] | Replayed[Beside]:
        """The kept answer to a request, or the beginning of its first.

        :param fingerprint: a digest of all that makes it this request.
        :param window: seconds for which its answer is kept.
        :raises IdempotencyConflict: the first still runs, or was another request.
        """
        now = self.clock.seconds()
        self._forget_ended(now)
        name, mark = self.name_and_mark(owner, fingerprint)
        first, kept = self._running.get(name), self._kept.get(name)
        if kept is not None and kept.until <= now:
            self._forget(kept)
            kept = None
        known = first or kept
        if known is not None and not hmac.compare_digest(known.mark, mark):
            self.count(owner.route, "differs")
            raise IdempotencyConflict()
        if first is not None:
            self.count(owner.route, "running")
            raise IdempotencyConflict(retry_after(now - first.began))
        if kept is not None:
            self.count(owner.route, "replayed")
            return Replayed(self._open(kept, owner, fingerprint), kept.beside)
        running = Running(self, owner, fingerprint, window, now)
        self._running[name] = running
        self._of(owner.caller).running += 1
        return running

    def cut(self) -> None:
        """End every request that goes on without its caller."""
        for running in list(self._alone):
            running.cut()

    def count(self, route: str, outcome: str) -> None:
        """Count what became of a request with a key."""
        self.counts[route, outcome] += 1

    # A running request's side.

    def name_and_mark(self, owner: ReplayKey, fingerprint: bytes) -> tuple[bytes, bytes]:
        """What stands here for a key, and for its request: neither can be told from it."""
        return self._digest(b"name", bytes(owner)), self._digest(b"mark", fingerprint)

    def take(self, running: Running[Beside], size: int) -> bool:
        """Count bytes of a running request's answer, if there is room for them."""
        whole = running.size + size
        if whole > self.bounds.answer or not self._make_room(running.owner.caller, size):
            return False
        self._held(running.owner.caller, size)
        running.size = whole
        return True

    def kept(self, running: Running[Beside], answer: bytes, beside: Beside) -> None:
        """Seal and keep the answer of a request that runs no more."""
        owner = running.owner
        nonce = urandom(_NONCE)
        cipher = AESGCM(self._key(owner, running.fingerprint))
        kept = _Kept(
            running.name,
            owner.route,
            owner.caller,
            running.mark,
            nonce + cipher.encrypt(nonce, answer, None),
            beside,
            running.window,
            self.clock.seconds() + running.window,
        )
        fits = self._make_room(kept.caller, kept.size)
        self._held(kept.caller, kept.size if fits else 0)
        if fits:
            self._kept[kept.name] = kept
            self._by_window.setdefault(kept.window, OrderedDict())[kept.name] = kept
            self._of(kept.caller).kept[kept.name] = kept
        self.count(kept.route, "kept" if fits else "too_long")

    def ended(self, running: Running[Beside]) -> None:
        """Forget a running request."""
        del self._running[running.name]
        caller = running.owner.caller
        self._of(caller).running -= 1
        self._held(caller, -running.size)

    def may_go_on(self, caller: str) -> bool:
        """Whether one more request of *caller* may go on without it."""
        bounds = self.bounds
        if len(self._alone) >= bounds.running:
            return False
        return self._of(caller).alone < bounds.running_per_caller

    def alone(self, running: Running[Beside], change: int) -> None:
        """Count a request that goes on without its caller, or count it no more."""
        if change > 0:
            self._alone[running] = None
        else:
            del self._alone[running]
        self._of(running.owner.caller).alone += change

    # Sealing.

    def _digest(self, purpose: bytes, text: bytes) -> bytes:
        return hmac.digest(self._secret, purpose + b"\0" + text, "sha256")

    def _key(self, owner: ReplayKey, fingerprint: bytes) -> bytes:
        return self._digest(b"seal", self._digest(b"of", bytes(owner)) + fingerprint)

    def _open(self, kept: _Kept[Beside], owner: ReplayKey, fingerprint: bytes) -> bytes:
        cipher = AESGCM(self._key(owner, fingerprint))
        return cipher.decrypt(kept.sealed[:_NONCE], kept.sealed[_NONCE:], None)

    # Room.

    def _of(self, caller: str) -> _Caller[Beside]:
        return self._callers.setdefault(caller, _Caller())

    def _held(self, caller: str, change: int) -> None:
        self.size += change
        account = self._of(caller)
        account.size += change
        if not (account.size or account.running):
            del self._callers[caller]

    def _make_room(self, caller: str, size: int) -> bool:
        """Forget what is oldest, of the caller or of all, until *size* bytes more have room."""
        bounds, account = self.bounds, self._of(caller)
        while account.size + size > bounds.caller and account.kept:
            self._forget(next(iter(account.kept.values())), "forgotten")
        # What makes room has to be there: a caller must not empty the table for nothing.
        if account.size + size > bounds.caller:
            return False
        while self.size + size > bounds.total and self._kept:
            self._forget(next(iter(self._kept.values())), "forgotten")
        return self.size + size <= bounds.total

    def _forget_ended(self, now: float) -> None:
        """Forget some answers whose windows are over, more than a request adds."""
        for same in list(self._by_window.values()):
            for kept in list(islice(same.values(), _AT_ONCE)):
                if kept.until > now:
                    break
                self._forget(kept)

    def _forget(self, kept: _Kept[Beside], outcome: str = "") -> None:
        del self._kept[kept.name]
        same = self._by_window[kept.window]
        del same[kept.name]
        if not same:
            del self._by_window[kept.window]
        del self._of(kept.caller).kept[kept.name]
        self._held(kept.caller, -kept.size)
        if outcome:
            self.count(kept.route, outcome)


def retry_after(ran: float) -> int:
    """Whole seconds after which to ask again for what has *ran* so many seconds so far.

    >>> [retry_after(ran) for ran in (0.1, 30, 400)]
    [1, 7, 30]
    """
    return max(_SOONEST, min(_LATEST, int(ran * _PART)))
