"""The recipes of docs/least-privilege.md, as they stand there: what each lets pass and refuses."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from naap_twisted.config import parse_config
from naap_twisted.start.assembly import build_server
from naap_twisted.testing import RunningServer, ScriptedUpstream

from .canary import CANARY
from .support import OK, IntegrationTestCase

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "least-privilege.md").read_text("utf-8")
#: By name; "" is the first example of README.md.
RECIPES = dict(re.findall(r"<!-- recipe: ([\w-]+) -->\n```toml\n(.*?)```", PAGE, re.DOTALL))
RECIPES[""] = re.findall(r"<!-- config-example -->.*?(\[\[proxy\]\]\n.*?)```", README, re.DOTALL)[0]
JSON, FORM, PART = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
)
#: Where each provider's base URL ends, for those whose file has it.
BASES = {"openai": "/v1"}
ENDPOINT, MODEL, BODY = (
    (403, "ENDPOINT_NOT_ALLOWED"),
    (403, "MODEL_NOT_ALLOWED"),
    (422, "BODY_NOT_ALLOWED"),
)
HASH = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"
CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


def after(marker: str) -> str:
    """The block of the page behind *marker*."""
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, marker
    return found[1]


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def call(session: object) -> bytes:
    """A form with an offer and its session."""
    parts = (("sdp", "v=0"), ("session", json.dumps(session)))
    text = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts
    )
    return f"{text}--b--\r\n".encode()


class RecipeTestCase(IntegrationTestCase):
    """A recipe below the head of the page, before a scripted upstream."""

    def begin(self, name: str, change: tuple[str, str] = ("", "")) -> None:
        """Start the recipe *name*, with its target here and no other; *change* is text in it."""
        self.upstream = ScriptedUpstream(self, OK)
        recipe = RECIPES[name].replace(*change, 1)
        provider = re.search(r'^provider = "(\w+)"', recipe, re.MULTILINE)
        written = re.search(r'^target = "https://[^/"]+(.*)"\n', recipe, re.MULTILINE)
        path = written[1] if written else BASES.get(provider[1] if provider else "", "")
        here = f'[[proxy]]\ntarget = "{self.upstream.origin}{path}"\n'
        recipe = re.sub(r'^target = ".*\n', "", recipe, flags=re.MULTILINE)
        text = after("recipe-head").replace("tcp:4020:", "tcp:0:")
        network = f'[upstream]\nallow_networks = ["127.0.0.1/32:{self.upstream.port}"]\n'
        text += network + recipe.replace("[[proxy]]\n", here)
        environ = dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", text), CANARY)
        config = parse_config(text, directory=Path(self.mktemp()).parent, environ=environ)
        server = build_server(config)
        self.canary.watch(server)
        self.running = RunningServer(self, server)
        self.path = f"/api/v1{config.proxy[0].path}"

    async def send(self, method: str, below: str, body: object = None, kind: str = JSON) -> Any:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Origin": "http://localhost:3000"}
        if content is not None:
            headers["Content-Type"] = kind
        return await self.running.ask(method, self.path + below, headers, content)

    async def passes(self, *request: Any) -> Any:
        """The upstream gets it, with the server's key; what it got."""
        before = len(self.upstream.requests)
        answer = await self.send(*request)
        self.assertEqual(answer.status, 200, answer.body)
        (received,) = self.upstream.requests[before:]
        self.assertIn(CANARY.encode(), received.raw)
        return received

    async def refuses(self, expected: tuple[int, str], param: str | None, *request: Any) -> None:
        """That answer, and nothing is sent."""
        before = len(self.upstream.requests)
        answer = await self.send(*request)
        with self.subTest(request=request):
            error = answer.json()["error"]
            found = (answer.status, error["code"]), error["param"]
            self.assertEqual(found, (expected, param), error["message"])
            self.assertEqual(len(self.upstream.requests), before)


