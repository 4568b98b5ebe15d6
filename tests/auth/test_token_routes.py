"""``/tokens`` on a server: minted, shown, revoked; and what an attacker makes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from klein import Klein
from prometheus_client import generate_latest
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import User
from naap_twisted.admin.metrics import metrics_of
from naap_twisted.auth.static import StaticTokens
from naap_twisted.auth.token_routes import MOST_BODY
from tests.spine import JSON, Answer, Spine, ask_site, make_proxy, make_spine

ISSUER = "issuer-" + "i" * 32
ORIGIN = "https://app.example.org"
NOT_ALLOWED = 403, "TOKEN_NOT_ALLOWED"
INVALID = 401, "INVALID_TOKEN"
BAD = 400, "INVALID_TOKEN_REQUEST"
ORDER = {"routes": ["/x"], "ttl": 60}


class Spy(StaticTokens):
    """Remembers which tokens it was asked about."""

    def __init__(self) -> None:
        super().__init__({"t-ada": User("ada", roles=("admin",)), "t-eve": User("eve")})
        self.asked: list[str] = []

    def authenticate(self, request: Any) -> Any:
        self.asked += map(bytes.decode, request.requestHeaders.getRawHeaders(b"authorization", []))
        return super().authenticate(request)


class TokensCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.spy = Spy()
        self.spine = self.make()

    def make(self, *, server: dict[str, Any] | None = None, **options: Any) -> Spine:
        told: dict[str, Any] = {"authenticator": self.spy, "require_auth": True}
        told["page_tokens"] = {"issuers": [ISSUER], "max_ttl": "1h", "keys": "k" * 32}
        at = make_spine(
            server={**told, **(server or {})}, target="https://api.example.com/v1", **options
        )
        at.server.mount("/y", make_proxy(at.upstream))
        return at

    def ask(
        self, method: str, path: str, key: str, body: Any = None, *, at: Any = None, **more: str
    ) -> Answer:
        headers = [JSON, ("Authorization", f"Bearer {key}")] if key else [JSON]
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        site = (at or self.spine).server.site()
        return ask_site(site, method, f"/api/v1{path}", [*headers, *more.items()], raw)

    def mint(self, key: str = "t-ada", *, at: Any = None, **members: Any) -> dict[str, str]:
        answer = self.ask("POST", "/tokens", key, {**ORDER, **members}, at=at)
        self.assertEqual(answer.code, 200, answer.body)
        minted: dict[str, str] = answer.json
        return minted

    def use(self, token: str, path: str = "/x/chat", **more: Any) -> Answer:
        return self.ask("POST", path, token, {"model": "a"}, **more)


class MintingTests(TokensCase):
    def test_answer(self) -> None:
        """Token, end and id; nothing may keep it."""
        answer = self.ask("POST", "/tokens", "t-ada", ORDER)
        self.assertEqual(sorted(answer.json), ["expires_at", "id", "token"])
        self.assertEqual(answer.header("Cache-Control"), "no-store")
        left = datetime.fromisoformat(answer.json["expires_at"]) - datetime.now(UTC)
        self.assertTrue(55 < left.total_seconds() <= 60)

    def test_by_a_user(self) -> None:
        """It works on the routes that it lists, as the user and with the user's roles."""
        seen: list[User | None] = []
        at = self.make(authorize=lambda request: seen.append(request.record.user) or True)
        self.assertEqual(self.use(self.mint(at=at)["token"], at=at).code, 200)
        (user,) = seen
        assert user is not None and user.page is not None
        self.assertEqual((user.id, user.roles, user.page.routes), ("ada", ("admin",), ("/x",)))

    def test_by_the_backend(self) -> None:
        """For whom it says, without any role; its secret is shown to no authenticator."""
        at = self.make(authorize="role:admin")
        minted = self.mint(ISSUER, sub="bob", at=at)
        self.assertEqual(self.use(minted["token"], at=at).error, (403, "FORBIDDEN"))
        self.assertEqual(self.use(self.mint(ISSUER, sub="ada")["token"]).code, 200)
        self.assertEqual(self.spy.asked, [])
        self.assertEqual(self.ask("POST", "/tokens", ISSUER, ORDER).error, BAD)

    def test_never_wider(self) -> None:
        """No route that is not there, no longer life, nobody else, nothing unknown."""
        for members in (
            *({"routes": [path]} for path in ("/z", "/api/v1/x", "x", "/x/", "/x/chat", "/tokens")),
            *({"ttl": 3601}, {"sub": "bob"}, {"roles": ["root"]}, {"scope": "all"}),
        ):
            with self.subTest(members=members):
                answer = self.ask("POST", "/tokens", "t-ada", {**ORDER, **members})
                self.assertEqual(answer.error, BAD)
                self.assertEqual(answer.json["error"]["param"], next(iter(members)))

    def test_what_can_not_be_held(self) -> None:
        """Models and budgets are refused where nobody would hold the token to them."""
        self.spine.server.mount("/klein", Klein().resource())
        budget = [{"usd": 1, "per": "day"}]
        loose = make_proxy(
            self.spine.upstream, follow_redirects=True, allowed_hosts=["api.example.com"]
        )
        self.spine.server.mount("/loose", loose)
        self.mint(routes=["/x", "/y"], models=["a"], budget=budget)
        self.mint(routes=["/loose"], budget=budget)
        self.mint(routes=["/klein"])
        for route, name, value in (
            *(("/loose", "models", ["a"]), ("/klein", "models", ["a"])),
            ("/klein", "budget", budget),
        ):
            order = {**ORDER, "routes": ["/x", route], name: value}
            answer = self.ask("POST", "/tokens", "t-ada", order)
            self.assertEqual((answer.error, answer.json["error"]["param"]), (BAD, name))

    def test_who(self) -> None:
        """Strangers and tokens mint nothing; nor do they where nobody has to sign in."""
        token = self.mint()["token"]
        self.assertEqual(self.ask("POST", "/tokens", token, ORDER).error, NOT_ALLOWED)
        for at in (self.spine, self.make(server={"require_auth": False})):
            for key in ("", "t-nobody", ISSUER[:-1], ISSUER + "i"):
                with self.subTest(key=key):
                    self.assertEqual(self.ask("POST", "/tokens", key, ORDER, at=at).code, 401)

    def test_bodies(self) -> None:
        """JSON in a bounded size, and of that type."""
        self.assertEqual(self.ask("POST", "/tokens", "t-ada", b"{").error, BAD)
        large = b" " * (MOST_BODY + 1)
        self.assertEqual(self.ask("POST", "/tokens", "t-ada", large).code, 413)
        headers = [("Authorization", "Bearer t-ada"), ("Content-Type", "text/plain")]
        site = self.spine.server.site()
        self.assertEqual(ask_site(site, "POST", "/api/v1/tokens", headers, b"{}").code, 415)

    def test_not_there(self) -> None:
        """A server without the option has no such route, and its authenticator sees all tokens."""
        at = self.make(server={"page_tokens": None})
        self.assertEqual(self.ask("POST", "/tokens", "t-ada", ORDER, at=at).code, 404)
        self.use("naap_p1.a.b", at=at)
        self.assertEqual(self.spy.asked[-1], "Bearer naap_p1.a.b")

    def test_preflight(self) -> None:
        """A page of another origin may ask for one and revoke it."""
        headers = [("Origin", ORIGIN), ("Access-Control-Request-Method", "POST")]
        headers.append(("Access-Control-Request-Headers", "authorization, content-type"))
        for path, method in (("/tokens", "POST"), ("/tokens/abc", "DELETE")):
            answer = ask_site(self.spine.server.site(), "OPTIONS", f"/api/v1{path}", headers)
            self.assertEqual(answer.code, 204)
            self.assertIn(method, answer.header("Access-Control-Allow-Methods") or "")
            allowed = (answer.header("Access-Control-Allow-Headers") or "").lower()
            self.assertIn("authorization", allowed)


