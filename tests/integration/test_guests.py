"""Guests over sockets: a vendor of challenges that misbehaves, floods, and stock clients."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred, gatherResults
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.auth.app_check import HEADER, ISSUER
from naap_twisted.testing import RunningServer

from ..clients.openai_api import QUESTION, OpenAIApi
from ..clients.support import (
    KEY,
    Client,
    PageClientTestCase,
    ProviderStage,
    PythonClientTestCase,
    serve_site,
)
from ..keypairs import public, rsa, sign
from ..servers import NO_REDIS, Redis
from .support import IntegrationTestCase, until
from .test_tls import TlsTestCase

try:
    import openai
except ImportError:
    openai = None

DOCS = (Path(__file__).parents[2] / "docs" / "guests.md").read_text("utf-8")
JSON = ("Content-Type", "application/json")
SECRET = "0x" + "s" * 32
PROJECT = "123456789012"


def example(name: str) -> str:
    """The block of docs/guests.md behind its mark."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", DOCS, re.DOTALL)
    assert found is not None, name
    return found[1]


class Vendor(Resource):
    """Judges answers as a vendor of challenges does: each that it gave out is good once.

    :ivar forms: what it was asked.
    :ivar reply: bytes that it answers instead; ``None``: it judges. *silent*: it never answers.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.fresh = {"answer-1", "answer-2"}
        self.forms: list[dict[str, list[str]]] = []
        self.reply: bytes | None = None
        self.silent = False

    def render_GET(self, request: Any) -> bytes:
        return json.dumps({"keys": [public(rsa("one"))]}).encode()

    def render_POST(self, request: Any) -> Any:
        form = parse_qs(request.content.read().decode())
        self.forms.append(form)
        if self.silent:
            return NOT_DONE_YET
        if self.reply is not None:
            return self.reply
        known = form["secret"] == [SECRET] and form["response"][0] in self.fresh
        self.fresh -= {form["response"][0]}
        codes = [] if known else ["timeout-or-duplicate"]
        told = {"success": known, "error-codes": codes, "hostname": "app.example.org"}
        return json.dumps(told).encode()


class GuestsCase(IntegrationTestCase):
    timeout = 60

    def begin(self, name: str = "guests", server: Any = None, **guest: Any) -> RunningServer:
        """A server that gives guests one route of a backend that says whom it hears."""
        options = {"rate_limit": None, "drain_timeout": 1.0, **(server or {})}
        plugin = create_plugin_server(name, 0, guest={"keys": "k" * 32, **guest}, **options)

        async def whoami(request: Any) -> bytes:
            user = plugin.user(request)
            return b"" if user is None else user.id.encode()

        plugin.router.route("/me", methods=["GET", "POST"])(whoami)
        return RunningServer(self, plugin)

    async def enter(self, at: RunningServer, *pairs: Any, **members: Any) -> Any:
        body = json.dumps(members).encode()
        return await at.ask("POST", "/api/v1/guest", [JSON, *pairs], body)

    async def me(self, at: RunningServer, *pairs: Any, method: str = "POST") -> tuple[int, str]:
        answer = await at.ask(method, "/api/v1/me", pairs, b"" if method == "POST" else None)
        return answer.status, answer.body.decode()


class ChallengeTests(GuestsCase):
    def setUp(self) -> None:
        super().setUp()
        self.vendor = Vendor()
        port = serve_site(self, Site(self.vendor))
        self.url = f"http://127.0.0.1:{port}/siteverify"

    def begin(self, name: str = "guests", server: Any = None, **guest: Any) -> RunningServer:
        return super().begin(name, server, verify_url=self.url, verify_secret=SECRET, **guest)

    async def test_once(self) -> None:
        """A good answer lets one visitor in, and its replay nobody; a guest is not asked again."""
        at = self.begin(verify_hostnames=["app.example.org"])
        first = await self.enter(at, challenge="answer-1")
        self.assertEqual(first.status, 200, first.body)
        (form,) = self.vendor.forms
        self.assertEqual(form["remoteip"], ["127.0.0.1"])
        for answer in ("answer-1", "made-up", ""):
            refused = await self.enter(at, challenge=answer)
            self.assertEqual(refused.status, 403)
            self.assertEqual(refused.json()["error"]["code"], "CHALLENGE_FAILED")
            self.assertIsNone(refused.header("Set-Cookie"))
        self.assertEqual(len(self.vendor.forms), 3)
        cookie = str(first.header("Set-Cookie")).partition(";")[0]
        again = await self.enter(at, ("Cookie", cookie))
        self.assertEqual(again.json()["id"], first.json()["id"])
        self.assertEqual(len(self.vendor.forms), 3)

    async def test_another_page(self) -> None:
        """An answer that was won on another page is none."""
        at = self.begin(verify_hostnames=["other.example.org"])
        self.assertEqual((await self.enter(at, challenge="answer-1")).status, 403)

    async def test_strange_replies(self) -> None:
        """Text for true, no JSON, a flood of bytes: nobody is let in, nobody is told no."""
        at = self.begin()
        for reply in (
            b'{"success": "true"}',
            b"<html>",
            b"[true]",
            b"{" * 100_000,
            b" " * (1 << 22),
        ):
            self.vendor.reply = reply
            answer = await self.enter(at, challenge="x")
            self.assertEqual(answer.status, 503, reply[:40])
            self.assertIsNotNone(answer.header("Retry-After"))
        self.assertEqual((await self.me(at))[0], 401)

    async def test_gone(self) -> None:
        """A vendor who does not answer holds nobody for longer than a visitor stays."""
        at = self.begin()
        self.vendor.silent = True
        client = await at.client()
        body = b'{"challenge": "answer-1"}'
        client.request("POST", "/api/v1/guest", [JSON], body)
        await until(lambda: len(self.vendor.forms) == 1)
        await client.stop()
        self.vendor.silent = False
        self.assertEqual((await self.enter(at, challenge="answer-2")).status, 200)

    async def test_app_check(self) -> None:
        """A token of the project's app lets in without a challenge; any other does not."""
        at = self.begin(app_check=PROJECT, app_check_keys=self.url)
        claims = {"iss": ISSUER + PROJECT, "aud": [f"projects/{PROJECT}"], "exp": 1 << 40}
        good = sign(claims, rsa("one"), "RS256", kid="one", typ="JWT")
        forged = sign(claims, rsa("two"), "RS256", kid="one", typ="JWT")
        for token, status in ((good, 200), (forged, 403), (good, 200), ("x", 403)):
            self.assertEqual((await self.enter(at, (HEADER, token))).status, status)
        self.assertEqual((await self.enter(at, challenge="answer-1")).status, 200)
        self.assertEqual((await self.enter(at)).status, 403)
        self.assertEqual(len(self.vendor.forms), 1)


