"""``${user_key:daydream}`` in ``forward_headers``: a request carries the key of its own user."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Unauthorized
from ..interfaces import IDownstreamRequest, IKeyStore
from ..model import UserKeyHeader
from ..secret import Secret


class UserKeyHeaders:
    """A callable for ``forward_headers``.

    :param headers: fixed secrets, and templates that take in a user's key, by header name.
    :ivar names: the names of those headers; ``check`` and the console list what a route injects.
    """

    def __init__(self, headers: Mapping[str, Secret | UserKeyHeader], keys: IKeyStore) -> None:
        self.names = tuple(headers)
        self._headers = dict(headers)
        self._keys = keys

    async def __call__(self, request: IDownstreamRequest) -> dict[str, Secret]:
        """The headers of this request, by name.

        :raises NoUserKey: the user has set no key for the provider.
        :raises Unauthorized: the request has no user.
        """
        user = request.record.user
        if user is None:
            raise Unauthorized(reason="the route uses the user's own key")
        headers: dict[str, Secret] = {}
        for name, value in self._headers.items():
            if isinstance(value, UserKeyHeader):
                key = await self._keys.get(user.id, value.provider)
                value = key.between(value.before, value.after)
            headers[name] = value
        return headers

    def __repr__(self) -> str:
        return f"<UserKeyHeaders {', '.join(self.names)}>"
