"""What is not passed as it means is refused, with the line that would allow it."""

from __future__ import annotations

import gzip
from pathlib import Path

from twisted.logger import capturedLogs

from naap_twisted.auth.static import StaticTokens
from naap_twisted.model import User

from .canary import AUTHORIZATION
from .support import OK, ORIGIN, PATH, PINNED, RefusalTestCase

# The numbers are kept where somebody can read them.
ADMIN = {"admin_listen": "tcp:0:interface=127.0.0.1"}
PACKED = gzip.compress(b'{"a": 1}')


class EncodedBodyTests(RefusalTestCase):
    async def test_json_route(self):
        """A route that lists JSON reads it: a coding in the way is named (field case A4)."""
        self.start()
        for coding in ("gzip", "br", "identity, gzip", "GZIP"):
            answer = await self.post(PACKED, Content_Encoding=coding)
            message = self.assert_refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
            self.assertIn(repr(coding.lower().split(", ")[-1]), message)
            self.assertEqual(answer.header("Accept-Encoding"), "identity")
        self.assertEqual(self.upstream.connections, 0)

    async def test_identity(self):
        """No coding at all is none in the way."""
        self.start(OK)
        self.assertEqual((await self.post(Content_Encoding="identity")).status, 200)

    async def test_any_type(self):
        """A route that takes any body passes the bytes, and the field that describes them."""
        self.start(OK, content_type=["*/*"])
        self.assertEqual((await self.post(PACKED, Content_Encoding="gzip")).status, 200)
        (received,) = self.upstream.requests
        self.assertEqual(received.body, PACKED)
        self.assertEqual(received.values("Content-Encoding"), [b"gzip"])


class AccountTests(RefusalTestCase):
    async def test_refused(self):
        """Whatever the spelling; nothing goes upstream (field case A10)."""
        self.start()
        for name in ("Stripe-Account", "stripe-account", "STRIPE-ACCOUNT", "Stripe-Context"):
            answer = await self.post(**{name: "acct_1"})
            message = self.assert_refused(answer, 400, "HEADER_NOT_ALLOWED")
            self.assertIn(f'pass_headers = ["{name.title()}"]', message)
        answer = await self.running.ask(
            "POST", PATH, [*self.headers().items(), ("Stripe_Account", "acct_1")], b"{}"
        )
        self.assert_refused(answer, 400, "HEADER_NOT_ALLOWED")
        self.assertEqual(self.upstream.connections, 0)

    async def test_the_line_is_the_remedy(self):
        """The route with the line from the refusal passes the header, and the preflight too."""
        self.start(OK, pass_headers=["Stripe-Account"], server={"cors_origins": [ORIGIN]})
        self.assertEqual((await self.post(Stripe_Account="acct_1")).status, 200)
        self.assertEqual(self.upstream.requests[0].values("Stripe-Account"), [b"acct_1"])
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "stripe-account",
        }
        answer = await self.running.ask("OPTIONS", PATH, asked.items())
        self.assertIn("Stripe-Account", answer.header("Access-Control-Allow-Headers"))

    async def test_connection_takes_none_away(self):
        """A header that the route passes, and that Connection names: refused, never lost."""
        self.start(OK, pass_headers=["Stripe-Account"])
        answer = await self.post(Stripe_Account="acct_1", Connection="Stripe-Account")
        self.assert_refused(answer, 400, "HEADER_NOT_ALLOWED")
        self.assertEqual(self.upstream.connections, 0)

    async def test_connection_takes_no_user_away(self):
        """Without the user's own Authorization the call would be made with the server's key."""
        tokens = StaticTokens({"tok-1": User("ada")})
        self.start(OK, server={"require_auth": True, "authenticator": tokens})
        self.mount(
            "/p",
            target=self.upstream.origin,
            provider="supabase",
            key="k" * 20,
            forward_headers={},
        )
        user = {"apikey": "tok-1", "Authorization": "Bearer user", "X-Target-URL": None}
        answer = await self.post(path=PINNED, **user)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.upstream.requests[0].values("Authorization"), [b"Bearer user"])
        answer = await self.post(path=PINNED, **user, Connection="authorization")
        self.assert_refused(answer, 400, "HEADER_NOT_ALLOWED")
        self.assertEqual(len(self.upstream.requests), 1)


