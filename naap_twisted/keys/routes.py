"""``/keys`` and ``/keys/{provider}``: the signed-in user sets, sees and deletes keys, never reads.

Nobody else's: the user's id comes from the first door, not from the path.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from klein import Klein

from ..downstream.json_routes import own_route, signed_in
from ..errors import BodyTooLarge, InvalidKey, NotFound, UnsupportedMediaType
from ..interfaces import IKeyStore
from ..model import KeyInfo
from .rules import LONGEST_KEY, check_key, check_provider

#: Of {"key": "..."}, where JSON may spell each byte with six.
MOST_BODY = 8 * LONGEST_KEY


def add_key_routes(router: Klein, keys: IKeyStore) -> None:
    """The three routes, below where *router* is mounted."""

    @own_route
    async def listed(request: Any) -> Any:
        found = await keys.describe(signed_in(request).id)
        return {"keys": [_shown(info) for info in found]}

    @own_route
    async def seen(request: Any, provider: str) -> Any:
        check_provider(provider)
        for info in await keys.describe(signed_in(request).id):
            if info.provider == provider:
                return _shown(info)
        raise NotFound(f'No key for "{provider}" is set')

    @own_route
    async def put(request: Any, provider: str) -> Any:
        user = signed_in(request)
        key = check_key(_sent(request), check_provider(provider))
        return _shown(await keys.put(user.id, provider, key))

    @own_route
    async def deleted(request: Any, provider: str) -> Any:
        user = signed_in(request)
        if not await keys.delete(user.id, check_provider(provider)):
            raise NotFound(f'No key for "{provider}" is set')
        return None

    one = "/keys/<string:provider>"
    for path, method, handler in (
        ("/keys", "GET", listed),
        (one, "GET", seen),
        (one, "PUT", put),
        (one, "DELETE", deleted),
    ):
        # Named, so that no handler of a user's can have the same endpoint.
        name = f"naap {method} {path}"
        router.route(path, methods=[method], endpoint=name)(handler)


def _sent(request: Any) -> object:
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise UnsupportedMediaType("Expected Content-Type: application/json")
    body = request.content.read(MOST_BODY + 1)
    if len(body) > MOST_BODY:
        raise BodyTooLarge()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        # Not json's own message: it may quote a piece of the key.
        raise InvalidKey('Expected {"key": "..."}') from None
    return document.get("key") if isinstance(document, dict) else None


def _shown(info: KeyInfo) -> dict[str, str]:
    moment = datetime.fromtimestamp(info.updated_at, UTC)
    return {
        "provider": info.provider,
        "last4": info.last4,
        "updated_at": moment.isoformat().replace("+00:00", "Z"),
    }
