"""``GET /usage``: the signed-in user reads what was spent in the user's own name."""

from __future__ import annotations

from typing import Any

from klein import Klein

from ..downstream.json_routes import own_route, signed_in
from .book import UsageBook
from .counts import Counts, Usage, UsageKey


def add_usage_route(router: Klein, book: UsageBook) -> None:
    """Add ``/usage`` to *router*, below the path at which the router is mounted."""

    @own_route
    async def usage(request: Any) -> Any:
        return {"usage": as_json(await book.of(signed_in(request).id))}

    router.route("/usage", methods=["GET"], endpoint="naap GET /usage")(usage)


def as_json(usage: Usage) -> list[dict[str, Any]]:
    """The entries of the answer, the latest month first and then by route."""
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