class IdentityTests(GuestsCase):
    async def test_whose(self) -> None:
        """Cookie and token are one guest; swapped, cut, doubled and of another server none."""
        at, other = self.begin(), self.begin("another")
        told = await self.enter(at, **{"as": "token"})
        guest = told.json()
        cookies = [line.partition(";")[0] for line in told.headers.getRawHeaders("Set-Cookie", [])]
        whole = ("Cookie", "; ".join(cookies))
        csrf, bearer = ("X-CSRF-Token", guest["csrf_token"]), "Authorization"
        token = guest["token"]
        for pairs, status in (
            ((whole, csrf), 200),
            (((bearer, f"Bearer {token}"),), 200),
            ((whole,), 403),
            ((("Cookie", cookies[0]), csrf), 403),
            (((bearer, f"Bearer {token[:-1]}"),), 401),
            (((bearer, f"Bearer {token}x"),), 401),
            (((bearer, f"Basic {token}"),), 401),
            (((bearer, f"Bearer {guest['csrf_token']}"),), 401),
            (((bearer, f"Bearer {token}"), (bearer, f"Bearer {token}")), 401),
            ((("Cookie", f"{cookies[0]}; {cookies[0]}; {cookies[1]}"), csrf), 401),
            ((whole, ("Cookie", "naap_guest=x"), csrf), 401),
            ((("Cookie", f"naap_guest=x; {cookies[1]}"), csrf), 401),
            ((whole, csrf, (bearer, "Bearer x")), 401),
            ((), 401),
        ):
            with self.subTest(pairs=[name for name, _ in pairs], status=status):
                got, who = await self.me(at, *pairs)
                self.assertEqual(got, status)
                self.assertTrue(got != 200 or who == guest["id"])
        self.assertEqual((await self.me(other, whole, csrf))[0], 401)
        self.assertEqual((await self.me(other, (bearer, f"Bearer {token}")))[0], 401)
        fresh = json.loads((await self.enter(other, ("Cookie", cookies[0]))).body)
        self.assertNotEqual(fresh["id"], guest["id"])

    async def test_rotation(self) -> None:
        """Two keys count at once; a cookie of the one that is gone makes a new guest."""
        old, new = "k" * 32, "j" * 32
        at = [self.begin(keys=keys) for keys in (old, f"{new},{old}", new)]
        ids, cookie = [], "naap_guest=x"
        for server in at:
            told = await self.enter(server, ("Cookie", cookie))
            ids.append(told.json()["id"])
            cookie = told.headers.getRawHeaders("Set-Cookie", [])[0].partition(";")[0]
        self.assertEqual(len(set(ids)), 1)
        told = await self.enter(self.begin(keys="i" * 32), ("Cookie", cookie))
        self.assertNotIn(told.json()["id"], ids)

    async def test_other_site(self) -> None:
        """A page of another site makes no guest, and spends in no guest's name."""
        at = self.begin(server={"cors_origins": ["https://app.example.org"]})
        evil = ("Origin", "https://evil.example")
        cross = ("Sec-Fetch-Site", "cross-site")
        form = ("Content-Type", "application/x-www-form-urlencoded")
        for pairs in ((JSON, evil), (form, evil), (cross,), (JSON, ("Origin", "null"))):
            body = b"{}" if JSON in pairs else b""
            answer = await at.ask("POST", "/api/v1/guest", pairs, body)
            self.assertEqual(answer.status, 403)
            self.assertIsNone(answer.header("Set-Cookie"))


