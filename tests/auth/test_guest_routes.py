"""``POST /guest`` on a server: a visitor gets an identity, keeps it, and has no more than that."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.guest_routes import MOST_BODY
from tests.spine import JSON, Answer, Spine, ask_site, make_proxy, make_spine

ISSUER = "issuer-" + "i" * 32
ORIGIN = "https://app.example.org"
KEYS = {"keys": "k" * 32}
CONFIG: dict[str, Any] = {
    "guest": KEYS,
    "require_auth": True,
    "cors_origins": [ORIGIN],
    "rate_limit": None,
}
INVALID = 401, "INVALID_TOKEN"
BAD = 400, "INVALID_TOKEN_REQUEST"


class Browser:
    """Keeps cookies as one does that follows RFC 6265, for one host."""

    def __init__(self, case: GuestRouteCase) -> None:
        self.case = case
        self.jar: dict[str, str] = {}
        self.csrf = ""

    def ask(self, method: str, path: str, body: Any = None, **more: str) -> Answer:
        headers = list(more.items())
        if self.jar:
            line = "; ".join(f"{name}={value}" for name, value in self.jar.items())
            headers.append(("Cookie", line))
        if body is not None:
            headers.append(JSON)
        raw = json.dumps(body).encode() if body is not None else None
        answer = ask_site(self.case.spine.site, method, f"/api/v1{path}", headers, raw)
        for line in answer.headers.getRawHeaders("set-cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.jar[name] = value
        return answer

    def enter(self, **members: Any) -> dict[str, Any]:
        answer = self.ask("POST", "/guest", members or None)
        self.case.assertEqual(answer.code, 200, answer.body)
        told: dict[str, Any] = answer.json
        self.csrf = told["csrf_token"]
        return told

    def chat(self, **more: str) -> Answer:
        return self.ask("POST", "/x/chat", {"model": "a"}, **{"X-CSRF-Token": self.csrf, **more})


class GuestRouteCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.spine = self.make()

    def make(self, *, server: dict[str, Any] | None = None, **options: Any) -> Spine:
        told = {**CONFIG, "reactor": MemoryReactorClock(), **(server or {})}
        return make_spine(server=told, target="https://api.example.com/v1", **options)

    def post(self, path: str = "/guest", body: bytes | None = None, *pairs: Any) -> Answer:
        return ask_site(self.spine.site, "POST", f"/api/v1{path}", pairs, body)


class EnteringTests(GuestRouteCase):
    def test_cookie(self) -> None:
        """The browser keeps a cookie that no script reads, and a call works by it."""
        browser = Browser(self)
        self.assertEqual(browser.chat().error, (401, "UNAUTHORIZED"))
        answer = browser.ask("POST", "/guest")
        self.assertEqual(answer.code, 200, answer.body)
        own, csrf = answer.headers.getRawHeaders("set-cookie", [])
        self.assertIn("; HttpOnly", own)
        self.assertIn("; SameSite=Lax", own)
        self.assertIn("; Max-Age=2592000", own)
        self.assertNotIn("Secure", own + csrf)
        self.assertNotIn("HttpOnly", csrf)
        self.assertEqual(answer.header("cache-control"), "no-store")
        told = answer.json
        self.assertEqual(sorted(told), ["csrf_token", "expires_at", "id"])
        self.assertEqual(told["csrf_token"], browser.jar["naap_csrf_token"])
        self.assertNotIn(told["id"].partition(":")[2], browser.jar["naap_guest"])
        ends = datetime.fromisoformat(told["expires_at"])
        life = (ends - datetime.now(UTC)).total_seconds()
        self.assertTrue(-60 < life - 30 * 86_400 < 60, life)
        browser.csrf = told["csrf_token"]
        self.assertEqual(browser.chat().code, 200)
        self.assertEqual(browser.chat(**{"X-CSRF-Token": ""}).error, (403, "CSRF_FAILED"))
        self.assertIsNone(self.spine.sent.header("cookie"))
        self.assertIsNone(self.spine.sent.header("x-csrf-token"))

    def test_token(self) -> None:
        """The same guest as a token, for a header; nothing of it goes up."""
        browser = Browser(self)
        told = browser.enter(**{"as": "token"})
        headers = JSON, ("Authorization", f"Bearer {told['token']}")
        self.assertEqual(self.post("/x/chat", b"{}", *headers).code, 200)
        self.assertIsNone(self.spine.sent.header("authorization"))
        self.assertEqual(browser.enter()["id"], told["id"])

    def test_same(self) -> None:
        """Whoever comes again is the same guest; whoever comes without anything is another."""
        one, two = Browser(self), Browser(self)
        ids = [browser.enter()["id"] for browser in (one, one, two, one)]
        self.assertEqual(ids, [ids[0], ids[0], ids[2], ids[0]])
        self.assertNotEqual(ids[0], ids[2])
        token = one.enter(**{"as": "token"})["token"]
        again = self.post("/guest", None, ("Authorization", f"Bearer {token}"))
        self.assertEqual(again.json["id"], ids[0])

    def test_secure(self) -> None:
        """Behind a proxy that ends TLS the cookies are Secure."""
        self.spine = self.make(server={"trusted_proxies": ["192.0.2.7"]})
        for scheme, count in (("https", 2), ("http", 0)):
            answer = self.post("/guest", None, ("X-Forwarded-Proto", scheme))
            lines = answer.headers.getRawHeaders("set-cookie", [])
            self.assertEqual(sum(line.endswith("; Secure") for line in lines), count)

    def test_stock_site(self) -> None:
        """So it is on Twisted's own site."""
        told = {**CONFIG, "reactor": MemoryReactorClock()}
        self.spine = make_spine(server=told, target="https://api.example.com/v1", stock=True)
        browser = Browser(self)
        self.assertEqual(browser.enter()["id"], browser.enter()["id"])
        self.assertEqual(browser.chat().code, 200)

    def test_bodies(self) -> None:
        """JSON of two members, or nothing at all."""
        for body, code in (
            (b"{}", 200),
            (b'{"as": "cookie"}', 200),
            (b'{"as": "token", "challenge": "x"}', 200),
            (b"", 400),
            (b"[]", 400),
            (b"{", 400),
            (b'{"as": "user"}', 400),
            (b'{"as": null}', 400),
            (b'{"as": ["token"]}', 400),
            (b'{"as": "token", "as": "cookie"}', 400),
            (b'{"challenge": 3}', 400),
            (b'{"sub": "ada"}', 400),
            (b'{"id": "guest:x"}', 400),
            (b'{"challenge": "' + b"x" * MOST_BODY + b'"}', 413),
        ):
            with self.subTest(body=body[:60]):
                self.assertEqual(self.post("/guest", body, JSON).code, code)
        form = ("Content-Type", "text/plain")
        self.assertEqual(self.post("/guest", b"{}", form).code, 415)
        self.assertEqual(self.post("/guest", b'{"as": "token"}').code, 415)
        asked = ask_site(self.spine.site, "GET", "/api/v1/guest")
        self.assertEqual(asked.error, (405, "METHOD_NOT_ALLOWED"))

    def test_log(self) -> None:
        """Log lines have the guest's id, and neither token nor CSRF token."""
        browser = Browser(self)
        with capturedLogs() as logs:
            told = browser.enter(**{"as": "token"})
            browser.chat()
        lines = [str(each) for each in logs]
        self.assertEqual(sum(told["id"] in line for line in lines), 2)
        for secret in (told["token"], told["csrf_token"]):
            self.assertFalse(any(secret in line for line in lines))


