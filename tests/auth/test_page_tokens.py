"""Page tokens of a server: its key, what requests show, uses and revocations."""

from __future__ import annotations

import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.auth.minting import Order
from naap_twisted.auth.page_tokens import FILE_NAME, PageTokenOptions, PageTokens, TokenMemory
from naap_twisted.auth.revocations import Clocks
from naap_twisted.errors import (
    InvalidToken,
    InvalidTokenRequest,
    ProxyError,
    TokenNotAllowed,
    Unavailable,
)
from naap_twisted.model import PageBudget, PageGrant, User
from naap_twisted.secret import Secret
from tests.support import FakeRequest

NOW = 1_700_000_000.0
KEYS = Secret("k" * 32)
ISSUER = "i" * 32
MOUNT = "/api/v1/x"
ORIGIN = "https://app.example.org"


class Store:
    """A shared store that answers what it is told to."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.outcome: ProxyError | None = None

    async def revoke(self, token_id: str, sub: str, at: int) -> None:
        self.told.append((token_id, sub, at))
        if self.outcome is not None:
            raise self.outcome

    async def spend(self, sub: str, grant: PageGrant) -> None:
        self.told.append((sub, grant.id))
        if self.outcome is not None:
            raise self.outcome


class PageTokensCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.tokens = self.make()

    def make(self, *, state_dir: str = "", store: Any = None, **options: Any) -> PageTokens:
        options.setdefault("keys", None if state_dir else KEYS)
        return PageTokens(
            PageTokenOptions(issuers=(Secret(ISSUER), Secret("j" * 32)), **options),
            server="ai",
            base_path="/api/v1",
            state_dir=state_dir,
            store=store,
            memory=TokenMemory(3600.0, Clocks(lambda: self.now, lambda: self.now)),
        )

    def mint(self, tokens: PageTokens | None = None, **members: Any) -> tuple[str, PageGrant]:
        order = {"sub": "", "routes": ("/x",), "ttl": 60, "uses": 0, "models": (), "origin": ""}
        return (tokens or self.tokens).mint(
            User("ada", roles=("r",)), Order(**{**order, "budget": (), **members})
        )

    def show(
        self, token: str, mount: str = MOUNT, *, tokens: PageTokens | None = None, **headers: str
    ) -> User | None:
        request = FakeRequest(headers={"Authorization": f"Bearer {token}", **headers})
        asked = (tokens or self.tokens).user_of(request, mount)
        return self.successResultOf(Deferred.fromCoroutine(asked))

    def refused(self, kind: type[ProxyError], token: str, *args: Any, **named: Any) -> ProxyError:
        request = FakeRequest(
            headers={"Authorization": f"Bearer {token}", **named.pop("headers", {})}
        )
        tokens = named.pop("tokens", None) or self.tokens
        asked = Deferred.fromCoroutine(tokens.user_of(request, *(args or (MOUNT,))))
        error = self.failureResultOf(asked, kind).value
        self.assertNotIn(token, error.for_log + error.message)
        return error

    def revoke(self, token_id: str, sub: str, tokens: PageTokens | None = None) -> None:
        asked = (tokens or self.tokens).revoke(token_id, sub)
        self.successResultOf(Deferred.fromCoroutine(asked))


class ShowingTests(PageTokensCase):
    def test_user(self) -> None:
        """The minter, with the roles of then and what the token grants."""
        token, grant = self.mint()
        self.assertEqual(self.show(token), User("ada", None, ("r",), grant))
        self.assertEqual((grant.issued_at, grant.expires_at), (NOW * 1000, NOW + 60))

    def test_other_credentials(self) -> None:
        """What is no page token is the authenticator's, whatever is in it."""
        for value in ("Bearer abc", "Basic naap", "naap_p1.x", "Bearer x-naap_p1.y", "Bearer"):
            request = FakeRequest(headers={"Authorization": value})
            asked = Deferred.fromCoroutine(self.tokens.user_of(request, MOUNT))
            with self.subTest(value=value):
                if value == "naap_p1.x":
                    self.failureResultOf(asked, InvalidToken)
                else:
                    self.assertIsNone(self.successResultOf(asked))
        request = FakeRequest()
        asked = Deferred.fromCoroutine(self.tokens.user_of(request, MOUNT))
        self.assertIsNone(self.successResultOf(asked))

    def test_repeated(self) -> None:
        """Two tokens are none."""
        token, _ = self.mint()
        request = FakeRequest(headers={"Authorization": [f"Bearer {token}", "Bearer b"]})
        self.failureResultOf(
            Deferred.fromCoroutine(self.tokens.user_of(request, MOUNT)), InvalidToken
        )

    def test_routes(self) -> None:
        """Those that it lists, compared whole; nothing beside the mounts."""
        token, _ = self.mint(routes=("/x", "/a/b"))
        self.assertIsNotNone(self.show(token, "/api/v1/a/b"))
        for mount in ("", "/api/v1/y", "/api/v1/x/y", "/api/v1/a", "/api/v1", "/x/", "/api/v1/X"):
            with self.subTest(mount=mount):
                self.refused(TokenNotAllowed, token, mount)

    def test_origin(self) -> None:
        """The one that it is bound to, in the Origin header, which has to be there."""
        token, _ = self.mint(origin=ORIGIN)
        self.assertIsNotNone(self.show(token, Origin=ORIGIN))
        others = ("https://app.example.org.evil.com", "http://app.example.org", "null", "")
        for origin in ("https://evil.com", f"{ORIGIN}:443", ORIGIN.upper(), *others):
            with self.subTest(origin=origin):
                self.refused(TokenNotAllowed, token, headers={"Origin": origin})
        self.refused(TokenNotAllowed, token)
        self.refused(TokenNotAllowed, token, headers={"Referer": f"{ORIGIN}/"})
        self.refused(TokenNotAllowed, token, headers={"Origin": [ORIGIN, ORIGIN]})

    def test_expiry(self) -> None:
        """By the wall clock."""
        token, _ = self.mint()
        self.now += 60
        self.assertIn("expired", self.refused(InvalidToken, token).message)

    def test_issuers(self) -> None:
        """Each of them, in Authorization, whole."""
        for value, known in (
            *(
                (f"Bearer {ISSUER}", True),
                (f"bearer  {ISSUER}", True),
                ("Bearer " + "j" * 32, True),
            ),
            *((f"Bearer {ISSUER}i", False), (f"Bearer {ISSUER[1:]}", False), ("Bearer", False)),
            *((f"Basic {ISSUER}", False), (ISSUER, False), ("Bearer \x00", False)),
        ):
            with self.subTest(value=value):
                headers = Headers({"Authorization": [value]})
                self.assertEqual(self.tokens.is_issuer(headers), known)
        self.assertFalse(self.tokens.is_issuer(Headers({})))
        twice = Headers({"Authorization": [f"Bearer {ISSUER}"] * 2})
        self.assertFalse(self.tokens.is_issuer(twice))

    def test_a_token_makes_no_other(self) -> None:
        """Whoever shows a page token is refused as its minter, too."""
        token, _ = self.mint()
        shown = self.show(token)
        order = Order("", ("/x",), 60, 0, (), "", ())
        self.assertRaises(TokenNotAllowed, self.tokens.mint, shown, order)
        service = User("token:ci", budget=(PageBudget("usd", Decimal(5), "day"),))
        self.assertRaises(TokenNotAllowed, self.tokens.mint, service, order)

    def test_too_much(self) -> None:
        """A token that would not fit is not made."""
        routes = tuple(f"/{n}{'x' * 150}" for n in range(30))
        self.assertRaises(InvalidTokenRequest, self.mint, routes=routes)


