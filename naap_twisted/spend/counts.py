"""The numbers that a usage store keeps, and how a finished exchange becomes some. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from attrs import define, frozen

from ..downstream.record import ExchangeRecord


@define
class Counts:
    """Sums over exchanges that went upstream.

    :ivar bytes_in: request body bytes.
    :ivar bytes_out: response body bytes.
    :ivar status_2xx: answers of the upstream, by class of status.
    :ivar failed: exchanges without an answer: no connection, a deadline, a browser that left.
    :ivar prompt_tokens: a model's tokens as the upstream reports them, where a route counts them.
    """

    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    status_2xx: int = 0
    status_3xx: int = 0
    status_4xx: int = 0
    status_5xx: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0

    @classmethod
    def of(cls, record: ExchangeRecord) -> Counts:
        """The numbers of one finished exchange."""
        counts = cls(requests=1, bytes_in=record.bytes_in, bytes_out=record.bytes_out)
        by_class = f"status_{min(record.upstream_status // 100, 5)}xx"
        if by_class in NAMES:
            setattr(counts, by_class, 1)
        else:
            counts.failed = 1
        tokens = record.model_tokens
        if tokens is not None:
            counts.prompt_tokens, counts.completion_tokens = tokens.input, tokens.output
            counts.total_tokens = tokens.total
        return counts

    def add(self, other: Counts) -> None:
        """Add the numbers of *other* to these."""
        for name in NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))


NAMES = tuple(field.name for field in attrs.fields(Counts))


@frozen
class UsageKey:
    """The user, the route and the month that sums are kept for.

    :ivar month: such as ``"2026-11"``, in UTC.
    """

    user_id: str
    route: str
    month: str


Usage = Mapping[UsageKey, Counts]
