"""Page tokens of one server: minted for pages, shown by them as a key, and revoked."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.logger import Logger
from twisted.web.http_headers import Headers

from ..errors import InvalidToken, InvalidTokenRequest, TokenNotAllowed, Unauthorized, Unavailable
from ..interfaces import IDownstreamRequest, IPageTokenStore
from ..model import PageGrant, User
from ..secret import Secret
from ..storage.key_file import KEY_SIZE, own_key
from .credentials import bearer_token
from .minting import Order
from .page_token import FAMILY, Signer
from .revocations import Clocks, Revocation, Revocations, Uses
from .signed_text import signing_keys

if TYPE_CHECKING:
    from .sql_revocations import SqlRevocations

FILE_NAME = "page-tokens.key"
#: Where their routes are, below the base path.
PATH = "/tokens"
_ID_BYTES = 16


@frozen
class PageTokenOptions:
    """The option ``page_tokens``.

    :ivar max_ttl: seconds.
    :ivar issuers: with each of them the site's backend may mint tokens.
    :ivar keys: one or more, with commas: the first signs, each of them verifies; ``None``: a key
        of the server's own.
    """

    max_ttl: float = 3600.0
    issuers: tuple[Secret, ...] = ()
    keys: Secret | None = None


class TokenMemory:
    """What one process knows of page tokens, whatever its config says now.

    :param lasting: seconds that it remembers: as long as a token may live.
    :ivar counter: names the process. Uses that no store counts are counted by one process: another
        would count from 0 again.
    :ivar key: signs where nothing else is there to do it; in workers all have the same.
    """

    def __init__(
        self, lasting: float, clocks: Clocks | None = None, key: bytes | None = None
    ) -> None:
        self.clocks = clocks or Clocks()
        self.revoked = Revocations(self.clocks, lasting)
        self.uses = Uses(self.clocks, lasting)
        self.counter = secrets.token_urlsafe(_ID_BYTES)
        self.key = key or secrets.token_bytes(KEY_SIZE)

    def last(self, seconds: float) -> None:
        """Remember for *seconds* at least, from now on."""
        self.revoked.last(seconds)
        self.uses.last(seconds)


class PageTokens:
    """Makes page tokens, and judges those that requests show.

    :param server: the server's name, for which its tokens are.
    :param base_path: stands before the paths of mounts.
    :param state_dir: has the key where the options have none; ``""``: the key is made for this
        process alone.
    :param kept: the database, where there is one: there revocations outlive the process.
    :param memory: outlives these tokens, for those of another config.
    :param store: is shared with other processes; ``None``: this process counts and remembers.
    """

    _log = Logger()

    def __init__(
        self,
        options: PageTokenOptions,
        *,
        server: str,
        base_path: str,
        state_dir: str = "",
        store: IPageTokenStore | None = None,
        kept: SqlRevocations | None = None,
        memory: TokenMemory | None = None,
    ) -> None:
        self.max_ttl = options.max_ttl
        self._issuers = options.issuers
        self._keys = options.keys
        self._server = server
        self._base = base_path
        self._state_dir = state_dir
        self._store = store
        self._kept = kept
        self._memory = memory or TokenMemory(options.max_ttl)
        self._memory.last(options.max_ttl)
        self._clocks = self._memory.clocks
        self._revoked = self._memory.revoked
        self._uses = self._memory.uses
        self._counter = "" if store is not None else self._memory.counter
        self._signer: Signer | None = None

    def start(self) -> None:
        """Open the key, and hear of what is revoked; the database is open.

        :raises ConfigError: see :meth:`open`.
        """
        self.open()
        if self._kept is not None:
            self._kept.start(self._heard)

    def stop(self) -> None:
        """Hear of nothing more."""
        if self._kept is not None:
            self._kept.stop()

    def _heard(self, revocation: Revocation) -> None:
        try:
            self._revoked.add(revocation)
        except Unavailable:
            self._log.error("More page tokens are revoked than this process can remember")

    def open(self) -> Signer:
        """The signer, whose key is read or made at the first call.

        :raises ConfigError: the key's file can't be used, or other users can open it.
        """
        if self._signer is None:
            keys = (self._own_key(),) if self._keys is None else signing_keys(self._keys)
            self._signer = Signer(keys, self._server, self.max_ttl)
        return self._signer

    def _own_key(self) -> bytes:
        if not self._state_dir:
            self._log.info(
                "Neither page_tokens.keys nor state_dir: page tokens work until this process ends,"
                " and in no other"
            )
        return own_key(self._state_dir, FILE_NAME, self._memory.key)

    def is_issuer(self, headers: Headers) -> bool:
        """Whether Authorization holds the secret of the site's backend."""
        values = headers.getRawHeaders(b"authorization")
        if not values or not self._issuers:
            return False
        try:
            shown = Secret(bearer_token(values))
        except (ValueError, InvalidToken):
            return False
        # Each is compared, in constant time, so that the time does not tell which one it is.
        return sum(issuer == shown for issuer in self._issuers) > 0

    def serves_issuer(self, request: IDownstreamRequest) -> bool:
        """Whether the site's backend asks a route of page tokens."""
        path = f"{self._base}{PATH}".encode("ascii")
        is_own = request.path == path or request.path.startswith(path + b"/")
        return is_own and self.is_issuer(request.requestHeaders)

    async def user_of(self, request: IDownstreamRequest, mount: str) -> User | None:
        """Whose page token Authorization holds; ``None`` where it holds something else.

        :param mount: the full path of the mount that is asked; ``""``: another resource is.
        :raises InvalidToken: it is none of this server's, has expired, is revoked or used up.
        :raises TokenNotAllowed: it is not for this route, or not for this page.
        :raises Unavailable: the store that counts can't be asked.
        """
        values = request.requestHeaders.getRawHeaders(b"authorization")
        if not values or not any(FAMILY in value for value in values):
            return None
        token = bearer_token(values)
        if not token.startswith(FAMILY):
            return None
        user, grant = self.open().read(token, self._clocks.wall())
        if not mount or mount.removeprefix(self._base) not in grant.routes:
            raise TokenNotAllowed(reason=f"page token {grant.id} does not list this route")
        if grant.origin:
            origins = request.requestHeaders.getRawHeaders(b"origin")
            if origins != [grant.origin.encode("ascii")]:
                raise TokenNotAllowed(
                    "This token is for pages of another origin",
                    reason=f"page token {grant.id} is bound to {grant.origin}",
                )
        await self._spend(user, grant)
        return user

    async def _spend(self, user: User, grant: PageGrant) -> None:
        """Refuse a token that is revoked, and count a use of one that has some only."""
        if self._revoked.hold(user.id, grant):
            raise InvalidToken("The token is revoked", reason=f"page token {grant.id} is revoked")
        if grant.counted_by not in ("", self._counter):
            raise InvalidToken(reason=f"page token {grant.id} is counted by another process")
        if self._store is not None:
            await self._store.spend(user.id, grant)
        elif grant.uses:
            if not grant.counted_by:
                raise InvalidToken(reason=f"page token {grant.id} is counted by a store")
            if not self._uses.count(grant):
                raise InvalidToken(
                    "The token is used up", reason=f"page token {grant.id} is used up"
                )

    def mint(self, minter: User | None, order: Order) -> tuple[str, PageGrant]:
        """A token as *order* has it.

        :param minter: ``None``: the site's backend, for the user in the order.
        :raises InvalidTokenRequest: it would be too long.
        :raises TokenNotAllowed: the minter shows a page token, or has a budget of its own.
        """
        if minter is not None and minter.page is not None:
            raise TokenNotAllowed("A page token makes no other")
        if minter is not None and minter.budget:
            # Each page token would have the budget once more.
            raise TokenNotAllowed("A caller with a budget of its own makes no page tokens")
        now = self._clocks.wall()
        grant = PageGrant(
            id=secrets.token_urlsafe(_ID_BYTES),
            routes=order.routes,
            issued_at=int(now * 1000),
            expires_at=int(now) + order.ttl,
            origin=order.origin,
            models=order.models,
            uses=order.uses,
            counted_by=self._counter if order.uses else "",
            budget=order.budget,
        )
        try:
            return self.open().sign(minter or User(order.sub), grant), grant
        except ValueError as error:
            raise InvalidTokenRequest(f"Less, please: {error}") from None

    async def revoke(self, token_id: str, sub: str) -> None:
        """Let tokens count no more.

        :param token_id: of one token; ``""``: every token of *sub* until now.
        :param sub: only where the token is this user's; ``""``: whosever it is.
        :raises Unavailable: it is not remembered everywhere.
        """
        if not (token_id or sub):
            raise Unauthorized()
        revocation = Revocation(token_id, sub, int(self._clocks.wall() * 1000))
        self._revoked.add(revocation)
        if self._kept is not None:
            await self._kept.add(revocation)
        if self._store is not None:
            await self._store.revoke(revocation.id, revocation.sub, revocation.at)