class SpendingTests(PageTokensCase):
    def test_uses(self) -> None:
        """So many requests; one that is refused for its route takes none."""
        token, _ = self.mint(uses=2)
        self.refused(TokenNotAllowed, token, "/api/v1/y")
        self.show(token)
        self.show(token)
        self.assertIn("used up", self.refused(InvalidToken, token).message)

    def test_uses_elsewhere(self) -> None:
        """Without a shared store one process counts; to every other, a restart too, it is none."""
        token, _ = self.mint(uses=2)
        self.assertIn("another", self.refused(InvalidToken, token, tokens=self.make()).reason)
        self.show(token)

    def test_revoked(self) -> None:
        """By the owner: the owner's only. By an issuer: anybody's, or all of a user."""
        token, grant = self.mint()
        self.revoke(grant.id, "eve")
        self.show(token)
        self.revoke(grant.id, "ada")
        self.assertIn("revoked", self.refused(InvalidToken, token).message)
        token, grant = self.mint()
        self.revoke(grant.id, "")
        self.refused(InvalidToken, token)
        token, _ = self.mint()
        self.revoke("", "ada")
        self.refused(InvalidToken, token)
        self.now += 0.001
        self.show(self.mint()[0])

    def test_clock_set_back(self) -> None:
        """It revives none that was revoked."""
        token, grant = self.mint()
        self.revoke(grant.id, "")
        self.now -= 10**6
        self.assertIn("revoked", self.refused(InvalidToken, token).message)

    def test_store(self) -> None:
        """A shared store is asked about each, and told of revocations; its no is a no."""
        store = Store()
        tokens = self.make(store=store)
        token, grant = self.mint(tokens, uses=1)
        self.assertEqual(grant.counted_by, "")
        self.show(token, tokens=tokens)
        store.outcome = InvalidToken("The token is used up")
        self.refused(InvalidToken, token, tokens=tokens)
        self.assertEqual(store.told, [("ada", grant.id)] * 2)
        store.outcome = Unavailable()
        asked = Deferred.fromCoroutine(tokens.revoke(grant.id, ""))
        self.failureResultOf(asked, Unavailable)
        self.assertEqual(store.told[2:], [(grant.id, "", int(NOW * 1000))])
        # What this process was told it obeys, whoever else could not be told.
        self.assertIn("revoked", self.refused(InvalidToken, token, tokens=tokens).message)


class KeyTests(PageTokensCase):
    def test_state_dir(self) -> None:
        """Processes with one directory have one key, which only their user may read."""
        folder = Path(self.mktemp()).absolute()
        first, second = (self.make(state_dir=str(folder)) for _ in range(2))
        self.assertFalse(folder.exists())
        self.assertIsNotNone(self.show(self.mint(first)[0], tokens=second))
        path = folder / FILE_NAME
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(len(path.read_bytes()), 32)

    def test_alone(self) -> None:
        """With neither keys nor a directory: one of the process's own, and a line says so."""
        tokens = self.make(keys=None)
        with capturedLogs() as events:
            token, _ = self.mint(tokens)
            self.show(token, tokens=tokens)
        self.assertEqual(len(events), 1)
        self.assertIn("page_tokens.keys", events[0]["log_format"])
        self.refused(InvalidToken, token, tokens=self.make(keys=None))

    def test_rotation(self) -> None:
        """Two keys are valid at once, so that every process can learn the new one first."""
        old, new = self.make(), self.make(keys=Secret("n" * 32 + "," + "k" * 32))
        token, _ = self.mint(old)
        self.assertIsNotNone(self.show(token, tokens=new))
        self.refused(InvalidToken, self.mint(new)[0], tokens=old)
