"""One call for all requests that ask the same question at the same time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..errors import Unavailable

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Calls in flight, by key.

    A request that stops waiting cancels nothing for the others: the call goes on to its end, which
    the call's own deadline bounds.

    :param most: how many calls may be in flight at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[bytes, dict[Deferred[T], None]] = {}

    def ask(self, key: bytes, call: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """The outcome of the call for *key*; *call* begins one if none is in flight.

        :raises Unavailable: too many calls are in flight.
        """
        waiting = self._waiting.get(key)
        first = waiting is None
        if waiting is None:
            if len(self._waiting) >= self._most:
                raise Unavailable(reason="too many authentication calls in flight")
            waiting = self._waiting[key] = {}
        waiter: Deferred[T] = Deferred(lambda waiter: waiting.pop(waiter, None))
        waiting[waiter] = None
        if first:
            Deferred.fromCoroutine(call()).addBoth(partial(self._done, key))
        return waiter

    def _done(self, key: bytes, outcome: T | Failure) -> None:
        for waiter in list(self._waiting.pop(key)):
            if isinstance(outcome, Failure):
                waiter.errback(outcome)
            else:
                waiter.callback(outcome)