class DroppedTests(RefusalTestCase):
    async def test_once(self):
        """The log names a lost header once a route, with the line; every loss is counted."""
        self.start(OK, server=ADMIN)
        self.mount("/p", target=self.upstream.origin)
        with capturedLogs() as events:
            for _ in range(3):
                await self.post(X_New="1")
                await self.post(x_nEW="1", Other="2")
            await self.post(path=PINNED, X_New="1")
        told = [(e["route"], e["name"]) for e in events if "drops the" in e["log_format"]]
        self.assertEqual(told, [(PATH, "X-New"), (PATH, "Other"), (PINNED, "X-New")])
        tally = self.running.server.parts.tally.routes
        self.assertEqual((tally[PATH].dropped, tally[PINNED].dropped), (9, 1))

    async def test_preflight(self):
        """No preflight allows what would be dropped; its log line names the route's option."""
        self.start()
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "idempotency-key,x-new",
        }
        with capturedLogs() as events:
            answer = await self.running.ask("OPTIONS", PATH, asked.items())
        allowed = answer.header("Access-Control-Allow-Headers").lower().split(", ")
        self.assertIn("idempotency-key", allowed)
        self.assertNotIn("x-new", allowed)
        (remedy,) = [event["remedy"] for event in events if "remedy" in event]
        self.assertEqual(remedy, 'to allow it: pass_headers = ["x-new"]')

    async def test_underscores(self):
        """No line is told that a start would refuse: such a name never passes."""
        self.start(OK)
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x_one",
        }
        with capturedLogs() as events:
            await self.running.ask("POST", PATH, [*self.headers().items(), ("X_One", "1")], b"{}")
            await self.running.ask("OPTIONS", PATH, asked.items())
        (line,) = [event["line"] for event in events if "drops the" in event["log_format"]]
        self.assertEqual(line, 'spell it with "-" for "_"')
        (remedy,) = [event["remedy"] for event in events if "remedy" in event]
        self.assertEqual(remedy, "no setting allows it")

    async def test_out_of_a_pattern(self):
        """What "!" takes out of a pattern does not go up, nor through a preflight."""
        self.start()
        self.mount("/p", target=self.upstream.origin, pass_headers=["X-A-*", "!X-A-1"])
        self.upstream.steps = (OK,)
        headers = {"X-A-1": "1", "X-A-2": "2", "X-Target-URL": None}
        self.assertEqual((await self.post(path=PINNED, **headers)).status, 200)
        (received,) = self.upstream.requests
        self.assertEqual(received.values("X-A-1") + received.values("X-A-2"), [b"2"])
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-a-1,x-a-2",
        }
        answer = await self.running.ask("OPTIONS", PINNED, asked.items())
        allowed = answer.header("Access-Control-Allow-Headers").split(", ")
        self.assertEqual([name for name in allowed if name.startswith("x-a-")], ["x-a-2"])

    async def test_strangers_do_not_fill_the_log(self):
        """Names that somebody makes up are told up to a bound."""
        self.start(OK)
        with capturedLogs() as events:
            for batch in range(10):
                await self.post(**{f"X-Junk-{batch}-{at}": "1" for at in range(20)})
        told = [event for event in events if "drops the request header" in event["log_format"]]
        self.assertEqual(len(told), 64)