class OtherSiteTests(GuestRouteCase):
    def test_origins(self) -> None:
        """Pages of listed origins enter, with credentials; no other page does."""
        answer = self.post("/guest", b"{}", JSON, ("Origin", ORIGIN))
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.header("access-control-allow-origin"), ORIGIN)
        self.assertEqual(answer.header("access-control-allow-credentials"), "true")
        for origin in ("https://evil.example", "null", "http://app.example.org"):
            answer = self.post("/guest", b"{}", JSON, ("Origin", origin))
            self.assertEqual(answer.error, (403, "ORIGIN_NOT_ALLOWED"))
            self.assertIsNone(answer.header("set-cookie"))

    def test_forms(self) -> None:
        """Nor does another site's form, link or image, with an Origin or without."""
        cross, navigates = ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")
        for pairs in ((cross,), (cross, navigates), (cross, navigates, ("Origin", ORIGIN))):
            answer = self.post("/guest", None, *pairs)
            self.assertEqual(answer.error, (403, "CROSS_SITE_NOT_ALLOWED"))
            self.assertIsNone(answer.header("set-cookie"))
        self.assertEqual(self.post("/guest", None, cross, ("Origin", ORIGIN)).code, 200)
        self.assertEqual(self.post("/guest", None, ("Sec-Fetch-Site", "same-origin")).code, 200)

    def test_preflight(self) -> None:
        """A page may ask by JSON; the header of App Check only where that counts."""
        wanted = "content-type, x-firebase-appcheck, x-csrf-token"
        pairs = [
            ("Origin", ORIGIN),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", wanted),
        ]
        for server, count in (({}, 0), ({"guest": {**KEYS, "app_check": "1"}}, 1)):
            self.spine = self.make(server=server)
            answer = ask_site(self.spine.site, "OPTIONS", "/api/v1/guest", pairs)
            self.assertEqual(answer.code, 204)
            allowed = str(answer.header("access-control-allow-headers")).lower()
            self.assertIn("content-type", allowed)
            self.assertEqual(allowed.count("x-firebase-appcheck"), count)


