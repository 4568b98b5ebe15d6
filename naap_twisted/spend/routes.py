"""``/usage``: what the signed-in user used."""

from __future__ import annotations

from typing import Any

from klein import Klein

from ..downstream.json_routes import own_route, signed_in
from .book import UsageBook
from .counts import as_json


def add_usage_route(router: Klein, book: UsageBook) -> None:
    """The route, below where *router* is mounted."""

    @own_route
    async def usage(request: Any) -> Any:
        return {"usage": as_json(await book.of(signed_in(request).id))}

    router.route("/usage", methods=["GET"], endpoint="naap GET /usage")(usage)