class RecipeTests(RecipeTestCase):
    async def test_readme(self):
        self.begin("")
        received = await self.passes("POST", "/chat/completions", CHAT)
        self.assertEqual(json.loads(received.body), {**CHAT, "max_completion_tokens": 1000})
        for expected, param, change in (
            (MODEL, "model", {"model": "gpt-5"}),
            (BODY, "max_tokens", {"max_tokens": 1001}),
        ):
            await self.refuses(expected, param, "POST", "/chat/completions", {**CHAT, **change})
        await self.refuses(ENDPOINT, None, "POST", "/responses", CHAT)

    async def test_openai_chat(self):
        self.begin("openai-chat")
        received = await self.passes("POST", "/chat/completions", CHAT)
        sent = {**CHAT, "max_completion_tokens": 1000, "store": False}
        self.assertEqual(json.loads(received.body), sent)
        for expected, param, change in (
            (MODEL, "model", {"model": "gpt-5"}),
            (BODY, "tools", {"tools": []}),
            (BODY, "n", {"n": 1}),
            (BODY, "store", {"store": True}),
            (BODY, "max_completion_tokens", {"max_completion_tokens": 1001}),
            (BODY, "messages.role", {"messages": [{"role": "system", "content": "x"}]}),
            (BODY, "messages", {"messages": [{"role": "user"}] * 41}),
        ):
            await self.refuses(expected, param, "POST", "/chat/completions", {**CHAT, **change})
        for method, below in (
            ("POST", "/fine_tuning/jobs"),
            ("DELETE", "/files/x"),
            ("GET", "/chat/completions"),
        ):
            await self.refuses(ENDPOINT, None, method, below)

    async def test_openai_voice(self):
        self.begin("openai-voice")
        session = {"type": "realtime", "model": "gpt-realtime"}
        received = await self.passes("POST", "/realtime/calls", call(session), PART)
        words = {"instructions": "Answer questions about our shop."}
        rest = received.body.partition(b'name="session"')[2].partition(b"\r\n\r\n")[2]
        sent = json.loads(rest.partition(b"\r\n--b")[0])
        self.assertEqual(sent, {**session, **words})
        for expected, param, change in (
            (MODEL, "session.model", {"model": "gpt-4o"}),
            (BODY, "session.tools", {"tools": []}),
            (BODY, "session.type", {"type": "transcription"}),
        ):
            form = call({**session, **change})
            await self.refuses(expected, param, "POST", "/realtime/calls", form, PART)
        none = call({"type": "realtime"})
        await self.refuses(MODEL, "model", "POST", "/realtime/calls", none, PART)
        offer = (b"v=0", "application/sdp")
        unread = (415, "UNSUPPORTED_MEDIA_TYPE")
        await self.refuses(unread, None, "POST", "/realtime/calls", *offer)
        below = "/realtime/calls?model=gpt-realtime"
        await self.refuses(ENDPOINT, "model", "POST", below, call(session), PART)
        await self.refuses(ENDPOINT, None, "POST", "/realtime/client_secrets", {})

    async def test_anthropic(self):
        self.begin("anthropic")
        asked = {"model": "claude-haiku-4-5-20251001", "messages": []}
        received = await self.passes("POST", "/v1/messages", asked)
        self.assertEqual(json.loads(received.body), {**asked, "max_tokens": 1024})
        received = await self.passes("POST", "/v1/messages", {**asked, "max_tokens": 99_999})
        self.assertEqual(json.loads(received.body), {**asked, "max_tokens": 1024})
        for expected, param, change in (
            (MODEL, "model", {"model": "claude-opus-4-5"}),
            (BODY, "tools", {"tools": []}),
            (BODY, "mcp_servers", {"mcp_servers": []}),
        ):
            await self.refuses(expected, param, "POST", "/v1/messages", {**asked, **change})
        await self.refuses(ENDPOINT, None, "POST", "/v1/messages/batches", asked)
        await self.refuses(ENDPOINT, None, "GET", "/v1/files")

    async def test_stripe(self):
        self.begin("stripe")
        form = b"amount=500&currency=eur&metadata[order]=6"
        received = await self.passes("POST", "/v1/payment_intents", form, FORM)
        self.assertTrue(received.body.startswith(form), received.body)
        fields = dict(parse_qsl(received.body.decode()))
        self.assertEqual(fields["metadata[shop]"], "berlin")
        self.assertEqual(fields["automatic_payment_methods[enabled]"], "true")
        await self.passes("GET", "/v1/payment_intents/pi_1")
        for param, bad in (
            ("amount", b"amount=5001&currency=eur"),
            ("amount", b"amount=49&currency=eur"),
            ("amount", b"amount=50.5&currency=eur"),
            ("amount", b"currency=eur"),
            ("amount", b"amount=50&amount=9999&currency=eur"),
            ("currency", b"amount=500&currency=usd"),
            ("customer", form + b"&customer=cus_1"),
            ("transfer_data", form + b"&transfer_data[destination]=acct_1"),
            ("metadata.order", form + b"x" * 64),
        ):
            await self.refuses(BODY, param, "POST", "/v1/payment_intents", bad, FORM)
        below = "/v1/payment_intents?customer=cus_1"
        await self.refuses(ENDPOINT, "customer", "POST", below, form, FORM)
        below = "/v1/payment_intents/pi_1?expand[]=customer"
        await self.refuses(ENDPOINT, "expand[]", "GET", below)
        for method, below in (
            ("GET", "/v1/payment_intents"),
            ("GET", "/v1/payment_intents/search"),
            ("POST", "/v1/payouts"),
            ("POST", "/v1/payment_intents/pi_1/capture"),
        ):
            await self.refuses(ENDPOINT, None, method, below)

    async def test_supabase(self):
        self.begin("supabase")
        signing = {"email": "a@b.example", "password": "x"}
        await self.passes("POST", "/auth/v1/token?grant_type=password", signing)
        await self.passes("GET", "/rest/v1/todos?select=id,title,done&limit=5")
        await self.passes("GET", "/rest/v1/todos?select=id%2Ctitle%2Cdone&order=id.desc")
        await self.passes("POST", "/rest/v1/todos", {"title": "x"})
        for param, method, below in (
            (None, "GET", "/rest/v1/users"),
            (None, "DELETE", "/rest/v1/todos"),
            (None, "GET", "/auth/v1/admin/users"),
            ("grant_type", "POST", "/auth/v1/token?grant_type=id_token"),
            ("id", "GET", "/rest/v1/todos?id=eq.1"),
            ("select", "GET", "/rest/v1/todos?select=id,users(*)"),
        ):
            await self.refuses(ENDPOINT, param, method, below)

    async def test_maps(self):
        self.begin("maps")
        received = await self.passes("GET", "/geocode/json?address=Berlin%20Mitte&language=de")
        self.assertTrue(received.line.startswith(b"GET /maps/api/geocode/json?address=Berlin"))
        self.assertIn(f"&key={CANARY}".encode(), received.line)
        for param, below in (
            (None, "/directions/json?address=x"),
            ("language", "/geocode/json?address=x&language=fr"),
            ("latlng", "/geocode/json?latlng=1,2"),
        ):
            await self.refuses(ENDPOINT, param, "GET", below)
        await self.refuses((400, "INVALID_TARGET"), None, "GET", "/geocode/json?key=mine")

    async def test_mcp(self):
        self.begin("mcp")
        for message in (
            rpc("initialize", protocolVersion="2025-06-18", clientInfo={"name": "x"}),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            rpc("ping"),
            rpc("tools/list"),
            rpc("tools/call", name="add", arguments={"name": "any"}),
            {"jsonrpc": "2.0", "id": 1, "result": {}},
        ):
            received = await self.passes("POST", "", message)
            self.assertEqual(received.body, json.dumps(message).encode())
        await self.passes("GET", "")
        await self.passes("DELETE", "")
        for param, bad in (
            ("params.name", rpc("tools/call", name="delete")),
            ("method", rpc("resources/read", uri="file:///x")),
            ("method", rpc("prompts/get", name="add")),
            ("Method", {**rpc("ping"), "Method": "tools/call"}),
            (None, [rpc("ping")]),
        ):
            await self.refuses(BODY, param, "POST", "", bad)
        await self.refuses(ENDPOINT, None, "POST", "/admin", rpc("ping"))

    async def test_mcp_batches(self):
        """Each message of a list is judged, where lists are taken."""
        rules = "[proxy.body.rules]"
        self.begin("mcp", (rules, f"[proxy.body]\nbatches = true\n{rules}"))
        await self.passes("POST", "", [rpc("ping"), rpc("tools/call", name="add")])
        bad = [rpc("ping"), rpc("tools/call", name="delete")]
        await self.refuses(BODY, "params.name", "POST", "", bad)

    async def test_graphql(self):
        self.begin("graphql")
        asked: dict[str, Any] = {
            "operationName": "Todos",
            "variables": {"first": 10},
            "extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}},
        }
        received = await self.passes("POST", "/graphql", asked)
        self.assertEqual(received.body, json.dumps(asked).encode())
        digest = "extensions.persistedQuery.sha256Hash"
        other = {"extensions": {"persistedQuery": {"sha256Hash": "0" * 64}}}
        for param, bad in (
            ("query", {**asked, "query": "{ users { email } }"}),
            (digest, {**asked, **other}),
            (digest, {"operationName": "Todos"}),
            ("variables.first", {**asked, "variables": {"first": 5000}}),
            (None, [asked]),
        ):
            await self.refuses(BODY, param, "POST", "/graphql", bad)
        await self.refuses(ENDPOINT, "query", "POST", "/graphql?query={users}", asked)
        await self.refuses((405, "METHOD_NOT_ALLOWED"), None, "GET", "/graphql?query={users}")
        unread = (415, "UNSUPPORTED_MEDIA_TYPE")
        await self.refuses(unread, None, "POST", "/graphql", b"{users}", "application/graphql")