class TokenHeaderTests(RefusalTestCase):
    async def test_every_route(self):
        """``token_headers``: read on Klein's routes, too, allowed in preflights, kept here."""
        tokens = StaticTokens({"tok-1": User("ada")})
        self.start(
            OK,
            server={
                "require_auth": True,
                "authenticator": tokens,
                "token_headers": ["X-Api-Key"],
                "cors_origins": [ORIGIN],
                **ADMIN,
            },
        )
        self.running.server.router.route("/who")(lambda request: b"you")
        self.assertEqual((await self.post(X_Api_Key="tok-1")).status, 200)
        self.assertEqual(self.upstream.requests[0].values("X-Api-Key"), [])
        self.assertNotIn(b"tok-1", self.upstream.requests[0].raw)
        known = await self.running.ask("GET", "/api/v1/who", [("X-Api-Key", "tok-1")])
        self.assertEqual((known.status, known.body), (200, b"you"))
        for headers in ([], [("X-Api-Key", "other")], [("X-Api-Key", "tok-1")] * 2):
            refused = await self.running.ask("GET", "/api/v1/who", headers)
            self.assertEqual(refused.status, 401, headers)
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key",
        }
        answer = await self.running.ask("OPTIONS", PATH, asked.items())
        self.assertIn("X-Api-Key", answer.header("Access-Control-Allow-Headers"))
        self.assertEqual(self.running.server.parts.tally.routes[PATH].dropped, 0)

    async def test_no_prefix_passes_a_token(self):
        """Not those of a provider's clients, nor those of the server; a name of its own does."""
        tokens = StaticTokens({"tok-of-ada": User("ada")})
        for more, name in (
            ({"provider": "anthropic"}, "x-api-key"),
            ({"provider": "azure-openai"}, "Api-Key"),
            ({"provider": "gemini"}, "X-GOOG-API-KEY"),
            ({}, "X-Session"),
        ):
            for passed in (["X-*", "Api*"], ["X-*", "Api*", name]):
                server = {"require_auth": True, "authenticator": tokens}
                self.start(OK, server={**server, "token_headers": ["X-Session"]})
                target = self.upstream.origin
                options = {"target": target, "pass_headers": passed, "forward_headers": {}, **more}
                self.mount("/p", **options)
                self.mount("/q", **{**options, "forward_headers": lambda request: {}})
                for path in (PINNED, "/api/v1/q"):
                    sent = {"Content-Type": "application/json", "X-Team": "a", name: "tok-of-ada"}
                    answer = await self.running.ask("POST", f"{path}/a", sent, b"{}")
                    self.assertEqual(answer.status, 200)
                    got = self.upstream.requests[-1]
                    self.assertEqual(got.values("X-Team"), [b"a"])
                    self.assertEqual(b"tok-of-ada" in got.raw, name in passed, (name, passed))

    async def test_no_other_field(self):
        """An upstream gets no caller's token, in no field and by no pattern of the route."""
        server = {
            "require_auth": True,
            "authenticator": StaticTokens({"tok-1": User("ada")}),
            "token_headers": ["X-Api-Key"],
        }
        self.start(OK, server=server, forward_headers={"X-Secret": AUTHORIZATION})
        passed = ["Authorization", "X-*"]
        self.mount("/p", target=self.upstream.origin, pass_headers=passed, forward_headers={})
        answer = await self.post(path=PINNED, X_Api_Key="tok-1", X_Target_URL=None)
        self.assertEqual(answer.status, 200)
        self.assertNotIn(b"tok-1", self.upstream.requests[0].raw)

    async def test_as_it_came(self):
        """A route that passes Authorization passes its scheme as well."""
        server = {"require_auth": True, "authenticator": StaticTokens({"tok-1": User("ada")})}
        self.start(server=server)
        acme = Path(self.mktemp() + ".toml")
        acme.write_text('[token]\nheaders = ["x-key"]\nscheme = "Token"\n[key]\nheader = "x-key"\n')
        self.mount(
            "/p",
            target=self.upstream.origin,
            provider=str(acme.absolute()),
            pass_headers=["Authorization"],
            forward_headers={},
        )
        self.upstream.steps = (OK,)
        answer = await self.post(path=PINNED, Authorization="Token tok-1", X_Target_URL=None)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.upstream.requests[0].values("Authorization"), [b"Token tok-1"])
        answer = await self.post(path=PINNED, X_Key="tok-1", X_Target_URL=None)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertNotIn(b"tok-1", self.upstream.requests[1].raw)


