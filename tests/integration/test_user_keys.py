"""A user's own key, from PUT to the upstream: two users, one route, a config as people write it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from naap_twisted.config import parse_config
from naap_twisted.errors import ConfigError
from naap_twisted.keys.vault import new_master_key
from naap_twisted.start.assembly import build_server
from naap_twisted.testing import RunningServer, ScriptedUpstream

from ..keypairs import SECRET, sign
from .canary import CANARY
from .support import CHUNKED, IntegrationTestCase, chunk, response

CONFIG = """
[server]
name = "keys"
listen = ["tcp:0:interface=127.0.0.1"]
state_dir = "{folder}"
drain_timeout = 2
[auth]
mode = "jwt"
secret = "${{env:SECRET}}"
[keys]
master_key = "${{env:MASTER}}"
[upstream]
allow_networks = ["127.0.0.1/32"]
[[proxy]]
path = "/daydream"
target = "{origin}/v1"
count_tokens = true
forward_headers = {{ Authorization = "Bearer ${{user_key:daydream}}" }}
"""
ANSWER = json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode()
EVENTS = [b'data: {"x": 1}\n\n', b'data: {"usage": {"total_tokens": 9}}\n\n', b"data: [DONE]\n\n"]


def as_user(name: str) -> dict[str, str]:
    token = sign({"sub": name, "exp": int(time.time()) + 600})
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


class UserKeyTests(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).absolute()
        self.master = new_master_key()
        self.upstream = ScriptedUpstream(
            self, response(200, ANSWER, "Content-Type: application/json")
        )

    def build(self, master: str | None = None):
        text = CONFIG.format(folder=self.folder, origin=self.upstream.origin)
        environ = {"SECRET": SECRET, "MASTER": master or self.master}
        return build_server(parse_config(text, environ=environ))

    def begin(self) -> None:
        server = self.build()
        self.canary.watch(server)
        self.running = RunningServer(self, server)

    async def call(self, user: str, method: str = "POST", path: str = "/daydream/x", body=b"{}"):
        return await self.running.ask(method, "/api/v1" + path, as_user(user), body)

    async def put(self, user: str, key: str):
        body = json.dumps({"key": key}).encode()
        return await self.call(user, "PUT", "/keys/daydream", body)

    async def test_each_his_own(self) -> None:
        """No key: 403 that says where to add one; then each user's calls carry that user's key."""
        self.begin()
        self.assert_refused(
            await self.call("ada"),
            *(403, "NO_USER_KEY"),
            'No key for "daydream" is set; add yours with PUT /api/v1/keys/daydream',
        )
        self.assertEqual(self.upstream.connections, 0)
        keys = {"ada": f"{CANARY}-ada-1234", "bob": f"{CANARY}-bob-5678"}
        for user, key in keys.items():
            answer = await self.put(user, key)
            self.assertEqual((answer.status, answer.json()["last4"]), (200, key[-4:]))
        for user, key in keys.items():
            self.assertEqual((await self.call(user)).status, 200)
            sent = self.upstream.requests[-1].values("Authorization")
            self.assertEqual(sent, [f"Bearer {key}".encode()])
        self.assertEqual((await self.call("ada", "DELETE", "/keys/daydream", None)).status, 204)
        self.assertEqual((await self.call("ada")).status, 403)
        self.assertEqual((await self.call("bob")).status, 200)

    async def test_survives_a_restart(self) -> None:
        """A later server with the same master key finds the keys; with another it won't start."""
        self.begin()
        await self.put("ada", f"{CANARY}-ada-1234")
        await self.running.server.stopService()
        files = b"".join(path.read_bytes() for path in self.folder.iterdir())
        self.assertFalse(CANARY.encode() in files)
        error = self.assertRaises(ConfigError, self.build(new_master_key()).startService)
        self.assertIn("nothing was changed", str(error))
        self.begin()
        self.assertEqual((await self.call("ada")).status, 200)

    async def test_usage(self) -> None:
        """What went upstream is counted, tokens of plain and streamed answers included."""
        self.begin()
        await self.put("ada", f"{CANARY}-ada-1234")
        await self.call("ada", body=b"[1]")
        stream = b"".join(map(chunk, EVENTS)) + chunk(b"")
        self.upstream.steps = (
            response(200, stream, "Content-Type: text/event-stream", CHUNKED, length=False),
        )
        streamed = await self.call("ada")
        self.assertEqual(streamed.body, b"".join(EVENTS))
        self.upstream.steps = (response(429, b"{}", "Content-Type: application/json"),)
        await self.call("ada")
        await self.call("bob")  # refused here: not counted
        usage = (await self.call("ada", "GET", "/usage", None)).json()["usage"]
        (entry,) = usage
        self.assertEqual(entry["route"], "/api/v1/daydream")
        self.assertEqual(entry["month"], time.strftime("%Y-%m", time.gmtime()))
        self.assertEqual(entry["requests"], 3)
        self.assertEqual(entry["status"], {"2xx": 2, "3xx": 0, "4xx": 1, "5xx": 0, "failed": 0})
        tokens = {name: n for name, n in entry["tokens"].items() if n}
        self.assertEqual(
            tokens, {"input": 3, "output": 4, "total": 7, "prompt": 3, "completion": 4}
        )
        self.assertEqual(entry["bytes_in"], 3 + 2 + 2)
        self.assertGreaterEqual(entry["bytes_out"], len(ANSWER) + len(streamed.body))
        self.assertEqual((await self.call("bob", "GET", "/usage", None)).json()["usage"], [])

    async def test_python(self) -> None:
        """``await server.keys.get(user.id, "daydream")``, as a plugin says it."""
        self.begin()
        server = self.running.server
        await self.put("ada", f"{CANARY}-ada-1234")

        async def headers(request):
            key = await server.keys.get(server.user(request).id, "daydream")
            return {"X-Key": key}

        self.mount("/py", forward_headers=headers, authorize=None)
        there = {**as_user("ada"), "X-Target-URL": self.upstream.origin + "/"}
        self.assertEqual((await self.running.ask("POST", "/api/v1/py", there, b"{}")).status, 200)
        self.assertEqual(
            self.upstream.requests[-1].values("X-Key"), [f"{CANARY}-ada-1234".encode()]
        )
        there |= as_user("bob")
        answer = await self.running.ask("POST", "/api/v1/py", there, b"{}")
        self.assert_refused(answer, 403, "NO_USER_KEY")

    async def test_a_key_that_comes_back(self) -> None:
        """The reflection guard knows users' keys too."""
        self.begin()
        await self.put("ada", f"{CANARY}-ada-1234")
        self.upstream.steps = (response(200, b"{}", f"X-RateLimit-Key: {CANARY}-ada-1234"),)
        answer = await self.call("ada")
        self.assertEqual(answer.header("X-RateLimit-Key"), "[redacted]")

    async def test_stops_clean(self) -> None:
        """Threads end with the server."""
        self.begin()
        await self.put("ada", f"{CANARY}-ada-1234")
        mine = [thread for thread in threading.enumerate() if "naap-database" in thread.name]
        self.assertGreaterEqual(len(mine), 1)
        await self.running.server.stopService()
        self.assertEqual([thread for thread in mine if thread.is_alive()], [])