class ShowingTests(TokensCase):
    def test_elsewhere(self) -> None:
        """A token is replayed on another route, on Klein's routes, from another page: 403."""
        router: Any = self.spine.server.router
        router.route("/own")(lambda request: b"own")
        token = self.mint(routes=["/x"])["token"]
        for path in ("/y", "/own", "/tokens", "/tokens/abc"):
            with self.subTest(path=path):
                self.assertEqual(self.use(token, path).code in (403, 405), True)
        bound = self.mint(origin=ORIGIN)["token"]
        self.assertEqual(self.use(bound, Origin=ORIGIN).code, 200)
        for more in ({}, {"Origin": "https://evil.example"}, {"Referer": ORIGIN}):
            self.assertEqual(self.use(bound, **more).error, NOT_ALLOWED)
        self.assertEqual(len(self.spine.upstream.seen), 1)

    def test_where_anybody_may_call(self) -> None:
        """A bad token is a stranger's; a good one that is not for the route is told so."""
        at = self.make(authorize="anyone")
        self.assertEqual(self.use("naap_p1.a.b", at=at).code, 200)
        token = self.mint(routes=["/y"], at=at)["token"]
        self.assertEqual(self.use(token, at=at).error, NOT_ALLOWED)

    def test_no_authenticator_sees_it(self) -> None:
        """Neither a good token, nor a forged one, nor one of a later version."""
        token = self.mint()["token"]
        before = len(self.spy.asked)
        self.use(token)
        for bad in (token[:-1], token.replace("p1", "p2"), "naap_p9.x", "naap_p"):
            self.assertEqual(self.use(bad).error, INVALID)
        self.assertEqual(len(self.spy.asked), before)

    def test_another_server(self) -> None:
        """The same key on a server of another name: 401."""
        token = self.mint()["token"]
        other = self.make()
        self.assertEqual(self.use(token, at=other).code, 200)
        signer = other.server.parts.state.page_tokens
        assert signer is not None
        signer._server, signer._signer = "elsewhere", None
        self.assertEqual(self.use(token, at=other).error, INVALID)

    def test_header_of_the_sdk(self) -> None:
        """Where the route's client puts its key, a page token is found, and kept from upstream."""
        at = self.make(provider="anthropic", key="sk-server")
        token = self.mint(at=at)["token"]
        headers = [JSON, ("x-api-key", token), ("anthropic-version", "2023-06-01")]
        body = json.dumps({"model": "a", "max_tokens": 5, "messages": []}).encode()
        answer = ask_site(at.server.site(), "POST", "/api/v1/x/messages", headers, body)
        self.assertEqual(answer.code, 200, answer.body)
        sent = repr([*at.sent.headers.getAllRawHeaders(), at.sent.uri, at.sent.body])
        self.assertNotIn(token, sent)
        self.assertIn("sk-server", sent)

    def test_not_in_the_log(self) -> None:
        """Neither a token nor an issuer's secret gets into a line or a metric."""
        at = self.make(server={"admin_listen": "tcp:0:interface=127.0.0.1"})
        with capturedLogs() as events:
            token = self.mint(ISSUER, sub="bob", at=at)["token"]
            for path in ("/x/chat", "/y", "/tokens", f"/tokens/{token}", f"/x/{'y' * 9}"):
                self.use(token, path, at=at)
            self.use(token + "x", at=at)
            self.ask("DELETE", f"/tokens/{token}", ISSUER, at=at)
        metrics = generate_latest(metrics_of(at.server)).decode()
        self.assertIn("naap_", metrics)
        for shown in (repr(events), metrics):
            for secret in (*token.split(".")[1:], ISSUER):
                self.assertNotIn(secret, shown)

    def test_limits_of_the_user(self) -> None:
        """What is counted for the user is counted for the user's pages."""
        at = self.make(rate_limit={"requests": 2, "window": "1m"})
        token = self.mint(at=at)["token"]
        self.assertEqual(self.use("t-ada", at=at).code, 200)
        self.assertEqual(self.use(token, at=at).code, 200)
        self.assertEqual(self.use(self.mint(at=at)["token"], at=at).code, 429)


