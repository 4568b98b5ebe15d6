"""MCP's clients over streamable HTTP: the session's id goes both ways, and a stream is resumed."""

from __future__ import annotations

import asyncio
import json
import logging

try:
    import httpx2
    import mcp
    from mcp.client.streamable_http import streamable_http_client
except ImportError:
    mcp = None
try:
    import fastmcp
except ImportError:
    fastmcp = None

from ..browser.support import until
from .support import TOKEN, Call, Client, PageClientTestCase, PythonClientTestCase, Reply

# It logs what a stream brings after its reader left.
logging.getLogger("mcp").addHandler(logging.NullHandler())

SESSION = "session-1"
MODERN = "2026-07-28"
TOOL = {
    "name": "add",
    "description": "adds",
    "inputSchema": {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    },
}
ABOUT = {
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "scripted", "version": "1"},
}


def result(call: Call, document: dict, **headers: str) -> Reply:
    answer = {"jsonrpc": "2.0", "id": call.json["id"], "result": document}
    return Reply(200, answer, headers)


def refusal(status: int, message: str, code: int = -32600) -> Reply:
    return Reply(
        status, {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    )


def event(document: dict, number: int) -> bytes:
    return f"id: e{number}\nevent: message\ndata: {json.dumps(document)}\n\n".encode()


class _Mcp:
    """A server with sessions, and one without, of the protocol's newest version."""

    provider = "mcp"
    base_path = "/mcp"

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization"):
            return refusal(401, "Unauthorized")
        if call.path != "/mcp":
            return refusal(404, "Not Found")
        if call.method == "POST":
            accepts = call.headers.get("accept", "")
            if "application/json" not in accepts or "text/event-stream" not in accepts:
                return refusal(406, "Not Acceptable")
            if call.headers.get("mcp-protocol-version") == MODERN:
                return self.modern(call)
            if call.json["method"] == "initialize":
                version = {"protocolVersion": call.json["params"]["protocolVersion"]}
                return result(call, {**version, **ABOUT}, **{"Mcp-Session-Id": SESSION})
        if call.headers.get("mcp-session-id") != SESSION:
            return refusal(400, "Missing session ID")
        if "mcp-protocol-version" not in call.headers:
            return refusal(400, "Missing protocol version")
        return self.in_session(call)

    def modern(self, call: Call) -> Reply:
        asked = call.json
        if call.headers.get("mcp-method") != asked["method"]:
            return refusal(400, "Mcp-Method is not the body's", -32001)
        if asked["method"] == "server/discover":
            return self.discovered(call)
        if asked["method"] == "tools/list":
            kept = {"ttlMs": 0, "cacheScope": "private"}
            return result(call, {"resultType": "complete", "tools": [TOOL], **kept})
        if call.headers.get("mcp-name") != "add":
            return refusal(400, "Mcp-Name is not the body's", -32001)
        region = call.headers.get("mcp-param-region")
        if region is None:
            return refusal(400, "Mcp-Param-Region is missing", -32001)
        content = [{"type": "text", "text": region}]
        return result(call, {"resultType": "complete", "content": content})

    def discovered(self, call: Call) -> Reply:
        return refusal(404, "Method not found", -32601)

    def in_session(self, call: Call) -> Reply:
        if call.method == "DELETE":
            return Reply(200)
        if call.method == "GET":
            return self.stream(call)
        if "id" not in call.json:
            return Reply(202)
        if call.json["method"] == "tools/list":
            return result(call, {"tools": [TOOL]})
        return self.called(call)

    def stream(self, call: Call) -> Reply:
        """Server messages: one, then the stream breaks off; who resumes gets the next."""
        told = {"jsonrpc": "2.0", "method": "notifications/message"}
        if "last-event-id" not in call.headers:
            first = {**told, "params": {"level": "info", "data": "first"}}
            return Reply(events=[b"retry: 10\n\n", event(first, 7)])
        after = call.headers["last-event-id"]
        again = {**told, "params": {"level": "info", "data": f"after {after}"}}
        return Reply(events=[event(again, 8)], hold=True)

    def called(self, call: Call) -> Reply:
        asked = call.json
        name = asked["params"]["name"]
        if name == "forbidden":
            error = {"code": -32602, "message": "Unknown tool: forbidden"}
            return Reply(200, {"jsonrpc": "2.0", "id": asked["id"], "error": error})
        if name == "endless":
            return Reply(events=[b": begun\n\n"], hold=True)
        content = [{"type": "text", "text": "42"}]
        done = {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": content}}
        return Reply(events=[event(done, 1)])

    def endless(self) -> bool:
        return any(b"endless" in call.body for call in self.vendor.calls)

    def methods(self, name: str) -> list[Call]:
        return [call for call in self.vendor.calls if call.method == name]


class PythonTests(_Mcp, PythonClientTestCase):
    client = Client("mcp")

    def with_client(self, use, token=TOKEN, **options):
        async def work():
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(headers=headers) as http:
                transport = streamable_http_client(self.base, http_client=http)
                async with mcp.Client(transport, **options) as client:
                    return await use(client)

        return lambda: asyncio.run(asyncio.wait_for(work(), 20))

    async def test_call(self):
        """The answer to a tool's call comes as an event stream."""
        use = self.with_client(lambda client: client.call_tool("add", {"a": 1}))
        self.assertEqual((await self.ask(use)).content[0].text, "42")

    async def test_list(self):
        listed = await self.ask(self.with_client(lambda client: client.list_tools()))
        self.assertEqual([tool.name for tool in listed.tools], ["add"])

    async def test_resume(self):
        """A stream that broke off goes on where it was, by Last-Event-ID."""
        told = []

        async def note(params):
            told.append(params.data)

        async def use(client):
            while len(told) < 2:
                await asyncio.sleep(0.01)

        await self.ask(self.with_client(use, logging_callback=note))
        self.assertEqual(told, ["first", "after e7"])

    async def test_session_ends(self):
        """Leaving ends the session upstream, too."""
        await self.ask(self.with_client(lambda client: client.list_tools()))
        (ended,) = self.methods("DELETE")
        self.assertEqual(ended.headers["mcp-session-id"], SESSION)

    async def test_error(self):
        async def use(client):
            with self.assertRaises(mcp.MCPError) as caught:
                await client.call_tool("forbidden", {})
            return caught.exception.error.code

        self.assertEqual(await self.ask(self.with_client(use)), -32602)

    async def test_cancel(self):
        async def use(client):
            task = asyncio.ensure_future(client.call_tool("endless", {}))
            while not self.endless():
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        await self.ask(self.with_client(use))
        await until(lambda: self.vendor.aborts >= 1)

    async def test_newest_protocol(self):
        """Without sessions: a call's method, tool and arguments stand in headers as well."""

        async def use(client):
            await client.list_tools()
            return await client.call_tool("add", {"region": "eu"})

        done = await self.ask(self.with_client(use, mode=MODERN))
        self.assertEqual(done.content[0].text, "eu")

    async def test_token(self):
        use = self.with_client(lambda client: client.list_tools(), token="other")
        await self.fails(BaseException, use)
        self.assertEqual(self.vendor.calls, [])


class FastmcpTests(_Mcp, PythonClientTestCase):
    client = Client("fastmcp-slim")

    def with_client(self, use):
        async def work():
            async with fastmcp.Client(self.base, auth=TOKEN) as client:
                return await use(client)

        return lambda: asyncio.run(asyncio.wait_for(work(), 20))

    async def test_call(self):
        done = await self.ask(self.with_client(lambda client: client.call_tool("add", {"a": 1})))
        self.assertEqual(done.content[0].text, "42")

    async def test_list(self):
        tools = await self.ask(self.with_client(lambda client: client.list_tools()))
        self.assertEqual([tool.name for tool in tools], ["add"])

    async def test_session_ends(self):
        await self.ask(self.with_client(lambda client: client.list_tools()))
        self.assertEqual(self.methods("DELETE")[0].headers["mcp-session-id"], SESSION)

    async def test_error(self):
        async def use(client):
            with self.assertRaises(mcp.MCPError) as caught:
                await client.call_tool("forbidden", {})
            return caught.exception.error.code

        self.assertEqual(await self.ask(self.with_client(use)), -32602)


class PageTests(_Mcp, PageClientTestCase):
    client = Client("@modelcontextprotocol/sdk", "npm", in_page=True)
    module = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as Http }
  from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpError, LoggingMessageNotificationSchema as Message }
  from "@modelcontextprotocol/sdk/types.js";
