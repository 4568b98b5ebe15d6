"""The numbers that a usage store keeps, and how a finished exchange becomes some. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from attrs import define, frozen

from ..downstream.record import ExchangeRecord

#: What one exchange may add at most, so that no report makes a sum outgrow its 64 bits.
_MOST_TOKENS = 10**12
_MOST_NANOS = 10**15
_KINDS = (
    *("input", "cached_input", "cache_write", "output", "reasoning"),
    *("audio_input", "audio_output"),
)


@define
class Counts:
    """Sums over exchanges that went upstream.

    :ivar bytes_in: request body bytes.
    :ivar bytes_out: response body bytes.
    :ivar status_2xx: answers of the upstream, by class of status.
    :ivar failed: exchanges without an answer: no connection, a deadline, a browser that left.
    :ivar input_tokens: a model's tokens, where they are counted; the kinds are those of
        :class:`~naap_twisted.model.Tokens`.
    :ivar usd_nanos: what they cost, in billionths of a dollar.
    :ivar estimated_requests: those whose tokens nobody reported; *estimated_tokens* are theirs.
    """

    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    status_2xx: int = 0
    status_3xx: int = 0
    status_4xx: int = 0
    status_5xx: int = 0
    failed: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    usd_nanos: int = 0
    estimated_requests: int = 0
    estimated_tokens: int = 0

    @classmethod
    def of(cls, record: ExchangeRecord) -> Counts:
        """The numbers of one finished exchange."""
        counts = cls.spent(record)
        counts.requests, counts.bytes_in, counts.bytes_out = 1, record.bytes_in, record.bytes_out
        by_class = f"status_{min(record.upstream_status // 100, 5)}xx"
        if by_class in NAMES:
            setattr(counts, by_class, 1)
        else:
            counts.failed = 1
        return counts

    @classmethod
    def spent(cls, record: ExchangeRecord) -> Counts:
        """What one exchange did cost, and nothing else."""
        counts = cls()
        tokens = record.booked or record.model_tokens
        if tokens is not None:
            for kind in _KINDS:
                setattr(counts, f"{kind}_tokens", min(getattr(tokens, kind), _MOST_TOKENS))
        counts.usd_nanos = min(record.usd, _MOST_NANOS)
        if record.estimated:
            counts.estimated_requests, counts.estimated_tokens = 1, counts.total_tokens
        return counts

    @property
    def total_tokens(self) -> int:
        """All tokens: the other kinds are parts of these two."""
        return self.input_tokens + self.output_tokens

    @property
    def estimated_share(self) -> float:
        """The part of the tokens that is estimated, from 0 to 1."""
        return round(self.estimated_tokens / self.total_tokens, 4) if self.total_tokens else 0.0

    def add(self, other: Counts) -> None:
        """Add the numbers of *other* to these."""
        for name in NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))


NAMES = tuple(field.name for field in attrs.fields(Counts))


@frozen
class UsageKey:
    """Whose sums they are, and of what.

    :ivar user_id: ``""`` for all callers who are not signed in.
    :ivar day: such as ``"2026-11-26"``, in UTC. What an older version counted has its month only.
    :ivar model: ``""`` where no model is known.
    """

    user_id: str
    route: str
    day: str
    model: str = ""


Usage = Mapping[UsageKey, Counts]
