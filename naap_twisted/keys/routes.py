"""``/keys`` and ``/keys/{provider}``: a signed-in user sets, lists and deletes keys of their own.

The user's id comes from authentication and not from the path, so that no user reaches another's
keys; and no answer holds a key, only its last four characters.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from klein import Klein

from ..downstream.json_routes import json_content, own_route, signed_in
from ..errors import InvalidKey, NotFound
from ..interfaces import IKeyStore
from ..model import KeyInfo
from .rules import LONGEST_KEY, check_key, check_provider

#: Bytes of ``{"key": "..."}``; a JSON escape such as ``\u0041`` spells a character with six bytes.
MOST_BODY = 8 * LONGEST_KEY


def add_key_routes(router: Klein, keys: IKeyStore) -> None:
    """Add the four routes to *router*, below the path at which the router is mounted."""

    async def list_keys(request: Any) -> Any:
        infos = await keys.describe(signed_in(request).id)
        return {"keys": [_json_of(info) for info in infos]}

    async def show_key(request: Any, provider: str) -> Any:
        check_provider(provider)
        for info in await keys.describe(signed_in(request).id):
            if info.provider == provider:
                return _json_of(info)
        raise NotFound(f'No key for "{provider}" is set')

    async def put_key(request: Any, provider: str) -> Any:
        user = signed_in(request)
        key = check_key(_key_in_body(request), check_provider(provider))
        return _json_of(await keys.put(user.id, provider, key))

    async def delete_key(request: Any, provider: str) -> Any:
        user = signed_in(request)
        if not await keys.delete(user.id, check_provider(provider)):
            raise NotFound(f'No key for "{provider}" is set')

    provider_path = "/keys/<string:provider>"
    for path, method, handler in (
        ("/keys", "GET", list_keys),
        (provider_path, "GET", show_key),
        (provider_path, "PUT", put_key),
        (provider_path, "DELETE", delete_key),
    ):
        # Klein names an endpoint after its function; a plugin's may have the same name as ours.
        router.route(path, methods=[method], endpoint=f"naap {method} {path}")(own_route(handler))


def _key_in_body(request: Any) -> object:
    content = json_content(request, MOST_BODY)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        # The decoder's own message may quote a piece of the key.
        raise InvalidKey('Expected {"key": "..."}') from None
    return document.get("key") if isinstance(document, dict) else None


def _json_of(info: KeyInfo) -> dict[str, str]:
    moment = datetime.fromtimestamp(info.updated_at, UTC)
    return {
        "provider": info.provider,
        "last4": info.last4,
        "updated_at": moment.isoformat().replace("+00:00", "Z"),
    }
