"""The first door: request to user, for proxies and plain Klein routes alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.web.server import Request

from ..errors import Forbidden, ProxyError, Unauthorized
from ..interfaces import IAuthenticator, IDownstreamRequest
from ..model import User
from .patience import Patience

#: ``"user"``, ``"anyone"``, ``"role:x"``, or what a plugin decides: sync, async or Deferred.
Authorize = str | Callable[[Request], object]
_ROLE = re.compile(r"role:([\x21-\x7e]{1,128})")


def is_rule(value: object) -> bool:
    """Whether *value* is one of the words: ``"user"``, ``"anyone"`` or ``"role:x"``."""
    return value in ("user", "anyone") or (isinstance(value, str) and bool(_ROLE.fullmatch(value)))


class Gate:
    """Finds out who calls, and turns away who must not.

    :param authenticator: ``None`` knows nobody.
    :param patience: with it, and with a route's callables.
    :param required: whether a request needs a user where its route does not say otherwise.
    :param public_routes: exact request paths that need none.
    """

    _log = Logger()

    def __init__(
        self,
        authenticator: IAuthenticator | None,
        patience: Patience,
        *,
        required: bool,
        public_routes: Sequence[str] = (),
    ) -> None:
        self._authenticator = authenticator
        self.patience = patience
        self.required = required
        self._public = frozenset(path.encode() for path in public_routes)

    @property
    def default(self) -> str:
        """What ``authorize`` means where a route leaves it out."""
        return "user" if self.required else "anyone"

    def is_public(self, path: bytes) -> bool:
        """Whether *path* is open to anyone."""
        return path in self._public

    async def identify(self, request: IDownstreamRequest) -> None:
        """Put the user, if there is one, into the request's record.

        :raises InvalidToken: credentials came and do not verify.
        :raises Unavailable: the authenticator says so, or says nothing in time.
        """
        if self._authenticator is not None and request.record.user is None:
            # Ours, and the stand-in for a stock one, are all that a stock request is.
            found: Any = self._authenticator.authenticate(request)  # type: ignore[arg-type]
            # A remembered session's user is there at once; asking what it is costs more than it.
            if type(found) is not User:
                found = await self.patience.settle(found, "the authenticator")
            request.record.user = found

    async def admit(self, request: IDownstreamRequest, authorize: Authorize | None) -> None:
        """Let the request pass, or raise.

        :raises Unauthorized: a user is needed and there is none.
        :raises Forbidden: the user has not the role, or a callable *authorize* said no or raised.
        :raises InvalidToken, CsrfFailed: what came as credentials does not count.
        :raises Unavailable: who calls can't be told now.
        """
        rule: Authorize = self.default if authorize is None else authorize
        if rule == "anyone":
            await self._identify_if_it_can(request)
            return
        await self.identify(request)
        user = request.record.user
        if user is None and (self.required or not callable(rule)):
            raise Unauthorized()
        if callable(rule):
            await self._ask(rule, request)
        elif rule != "user":
            role = rule.removeprefix("role:")
            if role not in user.roles:
                raise Forbidden(reason=f"the user has no role {role}")

    async def _identify_if_it_can(self, request: IDownstreamRequest) -> None:
        if self._authenticator is None:
            return
        try:
            await self.identify(request)
        except ProxyError:
            # Open to anyone: bad credentials are no reason to turn away whom none would admit.
            request.record.user = None

    async def _ask(self, rule: Callable[..., Any], request: IDownstreamRequest) -> None:
        try:
            allowed = await self.patience.settle(rule(request), "authorize")
        except (ProxyError, CancelledError):
            raise
        except Exception as error:
            # The plugin's word for "no" (the seed's getUserApiKey throws), or its bug: the log
            # tells them apart, the browser need not.
            self._log.warn(
                "authorize raised {error_type} on {route}",
                error_type=type(error).__name__,
                route=request.record.route,
            )
            raise Forbidden(reason=f"authorize raised {type(error).__name__}") from None
        if not allowed:
            raise Forbidden(reason="authorize said no")
