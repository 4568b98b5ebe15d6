"""Whether an upstream that keeps failing is asked again: a state machine. Pure.

1. *Closed*: requests go. An answer forgets the failures before it; so many failures in a row within
   the window open the circuit. In a row, because a busy upstream that answers is not down.
2. *Open*: none goes, for a time.
3. *Half open*: one goes, the probe. Its answer closes the circuit, its failure opens it again, and
   where its caller leaves first, the next request is the probe.

What was sent before the circuit changed says nothing about the time since, and is not counted.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from attrs import frozen

from ..model import CircuitBreaker


class State(Enum):
    """Of one circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@frozen
class Pass:
    """Lets one request go.

    :ivar turn: the circuit's, as the request went.
    """

    turn: int


class Breaker:
    """The circuit to one upstream; times in seconds of any clock that does not go back.

    :ivar state: open becomes half open with the first request after its time.
    """

    def __init__(self, rule: CircuitBreaker) -> None:
        self._rule = rule
        self._failed: deque[float] = deque(maxlen=rule.failures)
        self._turn = 0
        self._until = 0.0
        self._probing = False
        self.state = State.CLOSED

    @property
    def is_sound(self) -> bool:
        """Whether there is nothing to remember."""
        return self.state is State.CLOSED and not self._failed

    def enter(self, now: float) -> Pass | float:
        """What lets a request go, or the seconds after which another may be tried."""
        if self.state is State.OPEN and now >= self._until:
            self._become(State.HALF_OPEN)
        if self.state is State.OPEN:
            return self._until - now
        if self.state is State.HALF_OPEN:
            if self._probing:
                return 1.0
            self._probing = True
        return Pass(self._turn)

    def answered(self, permit: Pass) -> None:
        """The upstream has answered the request of *permit*."""
        if permit.turn != self._turn:
            return
        self._failed.clear()
        if self.state is State.HALF_OPEN:
            self._become(State.CLOSED)

    def failed(self, permit: Pass, now: float) -> None:
        """The upstream could not be reached for it, or did not answer."""
        if permit.turn != self._turn:
            return
        self._failed.append(now)
        full = len(self._failed) == self._rule.failures
        recent = now - self._failed[0] <= self._rule.window
        if self.state is State.HALF_OPEN or (full and recent):
            self._become(State.OPEN)
            self._until = now + self._rule.open

    def left(self, permit: Pass) -> None:
        """Its end says nothing: the caller has left, or the failure was on this side."""
        if permit.turn == self._turn:
            self._probing = False

    def _become(self, state: State) -> None:
        self.state = state
        self._turn += 1
        self._probing = False
        self._failed.clear()