class RevokingTests(TokensCase):
    def test_by_its_owner(self) -> None:
        """The owner's own only; the answer is the same for every id."""
        minted = self.mint()
        self.assertEqual(self.ask("DELETE", f"/tokens/{minted['id']}", "t-eve").code, 204)
        self.assertEqual(self.use(minted["token"]).code, 200)
        self.assertEqual(self.ask("DELETE", f"/tokens/{minted['id']}", "t-ada").code, 204)
        self.assertEqual(self.use(minted["token"]).error, INVALID)

    def test_by_the_backend(self) -> None:
        """One, or all of a user."""
        first, second = self.mint(), self.mint()
        self.assertEqual(self.ask("DELETE", f"/tokens/{first['id']}", ISSUER).code, 204)
        self.assertEqual(self.use(first["token"]).error, INVALID)
        self.assertEqual(self.use(second["token"]).code, 200)
        self.assertEqual(self.ask("DELETE", "/tokens?sub=eve", ISSUER).code, 204)
        self.assertEqual(self.use(second["token"]).code, 200)
        self.assertEqual(self.ask("DELETE", "/tokens?sub=ada", ISSUER).code, 204)
        self.assertEqual(self.use(second["token"]).error, INVALID)

    def test_refused(self) -> None:
        """All of a user only the backend may revoke; an id that is none is not found."""
        self.assertEqual(self.ask("DELETE", "/tokens?sub=ada", "t-ada").code, 403)
        self.assertEqual(self.ask("DELETE", "/tokens?sub=ada", "").code, 401)
        for query in ("", "?sub=", "?sub=a&sub=b", "?sub=a&x=1", "?user=a"):
            with self.subTest(query=query):
                self.assertEqual(self.ask("DELETE", f"/tokens{query}", ISSUER).error, BAD)
        for token_id in ("a", "a" * 23, "a" * 21 + "%0A", "a" * 21 + "*"):
            with self.subTest(token_id=token_id):
                self.assertEqual(self.ask("DELETE", f"/tokens/{token_id}", ISSUER).code, 404)
        self.assertEqual(self.ask("DELETE", f"/tokens/{'a' * 22}", "").code, 401)

    def test_uses(self) -> None:
        """One use is one request, to whichever route."""
        token = self.mint(uses=1)["token"]
        self.assertEqual(self.use(token).code, 200)
        self.assertEqual(self.use(token).error, INVALID)


class NobodySignsInTests(TokensCase):
    def test_backend_alone(self) -> None:
        """Without an authenticator the backend's tokens are the only way in."""
        at = self.make(server={"authenticator": None}, authorize="user")
        token = self.mint(ISSUER, sub="bob", at=at)["token"]
        self.assertEqual(self.use(token, at=at).code, 200)
        self.assertEqual(self.use("", at=at).code, 401)
        self.assertEqual(at.server.cautions(), [])