class JudgeTests(IntegrationTestCase):
    async def test_example(self):
        """The callable of the page puts its system message first, and refuses what is too long."""
        names: dict[str, Any] = {}
        exec(compile(after("judge-example"), "least-privilege.md", "exec"), names)  # noqa: S102
        self.start(OK)
        target = f"{self.upstream.origin}/v1"
        (rules,) = re.findall(r"`body\.rules = (\{.*\})`", PAGE)
        body = tomllib.loads(f"rules = {rules}")
        self.mount("/p", target=target, judge=names["judge"], body=body)
        answer = await self.post(json.dumps(CHAT).encode(), path="/api/v1/p/chat")
        self.assertEqual(answer.status, 200, answer.body)
        roles = [each["role"] for each in json.loads(self.upstream.requests[0].body)["messages"]]
        self.assertEqual(roles, ["system", "user"])
        long = {**CHAT, "messages": [{"role": "user", "content": "x" * 20_000}]}
        answer = await self.post(json.dumps(long).encode(), path="/api/v1/p/chat")
        self.assertEqual((answer.status, answer.json()["error"]["param"]), (422, "messages"))
        for content in (b"{}", b'{"messages": "x"}', b"[]"):
            answer = await self.post(content, path="/api/v1/p/chat")
            self.assertEqual(answer.status, 422, answer.body)
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_another_error(self):
        """A judge that breaks lets nothing pass."""
        self.start(OK)

        def judge(request, body):
            return body["none"]

        self.mount("/p", target=f"{self.upstream.origin}/v1", judge=judge)
        answer = await self.post(b"{}", path="/api/v1/p/chat")
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (500, "INTERNAL_ERROR"))
        self.flushLoggedErrors(KeyError)
        self.assertEqual(self.upstream.requests, [])
