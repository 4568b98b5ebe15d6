"""Look-ups shared, remembered for their TTL, and bounded for each route and each caller."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, TimeoutError, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import BadGateway, ProxyError, Unavailable, UpstreamTimeout
from ..interfaces import IResolver
from ..model import Answer
from .places import PlaceLimits, Places, Share
from .resolver import NoAddress

_LONGEST_TTL = 300.0
# How long a name without an address is not asked about again.
_REFUSAL_TTL = 1.0
_NOBODY = Share()

PLACES = PlaceLimits(total=100, reserve=10, route=50, caller=60, both=40)
PLACES_LEFT_BEHIND = PlaceLimits(total=200, reserve=20, route=100, caller=120, both=80)

Waiter = Deferred[Answer]


@frozen
class LookupLimits:
    """How many look-ups there may be at a time.

    :ivar waited: those that somebody waits for.
    :ivar running: those, and those whose callers have left. A thread inside ``getaddrinfo`` can't
        be stopped: it holds nobody's place, but there is an end to how many one may leave behind.
    :ivar names: answers remembered.
    """

    waited: PlaceLimits = PLACES
    running: PlaceLimits = PLACES_LEFT_BEHIND
    names: int = 1024


@define(eq=False)
class _LookUp:
    """One name that is being asked for.

    :ivar begun_by: whose place among the running ones it has.
    :ivar waited_by: whose place among those waited for it has; ``None`` while nobody waits.
    :ivar fresh: who waits and has met no failure yet; *failed*: who has met one.
    """

    host: str
    begun_by: Share
    waited_by: Share | None = None
    fresh: list[Waiter] = field(factory=list)
    failed: list[Waiter] = field(factory=list)

    def __len__(self) -> int:
        return len(self.fresh) + len(self.failed)


class SharedLookups:
    """In front of another resolver: one look-up a name at a time.

    An answer is kept for its TTL, at most five minutes; one without a TTL is not kept. What is
    kept is the answer, never a verdict on it: every connection judges the addresses anew. That
    there is no address is an answer, too, and kept for a second.

    A look-up that fails is not an answer: everybody who waited for it gets one look-up more, so
    that nobody fails by what befell another's.

    :ivar asking: how many look-ups are running, those that nobody waits for included.
    """

    def __init__(
        self, inner: IResolver, clock: IReactorTime, limits: LookupLimits | None = None
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._limits = limits or LookupLimits()
        self._waited = Places(self._limits.waited)
        self._running = Places(self._limits.running)
        self._answers: OrderedDict[str, tuple[float, Answer | NoAddress]] = OrderedDict()
        self._waiting: dict[str, _LookUp] = {}

    @property
    def asking(self) -> int:
        return len(self._running)

    def resolve(self, host: str, share: Share = _NOBODY) -> Deferred[Answer]:
        """See :class:`~naap_twisted.interfaces.IResolver`.

        :param share: whose place it takes; a name that is known takes none.
        :raises Unavailable: *share* has no place left.
        """
        known = self._answers.get(host)
        if known is not None:
            until, outcome = known
            if until > self._clock.seconds():
                if isinstance(outcome, Answer):
                    return succeed(outcome)
                return fail(NoAddress(reason=outcome.reason))
            del self._answers[host]
        lookup = self._waiting.get(host)
        if not lookup and self._waited.full(share):
            raise Unavailable(reason="too many DNS look-ups in flight")
        if lookup is None:
            if self._running.full(share):
                raise Unavailable(reason="too many DNS look-ups left behind")
            lookup = self._waiting[host] = _LookUp(host, share)
            self._running.take(share)
            return self._join(lookup, share, begin=True)
        return self._join(lookup, share)

    def _join(self, lookup: _LookUp, share: Share, *, begin: bool = False) -> Waiter:
        if lookup.waited_by is None:
            self._waited.take(share)
            lookup.waited_by = share
        waiter: Waiter = Deferred(lambda gone: self._forget(lookup, gone))
        lookup.fresh.append(waiter)
        if begin:
            self._ask(lookup)
        return waiter

    def _ask(self, lookup: _LookUp) -> None:
        # What raises at once must not leave the name waiting for ever.
        maybeDeferred(self._inner.resolve, lookup.host).addBoth(self._done, lookup)

    def _forget(self, lookup: _LookUp, gone: Waiter) -> None:
        # The look-up itself goes on: its answer serves whoever asks next.
        for waiters in (lookup.fresh, lookup.failed):
            if gone in waiters:
                waiters.remove(gone)
        self._free_unwaited(lookup)

    def _free_unwaited(self, lookup: _LookUp) -> None:
        if lookup.waited_by is not None and not lookup:
            self._waited.leave(lookup.waited_by)
            lookup.waited_by = None

    def _done(self, outcome: Answer | Failure, lookup: _LookUp) -> None:
        final = not isinstance(outcome, Failure) or bool(outcome.check(NoAddress, Unavailable))
        told, lookup.failed = lookup.failed, []
        fresh, lookup.fresh = lookup.fresh, []
        if final or not fresh:
            told += fresh
            self._end(lookup)
        else:
            lookup.failed = fresh
        self._keep(outcome, lookup.host)
        if lookup:
            self._ask(lookup)
        for waiter in told:
            if waiter.called:
                continue  # cancelled by what one before it did with the outcome
            if isinstance(outcome, Failure):
                waiter.errback(_in_our_words(outcome, lookup.host))
            else:
                waiter.callback(outcome)

    def _end(self, lookup: _LookUp) -> None:
        del self._waiting[lookup.host]
        self._running.leave(lookup.begun_by)
        self._free_unwaited(lookup)

    def _keep(self, outcome: Answer | Failure, host: str) -> None:
        kept: Answer | NoAddress
        if isinstance(outcome, Answer):
            kept, seconds = outcome, min(outcome.ttl, _LONGEST_TTL)
        elif isinstance(outcome.value, NoAddress):
            kept, seconds = outcome.value, _REFUSAL_TTL
        else:
            return
        if seconds <= 0:
            return
        self._answers[host] = (self._clock.seconds() + seconds, kept)
        if len(self._answers) > self._limits.names:
            self._answers.popitem(last=False)


def _in_our_words(failure: Failure, host: str) -> Failure:
    """A resolver's foreign failure, by its kind; never its text, which may be anything."""
    if failure.check(ProxyError):
        return failure
    if failure.check(TimeoutError):
        return Failure(UpstreamTimeout(reason=f"DNS look-up of {host} took too long"))
    kind = failure.type.__name__ if failure.type else "unknown"
    return Failure(BadGateway(reason=f"DNS look-up of {host} failed: {kind}"))
