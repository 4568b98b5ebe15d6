"""Authentication and authorization of a request, for proxy routes and a plugin's Klein routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.web.server import Request

from ..errors import Forbidden, ProxyError, TokenNotAllowed, Unauthorized
from ..interfaces import IAuthenticator, IDownstreamRequest
from ..model import NOWHERE_ELSE, TokenPlace, User
from .credentials import present_before_users, presented
from .page_tokens import PageTokens
from .patience import Patience

#: ``"user"``, ``"anyone"``, ``"role:x"``, or a plugin's callable, which may be asynchronous.
Authorize = str | Callable[[Request], object]
_ROLE = re.compile(r"role:([\x21-\x7e]{1,128})")


def is_rule(value: object) -> bool:
    """Whether *value* is ``"user"``, ``"anyone"`` or ``"role:x"``."""
    return value in ("user", "anyone") or (isinstance(value, str) and bool(_ROLE.fullmatch(value)))


class Gate:
    """Finds a request's user, and refuses a request whose user may not make it.

    :param authenticator: with ``None`` no request has a user.
    :param patience: bounds the time that the authenticator and a route's callables take.
    :param required: whether a request needs a user where its route does not say otherwise.
    :param public_routes: exact request paths that need no user.
    :param token_headers: headers that may hold a caller's token on every route.
    :param page_tokens: those of this server; ``None``: it has none.
    :ivar token: where they are.
    """

    _log = Logger()

    def __init__(
        self,
        authenticator: IAuthenticator | None,
        patience: Patience,
        *,
        required: bool,
        public_routes: Sequence[str] = (),
        token_headers: Sequence[str] = (),
        page_tokens: PageTokens | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._page_tokens = page_tokens
        self.patience = patience
        self.required = required
        self.token = TokenPlace(tuple(name.lower().encode("ascii") for name in token_headers))
        self._public = frozenset(path.encode() for path in public_routes)

    @property
    def default(self) -> str:
        """What ``authorize`` means where a route leaves it out."""
        return "user" if self.required else "anyone"

    @property
    def knows_users(self) -> bool:
        """Whether anything tells who a caller is."""
        return self._authenticator is not None or self._page_tokens is not None

    def is_public(self, path: bytes) -> bool:
        """Whether *path* is open to anyone."""
        return path in self._public

    async def identify(self, request: IDownstreamRequest, mount: str = "") -> None:
        """Put the user, if there is one, into the request's record.

        :param mount: the full path of the mount that is asked; page tokens open nothing else.
        :raises InvalidToken: the request's credentials do not verify.
        :raises TokenNotAllowed: they are a page token that is not for this.
        :raises Unavailable: the authenticator raises it, or does not answer in time.
        """
        if request.record.user is not None:
            return
        if self.token.headers:
            with presented(request.requestHeaders, self.token):
                await self._authenticate(request, mount)
        else:
            await self._authenticate(request, mount)

    async def _authenticate(self, request: IDownstreamRequest, mount: str) -> None:
        if self._page_tokens is not None:
            request.record.user = await self._page_tokens.user_of(request, mount)
        authenticator = self._authenticator
        if authenticator is None or request.record.user is not None:
            return
        # DownstreamRequest is a Request, and AdaptedRequest delegates to one.
        user: Any = authenticator.authenticate(request)  # type: ignore[arg-type]
        # A remembered session gives its user at once, and settle() costs more than the look-up.
        if type(user) is not User:
            user = await self.patience.settle(user, "the authenticator")
        request.record.user = user

    async def admit(
        self,
        request: IDownstreamRequest,
        authorize: Authorize | None,
        token: TokenPlace = NOWHERE_ELSE,
        mount: str = "",
    ) -> None:
        """Let the request pass, or raise.

        :param token: where the route's clients put the caller's token.
        :param mount: the full path of the mount that is asked; ``""``: another resource is.
        :raises Unauthorized: the request needs a user and has none.
        :raises Forbidden: the user lacks the role, or a callable *authorize* returned false or
            raised.
        :raises InvalidToken, CsrfFailed: the request's credentials do not verify.
        :raises TokenNotAllowed: they are a page token that is not for this.
        :raises Unavailable: the authenticator can't tell the user now.
        """
        if token.users:
            await self._admit_beside_users(request, authorize, token, mount)
        elif token is NOWHERE_ELSE:
            await self._admit(request, authorize, mount)
        else:
            with presented(request.requestHeaders, token):
                await self._admit(request, authorize, mount)

    async def admit_own(self, request: IDownstreamRequest, mount: str) -> None:
        """As :meth:`admit`, for a resource beside the proxy routes.

        A backend that mints page tokens is nobody's user: its secret goes to no authenticator, and
        the routes of page tokens look at it again.
        """
        tokens = self._page_tokens
        if tokens is not None and tokens.serves_issuer(request):
            return
        rule = "anyone" if self.is_public(request.path) else None
        await self.admit(request, rule, mount=mount)
        page = None if request.record.user is None else request.record.user.page
        if page is not None and (page.models or page.budget):
            raise TokenNotAllowed(reason="a page token with models or budget, beside the proxies")

    async def _admit(
        self, request: IDownstreamRequest, authorize: Authorize | None, mount: str
    ) -> None:
        rule: Authorize = self.default if authorize is None else authorize
        if rule == "anyone":
            try:
                await self.identify(request, mount)
            except TokenNotAllowed:
                # A page token is good, and its minter said that it is not for this.
                raise
            except ProxyError:
                # Bad credentials are no reason to refuse a request that would pass without any.
                return
            return
        await self.identify(request, mount)
        user = request.record.user
        if user is None and (self.required or not callable(rule)):
            raise Unauthorized()
        if callable(rule):
            await self._ask(rule, request)
        elif rule != "user":
            role = rule.removeprefix("role:")
            if role not in user.roles:
                raise Forbidden(reason=f"the user has no role {role}")

    async def _admit_beside_users(
        self,
        request: IDownstreamRequest,
        authorize: Authorize | None,
        token: TokenPlace,
        mount: str,
    ) -> None:
        """As :meth:`admit`; then Authorization has what is left in it for the upstream."""
        headers = request.requestHeaders
        users = present_before_users(headers, token)
        try:
            await self._admit(request, authorize, mount)
        finally:
            headers.removeHeader(b"authorization")
            if users:
                headers.setRawHeaders(b"authorization", users)

    async def _ask(self, rule: Callable[..., Any], request: IDownstreamRequest) -> None:
        try:
            allowed = await self.patience.settle(rule(request), "authorize")
        except (ProxyError, CancelledError):
            raise
        except Exception as error:
            # A plugin may raise to say "no" (the seed's getUserApiKey throws), or raise by a bug;
            # the log tells the operator which, and the browser learns neither.
            self._log.warn(
                "authorize raised {error_type} on {route}",
                error_type=type(error).__name__,
                route=request.record.route,
            )
            raise Forbidden(reason=f"authorize raised {type(error).__name__}") from None
        if not allowed:
            raise Forbidden(reason="authorize said no")