Object.assign(window, { McpError });
window.told = [];
window.made = async (base, token) => {
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  const client = new Client({ name: "page", version: "1" });
  client.setNotificationHandler(Message, ({ params }) => { told.push(params.data) });
  window.transport = new Http(new URL(base), { requestInit });
  await client.connect(transport);
  return client;
};
"""

    async def test_call(self):
        await self.start()
        text = await self.script(
            """const client = await made(base, token);
               const done = await client.callTool({ name: "add", arguments: { a: 1 } });
               return done.content[0].text"""
        )
        self.assertEqual(text, "42")

    async def test_list(self):
        await self.start()
        names = await self.script(
            "return (await (await made(base, token)).listTools()).tools.map((tool) => tool.name)"
        )
        self.assertEqual(names, ["add"])

    async def test_resume(self):
        await self.start()
        await self.script("await made(base, token)")
        await self.browse(lambda page: page.wait_for_function("told.length == 2"))
        self.assertEqual(await self.script("return told"), ["first", "after e7"])

    async def test_session_ends(self):
        await self.start()
        self.expect_console("status of 400")  # the stream that is resumed has no session any more
        session = await self.script(
            """await made(base, token);
               const { sessionId } = transport;
               await transport.terminateSession();
               return sessionId"""
        )
        self.assertEqual(session, SESSION)
        self.assertEqual(self.methods("DELETE")[0].headers["mcp-session-id"], SESSION)

    async def test_error(self):
        await self.start()
        error = await self.script(
            """const client = await made(base, token);
               const failed = await client.callTool({ name: "forbidden" }).catch((error) => error);
               return [failed instanceof McpError, failed.code]"""
        )
        self.assertEqual(error, [True, -32602])

    async def test_cancel(self):
        await self.start()
        await self.script(
            """const client = await made(base, token);
               client.callTool({ name: "endless" }).catch(() => 0);"""
        )
        await until(self.endless)
        await self.script("await transport.close()")
        await until(lambda: self.vendor.aborts >= 1)