class RightsTests(GuestRouteCase):
    def test_nothing_else(self) -> None:
        """A guest keeps no keys, mints no tokens and has no role; what is left it may read."""
        keys = {"page_tokens": {"issuers": [ISSUER], "keys": "p" * 32}}
        budget = [{"requests": 5, "per": "day", "of": "guest"}]
        self.spine = self.make(server=keys, budget=budget)
        self.spine.server.mount(
            "/admin", make_proxy(self.spine.upstream, authorize=lambda _: False)
        )
        browser = Browser(self)
        browser.enter()
        csrf = {"X-CSRF-Token": browser.csrf}
        order = {"routes": ["/x"], "ttl": 60}
        for routes in (["/x"], ["/x", "/admin"]):
            answer = browser.ask("POST", "/tokens", {**order, "routes": routes}, **csrf)
            self.assertEqual(answer.error, (403, "FORBIDDEN"))
        self.assertEqual(browser.ask("DELETE", "/tokens/" + "A" * 22, **csrf).code, 403)
        self.assertEqual(browser.ask("POST", "/admin", {}, **csrf).error, (403, "FORBIDDEN"))
        usage = browser.ask("GET", "/usage").json["budgets"]
        self.assertEqual([(each["of"], each["left"]) for each in usage], [("guest", 5)])

    def test_keys(self) -> None:
        """Where users keep keys, guests do not."""

        class Keys:
            def get(self, *_: Any) -> Any:
                raise AssertionError

            put = delete = describe = get

        self.spine = self.make(server={"keys": Keys()})
        browser = Browser(self)
        browser.enter()
        csrf = {"X-CSRF-Token": browser.csrf}
        for method, path in (("GET", "/keys"), ("PUT", "/keys/a"), ("DELETE", "/keys/a")):
            answer = browser.ask(method, path, {"key": "k"} if method == "PUT" else None, **csrf)
            self.assertEqual(answer.error, (403, "FORBIDDEN"))

    def test_page_tokens(self) -> None:
        """A page token of the backend makes nobody a guest, and a guest's token is none."""
        tokens = {"issuers": [ISSUER], "keys": KEYS["keys"]}
        self.spine = self.make(server={"page_tokens": tokens})
        order = json.dumps({"sub": "ada", "routes": ["/x"], "ttl": 60}).encode()
        minted = self.post("/tokens", order, JSON, ("Authorization", f"Bearer {ISSUER}"))
        shown = ("Authorization", f"Bearer {minted.json['token']}")
        self.assertEqual(self.post("/x/chat", b"{}", JSON, shown).code, 200)
        self.assertEqual(self.post("/guest", None, shown).error, (403, "TOKEN_NOT_ALLOWED"))
        told = Browser(self).enter(**{"as": "token"})
        swapped = told["token"].replace("naap_g1", "naap_p1")
        shown = ("Authorization", f"Bearer {swapped}")
        self.assertEqual(self.post("/x/chat", b"{}", JSON, shown).error, INVALID)

    def test_budgets(self) -> None:
        """Each guest has five; the sixth is told when to come again, and another has five."""
        budget = [
            {"requests": 5, "per": "day", "of": "guest"},
            {"requests": 2, "per": "day", "of": "user"},
        ]
        self.spine = self.make(budget=budget)
        one, two = Browser(self), Browser(self)
        for browser in (one, two):
            browser.enter()
        for left in range(4, -1, -1):
            answer = one.chat()
            self.assertEqual(answer.code, 200)
            self.assertEqual(answer.header("x-budget-remaining"), f"requests={left};per=day")
        answer = one.chat()
        self.assertEqual(answer.error, (429, "BUDGET_EXCEEDED"))
        self.assertTrue(0 < int(str(answer.header("retry-after"))) <= 86_400)
        one.enter()  # The same guest again, and no new questions.
        self.assertEqual(one.chat().error, (429, "BUDGET_EXCEEDED"))
        token = ("Authorization", f"Bearer {one.enter(**{'as': 'token'})['token']}")
        self.assertEqual(self.post("/x/chat", b"{}", JSON, token).code, 429)
        self.assertEqual(two.chat().code, 200)


