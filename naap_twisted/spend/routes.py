"""``GET /usage``: users and guests read what was spent in their own name, and what is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from klein import Klein

from ..downstream.json_routes import known, own_route
from ..downstream.record import ExchangeRecord
from .book import UsageBook
from .budget import Budget, plain_usd
from .counts import Counts
from .ledger import Standing
from .purse import Purse
from .totals import Total, Totals


def add_usage_route(
    router: Klein, book: UsageBook | None, purses: Mapping[str, Purse] | None = None
) -> None:
    """Add ``/usage`` to *router*, below the path at which the router is mounted.

    :param purses: by the path of their route, as they are at each request.
    """

    @own_route
    async def usage(request: Any) -> Any:
        user = known(request)
        listed = [] if book is None else as_json(await book.of(user.id))
        return {"usage": listed, "budgets": await _budgets(purses or {}, request.record)}

    router.route("/usage", methods=["GET"], endpoint="naap GET /usage")(usage)


async def _budgets(purses: Mapping[str, Purse], record: ExchangeRecord) -> list[dict[str, Any]]:
    """The budgets that a caller falls under, each once, by the path of the route."""
    found: dict[str, dict[str, Any]] = {}
    for route, purse in sorted(purses.items()):
        for name, budget, standing, wait in await purse.standings(record):
            found.setdefault(name, _budget(route, budget, standing, wait))
    return list(found.values())


def _budget(route: str, budget: Budget, standing: Standing, wait: int) -> dict[str, Any]:
    unit = budget.unit
    left = max(0, budget.limit - standing.total)
    amounts = {"limit": budget.limit, "spent": standing.spent, "reserved": standing.held}
    shown = {name: _amount(unit, each) for name, each in {**amounts, "left": left}.items()}
    about = {"route": route, "unit": unit, "per": budget.window.name, "of": budget.of}
    return {**about, "mode": "audit" if budget.audit else "enforce", **shown, "resets_in": wait}


def _amount(unit: str, amount: int) -> int | str:
    """Dollars are a text, because a reader's double would round them."""
    return plain_usd(amount) if unit == "usd" else amount


def as_json(totals: Totals) -> list[dict[str, Any]]:
    """The entries of the answer, the latest month first and then by route."""
    ordered = sorted(totals.rows, key=lambda row: row.names["route"])
    ordered.sort(key=lambda row: row.names["month"], reverse=True)
    return [{**_named(row), **numbers(row.counts)} for row in ordered]


def _named(row: Total) -> dict[str, str]:
    return {"route": row.names["route"], "month": row.names["month"]}


def numbers(counts: Counts) -> dict[str, Any]:
    """Sums as JSON has them; dollars are a text."""
    return {
        "requests": counts.requests,
        "bytes_in": counts.bytes_in,
        "bytes_out": counts.bytes_out,
        "status": {
            **{f"{n}xx": getattr(counts, f"status_{n}xx") for n in (2, 3, 4, 5)},
            "failed": counts.failed,
        },
        "tokens": {
            "input": counts.input_tokens,
            "cached_input": counts.cached_input_tokens,
            "cache_write": counts.cache_write_tokens,
            "output": counts.output_tokens,
            "reasoning": counts.reasoning_tokens,
            "audio_input": counts.audio_input_tokens,
            "audio_output": counts.audio_output_tokens,
            "total": counts.total_tokens,
            # As the first version named them.
            "prompt": counts.input_tokens,
            "completion": counts.output_tokens,
        },
        "usd": plain_usd(counts.usd_nanos),
        "estimated_share": counts.estimated_share,
    }
