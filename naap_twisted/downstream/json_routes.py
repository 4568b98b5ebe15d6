"""What the server's own JSON routes share: who asks, how they answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from twisted.web.server import NOT_DONE_YET

from ..errors import ProxyError, Unauthorized
from ..model import User
from .answer import send_refusal

Handler = Callable[..., Awaitable[Any]]


def signed_in(request: Any) -> User:
    """Who asks.

    :raises Unauthorized: nobody known; also on a server that does not require auth.
    """
    user: User | None = request.record.user
    if user is None:
        raise Unauthorized()
    return user


def own_route(handler: Handler) -> Handler:
    """A Klein handler that returns a document: sent as JSON, never cached; ``None`` is a 204.

    A :class:`ProxyError` becomes the contract's answer whatever site the server hangs in.
    """

    @wraps(handler)
    async def answer(request: Any, *arguments: Any, **named: Any) -> Any:
        try:
            document = await handler(request, *arguments, **named)
        except ProxyError as error:
            refuse = getattr(request, "refuse", None)
            if refuse is None:
                send_refusal(request, error)
            else:
                refuse(error)
            return NOT_DONE_YET
        request.setHeader(b"Cache-Control", b"no-store")
        if document is None:
            request.setResponseCode(204)
            return b""
        request.setHeader(b"Content-Type", b"application/json")
        return json.dumps(document).encode()

    return answer