class CeilingTests(GuestRouteCase):
    def test_ceilings(self) -> None:
        """Past them no new guest is made; the guests who are there stay."""
        limit = {"requests": 3, "window": "1h"}
        self.spine = self.make(server={"guest": {**KEYS, "per_address": limit}})
        first = Browser(self)
        told = first.enter()
        for _ in range(2):
            Browser(self).enter()
        answer = self.post("/guest")
        self.assertEqual(answer.error, (429, "RATE_LIMITED"))
        self.assertTrue(3500 < int(str(answer.header("retry-after"))) <= 3600)
        self.assertIsNone(answer.header("set-cookie"))
        self.assertEqual(first.enter()["id"], told["id"])
        self.assertEqual(first.chat().code, 200)

    def test_bad_cookies(self) -> None:
        """A made-up or a repeated cookie gets nobody past them."""
        limit = {"requests": 3, "window": "1h"}
        self.spine = self.make(server={"guest": {**KEYS, "per_address": limit}})
        codes = [
            self.post("/guest", None, ("Cookie", f"naap_guest=naap_g1.e30.{'A' * 43}")).code
            for _ in range(4)
        ]
        self.assertEqual(codes, [200, 200, 200, 429])
        twice = self.post("/guest", None, ("Cookie", "naap_guest=a; naap_guest=b"))
        self.assertEqual(twice.error, INVALID)


class BesideTests(GuestRouteCase):
    def test_optional(self) -> None:
        """Where nobody has to be known, whoever has no cookie is counted by address."""
        budget = [{"requests": 1, "per": "day", "of": "guest"}]
        self.spine = self.make(server={"require_auth": False}, budget=budget)
        stranger, guest = Browser(self), Browser(self)
        guest.enter()
        self.assertEqual(stranger.chat().code, 200)
        self.assertEqual(stranger.chat().code, 429)
        self.assertEqual(guest.chat().code, 200)
        self.assertEqual(guest.chat().code, 429)
        # A cookie without the CSRF token is a stranger's.
        self.assertEqual(guest.chat(**{"X-CSRF-Token": "x"}).code, 429)

    def test_other_modes(self) -> None:
        """No other server has the route."""
        self.spine = make_spine(target="https://api.example.com/v1")
        self.assertEqual(self.post().error, (404, "NOT_FOUND"))
