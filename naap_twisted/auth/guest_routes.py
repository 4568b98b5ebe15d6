"""``POST /guest``: a visitor becomes a guest, or is known again as the one that it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import frozen
from klein import Klein

from ..downstream.caller import parse_address
from ..downstream.json_routes import json_content, own_route
from ..errors import InvalidTokenRequest
from ..limits.ceilings import Ceilings
from .app_check import HEADER, AppCheck
from .challenge import Challenge
from .guests import PATH, Guests
from .strict_json import read_object

#: Bytes of a request; the answer to a challenge has some thousand.
MOST_BODY = 16 * 1024
_FORMS = ("cookie", "token")


@frozen
class GuestOrder:
    """How a visitor asks.

    :ivar form: ``"cookie"`` or ``"token"``.
    :ivar answer: to the challenge; ``""``: none.
    """

    form: str = "cookie"
    answer: str = ""


@frozen
class GuestDesk:
    """Who gets in as a guest.

    :ivar challenge: ``None``: nothing is asked. Where there is *app_check*, too, either will do.
    :ivar check_page: raises where another site's page asks, without CORS.
    :ivar speaks_tls: whether the caller does.
    """

    guests: Guests
    ceilings: Ceilings
    challenge: Challenge | None
    app_check: AppCheck | None
    check_page: Callable[[Any], None]
    speaks_tls: Callable[[Any], bool]

    async def prove(self, request: Any, order: GuestOrder) -> None:
        """Let a visitor pass who shows that no machine asks, as far as that is wanted.

        :raises ChallengeFailed: it is not shown.
        :raises Unavailable: that can't be told now.
        """
        by_app = self.app_check is not None and request.requestHeaders.hasHeader(HEADER)
        if self.app_check is not None and (by_app or self.challenge is None):
            await self.app_check.check(request.requestHeaders)
        elif self.challenge is not None:
            client = request.record.client
            address = "" if parse_address(client) is None else client
            await self.challenge.check(order.answer, address)

    async def enter(self, request: Any) -> dict[str, object]:
        """The answer to a visitor; the cookies are set.

        :raises ProxyError: what kept the visitor out.
        """
        self.check_page(request)
        order = read_guest_order(request)
        guest = self.guests.again(request)
        if guest is None:
            # A challenge before a ceiling: who can't pass takes no place of its neighbours.
            await self.prove(request, order)
            await self.ceilings.count(request.record.client)
            guest = self.guests.new()
        request.record.user = guest
        given = self.guests.admit(guest)
        for line in self.guests.cookies(given, secure=self.speaks_tls(request)):
            request.responseHeaders.addRawHeader(b"Set-Cookie", line)
        ends = datetime.fromtimestamp(given.expires_at, UTC).isoformat().replace("+00:00", "Z")
        told: dict[str, object] = {"id": guest.id, "expires_at": ends, "csrf_token": given.csrf}
        return {**told, "token": given.token} if order.form == "token" else told


def add_guest_route(router: Klein, desk: GuestDesk) -> None:
    """Add ``/guest`` to *router*, below the path at which the router is mounted."""
    router.route(PATH, methods=["POST"], endpoint=f"naap POST {PATH}")(own_route(desk.enter))


def read_guest_order(request: Any) -> GuestOrder:
    """What the body of *request* asks for; without a body, a cookie.

    :raises InvalidTokenRequest: naming the member that is at fault.
    :raises UnsupportedMediaType, BodyTooLarge: it is another kind of body.
    """
    if request.getHeader(b"content-type") is None and not request.content.read(1):
        return GuestOrder()
    try:
        members = read_object(json_content(request, MOST_BODY))
    except ValueError as error:
        raise InvalidTokenRequest(f"The body is no JSON object: {error}") from None
    for name in members:
        if name not in ("as", "challenge"):
            words = f"{name[:64]!a} is unknown; known are as, challenge"
            raise InvalidTokenRequest(words, param=name[:64])
    form, answer = members.get("as", "cookie"), members.get("challenge", "")
    if form not in _FORMS:
        raise InvalidTokenRequest('"as" must be "cookie" or "token"', param="as")
    if not isinstance(answer, str):
        raise InvalidTokenRequest('"challenge" must be a text', param="challenge")
    return GuestOrder(str(form), answer)
