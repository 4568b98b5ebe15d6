"""DNS look-ups that callers share: answers live for their TTL, and every caller has a bound."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, TimeoutError, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import BadGateway, ProxyError, Unavailable, UpstreamTimeout
from ..interfaces import IResolver
from ..model import Answer
from .places import PlaceLimits, Places, Share
from .resolver import NoAddress
from .tls import cause_of

_LONGEST_TTL = 300.0
# Seconds for which a name without an address is not asked about again.
_NO_ADDRESS_TTL = 1.0
_SERVER_ITSELF = Share()

WAITED = PlaceLimits(total=100, reserve=10, route=50, caller=60, both=40)
RUNNING = PlaceLimits(total=200, reserve=20, route=100, caller=120, both=80)

Waiter = Deferred[Answer]


@frozen
class LookupLimits:
    """How many look-ups there may be at a time.

    :ivar waited: those that a caller waits for.
    :ivar running: those, and those whose callers have left. A thread inside ``getaddrinfo`` can't
        be stopped, so there is a bound on how many a caller may leave behind.
    :ivar names: answers remembered.
    """

    waited: PlaceLimits = WAITED
    running: PlaceLimits = RUNNING
    names: int = 1024


@define(eq=False)
class _LookUp:
    """One name that the inner resolver is asked for.

    :ivar begun_by: the share that counts it among the running look-ups.
    :ivar waited_by: the share that counts it among those waited for; ``None`` while nobody waits.
    :ivar fresh: callers that wait and have met no failure yet.
    :ivar failed: callers that wait and have met one.
    """

    host: str
    begun_by: Share
    waited_by: Share | None = None
    fresh: list[Waiter] = field(factory=list)
    failed: list[Waiter] = field(factory=list)

    def __len__(self) -> int:
        return len(self.fresh) + len(self.failed)


class SharedLookups:
    """A resolver in front of another one: each name has one look-up at a time.

    An answer is kept for its TTL, at most five minutes; one without a TTL is not kept. Only the
    answer is kept, and no verdict on it: every connection judges the addresses anew. That a name
    has no address is an answer, too, and kept for a second.

    A failed look-up is no answer: every caller that waited for it gets one look-up more, so that
    none fails by what befell a look-up that another caller began.
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
        """How many look-ups are running, including those whose callers have left."""
        return len(self._running)

    def resolve(self, host: str, share: Share = _SERVER_ITSELF) -> Deferred[Answer]:
        """See :class:`~naap_twisted.interfaces.IResolver`.

        :param share: counts the look-up, unless the answer is remembered.
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
        begun = lookup is not None
        if lookup is None:
            if self._running.full(share):
                raise Unavailable(reason="too many DNS look-ups left behind")
            lookup = self._waiting[host] = _LookUp(host, share)
            self._running.take(share)
        if lookup.waited_by is None:
            self._waited.take(share)
            lookup.waited_by = share
        waiter: Waiter = Deferred(partial(self._forget, lookup))
        lookup.fresh.append(waiter)
        if not begun:
            self._ask(lookup)
        return waiter

    def _ask(self, lookup: _LookUp) -> None:
        # A resolver that raises at once must not leave its callers waiting for ever.
        maybeDeferred(self._inner.resolve, lookup.host).addBoth(self._done, lookup)

    def _forget(self, lookup: _LookUp, gone: Waiter) -> None:
        # The look-up itself goes on, and its answer serves the next caller.
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
                waiter.errback(as_upstream_failure(outcome, f"DNS look-up of {lookup.host}"))
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
            kept, seconds = outcome.value, _NO_ADDRESS_TTL
        else:
            return
        if seconds <= 0:
            return
        self._answers[host] = (self._clock.seconds() + seconds, kept)
        if len(self._answers) > self._limits.names:
            self._answers.popitem(last=False)


def as_upstream_failure(failure: Failure, step: str, *kept: type[Exception]) -> Failure:
    """A foreign failure as one of ours, with its type's name, or what OpenSSL says of it.

    :param step: what failed, such as ``"DNS look-up of api.example.com"``.
    :param kept: the types of failures that stay as they are; ours do.
    """
    if failure.check(ProxyError, *kept):
        return failure
    if failure.check(TimeoutError):
        return Failure(UpstreamTimeout(reason=f"{step} took too long"))
    return Failure(BadGateway(reason=f"{step} failed: {cause_of(failure)}"))