class FloodTests(GuestsCase):
    async def test_ceiling(self) -> None:
        """Many at once from one address: as many as may be get in, exactly."""
        at = self.begin(per_address={"requests": 5, "window": "1h"})
        asked = [Deferred.fromCoroutine(self.enter(at)) for _ in range(60)]
        answers = await gatherResults(asked, consumeErrors=True)
        codes = sorted(answer.status for answer in answers)
        self.assertEqual(codes, [200] * 5 + [429] * 55)
        refused = next(answer for answer in answers if answer.status == 429)
        self.assertTrue(0 < int(str(refused.header("Retry-After"))) <= 3600)

    async def test_prefix(self) -> None:
        """300 addresses of one /64, as a proxy before us names them: the /64's ceiling holds."""
        at = self.begin(server={"trusted_proxies": ["127.0.0.1/32"]})
        codes = []
        for number in range(300):
            client = ("X-Forwarded-For", f"2001:db8:1:2:{number:x}::1")
            codes.append((await self.enter(at, client)).status)
        self.assertEqual(codes, [200] * 60 + [429] * 240)
        other = await self.enter(at, ("X-Forwarded-For", "2001:db8:1:3::1"))
        self.assertEqual(other.status, 200)


class SecureTests(TlsTestCase):
    async def test_secure(self) -> None:
        """Where this server speaks TLS itself, no cookie goes out that plain http would carry."""
        self.serve_tls(guest={"keys": "k" * 32, "cookie": "__Host-guest"})
        answer = await self.running.ask("POST", "/api/v1/guest", [JSON], b"{}")
        lines = answer.headers.getRawHeaders("Set-Cookie", [])
        self.assertEqual([line.endswith("; Secure") for line in lines], [True, True])
        self.assertTrue(lines[0].startswith("__Host-guest="))
        self.assertNotIn("Domain", "".join(lines))


