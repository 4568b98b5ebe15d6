"""``/tokens`` and ``/tokens/{id}``: page tokens are minted and revoked.

Who asks is a signed-in user, for tokens of the user's own, or the site's backend with an issuer's
secret, for those of anybody. The gate lets no page token in here, so that none makes another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from klein import Klein

from ..downstream.json_routes import json_content, own_route, signed_in
from ..errors import Forbidden, InvalidTokenRequest, NotFound
from .minting import Order, read_order
from .page_tokens import PATH, PageTokens

#: Bytes of an order.
MOST_BODY = 16 * 1024
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
#: Says to which members of an order the mount at a path holds a token; ``None``: none is there.
Find = Callable[[str], Collection[str] | None]


def add_token_routes(router: Klein, tokens: PageTokens, find: Find) -> None:
    """Add the routes to *router*, below the path at which the router is mounted."""

    async def mint(request: Any) -> Any:
        by_issuer = tokens.is_issuer(request.requestHeaders)
        minter = None if by_issuer else signed_in(request)
        content = json_content(request, MOST_BODY)
        order = read_order(content, by_issuer=by_issuer, max_ttl=tokens.max_ttl)
        _check_routes(order, find)
        token, grant = tokens.mint(minter, order)
        ends = datetime.fromtimestamp(grant.expires_at, UTC).isoformat().replace("+00:00", "Z")
        return {"token": token, "expires_at": ends, "id": grant.id}

    async def revoke_one(request: Any, token_id: str) -> None:
        by_issuer = tokens.is_issuer(request.requestHeaders)
        sub = "" if by_issuer else signed_in(request).id
        if _ID.fullmatch(token_id) is None:
            raise NotFound("No token has such an id")
        await tokens.revoke(token_id, sub)

    async def revoke_all(request: Any) -> None:
        if not tokens.is_issuer(request.requestHeaders):
            signed_in(request)
            raise Forbidden("Only the site's backend revokes every token of a user")
        values = request.args.get(b"sub", [])
        sub = values[0].decode("utf-8", "replace") if len(values) == 1 else ""
        if set(request.args) != {b"sub"} or not sub:
            raise InvalidTokenRequest('Expected one "sub" in the query', param="sub")
        await tokens.revoke("", sub)

    one = f"{PATH}/<string:token_id>"
    for path, method, handler in (
        (PATH, "POST", mint),
        (PATH, "DELETE", revoke_all),
        (one, "DELETE", revoke_one),
    ):
        # Klein names an endpoint after its function; a plugin's may have the same name as ours.
        router.route(path, methods=[method], endpoint=f"naap {method} {path}")(own_route(handler))


def _check_routes(order: Order, find: Find) -> None:
    """Refuse routes that are not there, and what a route would not hold the token to."""
    asked = {"models": order.models, "budget": order.budget}
    for path in order.routes:
        held = find(path)
        if held is None:
            raise InvalidTokenRequest(f"{path!a} is no route of this server", param="routes")
        for name in asked:
            if asked[name] and name not in held:
                raise InvalidTokenRequest(
                    f'"{name}" can not be held on {path!a}; leave one of them out', param=name
                )
