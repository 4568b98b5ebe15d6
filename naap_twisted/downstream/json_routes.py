"""The frame of the server's own JSON routes: their user and the form of their answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any

from twisted.web.server import NOT_DONE_YET

from ..errors import BodyTooLarge, Forbidden, ProxyError, Unauthorized, UnsupportedMediaType
from ..headers import media_type
from ..model import User
from .answer import send_refusal

Handler = Callable[..., Awaitable[Any]]


def signed_in(request: Any) -> User:
    """The user who sent *request*.

    :raises Unauthorized: no user is known, even on a server that does not require auth.
    :raises Forbidden: it is a guest, who has nothing here that could be kept.
    """
    user = known(request)
    if user.guest:
        raise Forbidden("This needs a user who signed in", reason="a guest asks")
    return user


def known(request: Any) -> User:
    """The user or the guest who sent *request*.

    :raises Unauthorized: nobody is known.
    """
    user: User | None = request.record.user
    if user is None:
        raise Unauthorized()
    return user


def json_content(request: Any, most: int) -> bytes:
    """The bytes of a request's body, which says that it is JSON; nobody has read them.

    :param most: bytes that it may have.
    :raises UnsupportedMediaType: it says something else.
    :raises BodyTooLarge: it has more.
    """
    if media_type(request.getHeader(b"content-type") or b"") != b"application/json":
        raise UnsupportedMediaType("Expected Content-Type: application/json")
    content: bytes = request.content.read(most + 1)
    if len(content) > most:
        raise BodyTooLarge()
    return content


def own_route(handler: Handler) -> Handler:
    """Make *handler* a Klein handler whose document is sent as JSON and never cached.

    ``None`` is sent as a 204, and a :class:`ProxyError` as its answer, whatever site serves it.
    """

    @wraps(handler)
    async def answer(request: Any, *arguments: Any, **named: Any) -> Any:
        try:
            document = await handler(request, *arguments, **named)
        except ProxyError as error:
            # The request of a stock site can't refuse by itself.
            getattr(request, "refuse", partial(send_refusal, request))(error)
            return NOT_DONE_YET
        request.setHeader(b"Cache-Control", b"no-store")
        if document is None:
            request.setResponseCode(204)
            return b""
        request.setHeader(b"Content-Type", b"application/json")
        return json.dumps(document).encode()

    return answer
