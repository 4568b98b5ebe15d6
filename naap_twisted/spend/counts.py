"""The numbers that are kept, and how an exchange becomes some. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from attrs import define, frozen

from ..downstream.record import ExchangeRecord


@define
class Counts:
    """Sums over exchanges that went upstream.

    :ivar bytes_in: request body bytes.
    :ivar bytes_out: response body bytes.
    :ivar status_2xx: answers of the upstream, by class.
    :ivar failed: no answer: no connection, a deadline, a browser that left.
    :ivar prompt_tokens: as the upstream reported them, on routes that count tokens.
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
        """One finished exchange."""
        counts = cls(requests=1, bytes_in=record.bytes_in, bytes_out=record.bytes_out)
        by_class = f"status_{record.upstream_status // 100}xx"
        if by_class in NAMES:
            setattr(counts, by_class, 1)
        else:
            counts.failed = 1
        tokens = record.model_tokens
        if tokens is not None:
            counts.prompt_tokens, counts.completion_tokens, counts.total_tokens = tokens
        return counts

    def add(self, other: Counts) -> None:
        """Add *other* to this."""
        for name in NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_row(self) -> dict[str, int]:
        """Name to number."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(field.name for field in attrs.fields(Counts))


@frozen
class UsageKey:
    """Whose, of what, when.

    :ivar month: ``"2026-11"``, UTC.
    """

    user_id: str
    route: str
    month: str


Usage = Mapping[UsageKey, Counts]


def as_json(usage: Usage) -> list[dict[str, Any]]:
    """What ``GET /usage`` lists, latest month first."""
    ordered = sorted(usage, key=lambda key: key.route)
    ordered.sort(key=lambda key: key.month, reverse=True)
    return [_entry(key, usage[key]) for key in ordered]


def _entry(key: UsageKey, counts: Counts) -> dict[str, Any]:
    return {
        "route": key.route,
        "month": key.month,
        "requests": counts.requests,
        "bytes_in": counts.bytes_in,
        "bytes_out": counts.bytes_out,
        "status": {
            **{f"{n}xx": getattr(counts, f"status_{n}xx") for n in (2, 3, 4, 5)},
            "failed": counts.failed,
        },
        "tokens": {
            "prompt": counts.prompt_tokens,
            "completion": counts.completion_tokens,
            "total": counts.total_tokens,
        },
    }