class SharedTests(GuestsCase):
    skip = NO_REDIS

    async def test_shared(self) -> None:
        """Servers of one name count new guests together, and know each other's."""
        redis = Redis(self)
        limit = {"requests": 4, "window": "1h"}
        at = [self.begin(server={"redis_url": redis.url}, per_address=limit) for _ in range(2)]
        links = [server.server.parts.state.redis for server in at]
        await until(lambda: all(link is not None and link.up for link in links))
        told = await self.enter(at[0], **{"as": "token"})
        token = ("Authorization", f"Bearer {told.json()['token']}")
        self.assertEqual(await self.me(at[1], token), (200, told.json()["id"]))
        codes = [(await self.enter(at[number % 2])).status for number in range(6)]
        self.assertEqual(codes, [200, 200, 200, 429, 429, 429])


class Stage(OpenAIApi, ProviderStage):
    """OpenAI's API behind a server whose callers are guests."""

    provider = "openai"
    base_path = "/v1"
    guest = {"keys": "k" * 32}
    route = {"budget": [{"requests": 5, "per": "day", "of": "guest"}]}


class PythonTests(Stage, PythonClientTestCase):
    """OpenAI's client for Python, unmodified."""

    client = Client("openai")

    def chat(self, token: str, **question: Any) -> Any:
        with openai.OpenAI(base_url=self.base, api_key=token, max_retries=0) as made:
            return made.chat.completions.create(**{**QUESTION, **question})

    async def test_key(self) -> None:
        """A guest's token is its key for five questions."""
        told = await self.running.ask("POST", "/api/v1/guest", [JSON], b'{"as": "token"}')
        token = told.json()["token"]
        for _ in range(5):
            answer = await self.ask(lambda: self.chat(token))
            self.assertEqual(answer.choices[0].message.content, "Hello, Ada")
        error = await self.fails(openai.RateLimitError, lambda: self.chat(token))
        self.assertEqual(error.code, "BUDGET_EXCEEDED")
        self.assertTrue(0 < int(error.response.headers["retry-after"]) <= 86_400)
        error = await self.fails(openai.AuthenticationError, lambda: self.chat(token[:-2]))
        self.assertEqual(error.code, "INVALID_TOKEN")


class PageTests(Stage, PageClientTestCase):
    """OpenAI's client for JavaScript, in a page of another origin, as the documentation has it."""

    client = Client("openai", "npm", in_page=True)
    module = 'import OpenAI from "openai"; window.OpenAI = OpenAI;'

    async def test_key(self) -> None:
        """The examples run: a guest enters, its token is the key, and it stays the same guest."""
        await self.start()
        proxy = create_external_proxy(
            provider="openai",
            key=KEY,
            target=f"http://127.0.0.1:{self.vendor_port}/v1",
        )
        self.running.server.mount("/openai", proxy)
        code = (
            # Another port of one host is the same site, as api. is beside app.example.org.
            'const at = base.replace(/\\/x$/, "").replace("127.0.0.1", "localhost");\n'
            f"return await (async (base) => {{{example('enter')}\n{example('token')}\n"
            """
            const messages = [{ role: "user", content: "Hi" }];
            const answer = await openai.chat.completions.create({ model: "gpt-x", messages });
            const ids = [(await enter({})).id, (await enter({})).id];
            const { csrf_token } = await enter({});
            const post = async (headers) => (await fetch(`${base}/openai/chat/completions`, {
              method: "POST",
              credentials: "include",
              headers: { "Content-Type": "application/json", ...headers },
              body: JSON.stringify({ model: "gpt-x", messages }),
            })).status;
            const codes = [await post({ "X-CSRF-Token": csrf_token }), await post({})];
            const text = answer.choices[0].message.content;
            return [text, ids[0] === ids[1], codes, document.cookie];
            })(at);
            """
        )
        self.expect_console("403")
        said = await self.script(code)
        self.assertEqual(said[:3], ["Hello, Ada", True, [200, 403]])
        self.assertNotIn("naap_guest", said[3])