class TwoVendorsTests(RefusalTestCase):
    """One request with the headers of several vendors' clients."""

    KEY = "sk-of-the-server"
    OPENAI = {"Authorization": "Bearer tok-1", "OpenAI-Beta": "assistants=v2"}
    ANTHROPIC = {"x-api-key": "tok-of-another", "anthropic-version": "2023-06-01"}
    SHARED = {"X-Stainless-Lang": "js", "Idempotency-Key": "k1", "Content-Type": "application/json"}

    def begin(self, provider):
        server = {"authenticator": StaticTokens({"tok-1": User("ada")}), "require_auth": True}
        self.start(OK, server={**server, **ADMIN})
        options = {"provider": provider, "target": self.upstream.origin, "key": self.KEY}
        self.mount("/p", forward_headers={}, **options)

    async def ask(self, *headers, **more):
        sent = [pair for each in headers for pair in each.items()]
        sent += [(name.replace("_", "-"), value) for name, value in more.items()]
        return await self.running.ask("POST", f"{PINNED}/chat", sent, b"{}")

    async def test_each_on_its_own_route(self):
        """A route passes its vendor's; the other's are dropped, told of, and no key goes along."""
        for provider, key, passed, lost in (
            ("openai", ("Authorization", f"Bearer {self.KEY}"), "OpenAI-Beta", self.ANTHROPIC),
            ("anthropic", ("x-api-key", self.KEY), "anthropic-version", ("OpenAI-Beta",)),
        ):
            self.begin(provider)
            with capturedLogs() as events:
                answer = await self.ask(self.OPENAI, self.ANTHROPIC, self.SHARED)
            self.assertEqual(answer.status, 200)
            (got,) = self.upstream.requests
            self.assertEqual(got.values(key[0]), [key[1].encode()])
            for token in (b"tok-1", b"tok-of-another"):
                self.assertNotIn(token, got.raw)
            for name in (passed, "X-Stainless-Lang", "Idempotency-Key"):
                self.assertEqual(len(got.values(name)), 1, name)
            told = {e["name"].lower() for e in events if "drops the" in e["log_format"]}
            self.assertEqual(told, {name.lower() for name in lost})
            for name in lost:
                self.assertEqual(got.values(name), [])

    async def test_accounts(self):
        """Whoever's account it is that a header chooses, on whichever vendor's route."""
        for provider in ("openai", "anthropic"):
            for name in ("OpenAI-Organization", "Stripe-Account", "openai_project"):
                self.begin(provider)
                answer = await self.ask(self.OPENAI, self.SHARED, **{name.replace("_", "-"): "a"})
                self.assert_refused(answer, 400, "HEADER_NOT_ALLOWED")
                raw = await self.ask(self.OPENAI, self.SHARED, {name: "a"})
                self.assert_refused(raw, 400, "HEADER_NOT_ALLOWED")
                self.assertEqual(self.upstream.connections, 0)

    async def test_tokens(self):
        """Authorization says who calls; two tokens in one place are nobody's."""
        self.begin("anthropic")
        anthropic = {"x-api-key": "tok-1", "anthropic-version": "2023-06-01"}
        self.assertEqual((await self.ask(anthropic, self.SHARED)).status, 200)
        wrong = {"Authorization": "Bearer tok-of-another"}
        self.assert_refused(await self.ask(anthropic, wrong), 401, "INVALID_TOKEN")
        self.assert_refused(await self.ask(anthropic, anthropic), 401, "INVALID_TOKEN")
        self.begin("openai")
        self.assert_refused(await self.ask(anthropic), 401, "UNAUTHORIZED")
        self.assertEqual(self.upstream.connections, 0)
