"""Tests of naap_twisted.start.token: the command, and a running server that it changes."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from openai import AuthenticationError, OpenAI
from prometheus_client import generate_latest
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent

from naap_twisted.admin.metrics import metrics_of
from naap_twisted.auth import tokens
from naap_twisted.config import load_config
from naap_twisted.start import cli
from naap_twisted.start.assembly import build_server
from naap_twisted.testing import RunningServer, ScriptedUpstream

from ..integration.support import OK, IntegrationTestCase

CONFIG = """
[server]
listen = ["tcp:0:interface=127.0.0.1"]
{state}
[auth]
mode = "tokens"
token_headers = ["X-Api-Key"]
[upstream]
allow_networks = ["127.0.0.1/32"]
[[proxy]]
path = "/a"
methods = ["GET", "POST"]
target = "{origin}"
[[proxy]]
path = "/b"
methods = ["GET", "POST"]
target = "{origin}"
"""


class TokenCommandTests(IntegrationTestCase):
    def setUp(self):
        super().setUp()
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.path, self.state = str(folder / "c.toml"), f'state_dir = "{folder}/state"'
        self.upstream = ScriptedUpstream(self, OK)
        self.write(self.state)

    def write(self, state):
        Path(self.path).write_text(CONFIG.format(state=state, origin=self.upstream.origin))
        os.chmod(self.path, 0o600)

    def run_it(self, action, *more, status=0):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.assertEqual(cli.main(["token", action, self.path, *more]), status, err)
        return out.getvalue() if status == 0 else err.getvalue()

    async def test_while_the_server_runs(self):
        """Both headers let a service in, on its route; a revocation ends it without a restart."""
        self.patch(tokens, "KEPT_FOR", 0.0)
        running = RunningServer(self, build_server(load_config(self.path)))
        token = self.run_it("new", "ci", "--route", "/a", "--expires", "90d").strip()
        typed = {"Content-Type": "application/json"}
        bearer = {**typed, "Authorization": f"Bearer {token}"}
        for headers in (bearer, {"X-Api-Key": token}):
            for path, status in (("/a", 200), ("/b", 403)):
                answer = await running.ask("POST", f"/api/v1{path}/x", {**typed, **headers}, b"{}")
                self.assertEqual(answer.status, status)
        self.assertNotIn(token.encode(), b"".join(each.raw for each in self.upstream.requests))
        listed = self.run_it("list")
        self.assertIn(token[5:21], listed)
        self.assertNotIn(token[22:], listed)
        self.run_it("revoke", "ci")
        self.assertEqual((await running.ask("POST", "/api/v1/a/x", bearer, b"{}")).status, 401)

    async def test_budget(self):
        """It holds over both routes and for both tokens of the name; the config's beside it."""
        running = RunningServer(self, build_server(load_config(self.path)))
        made = ("new", "ci", "--budget", "requests=3/day", "--budget", "usd=0.5/month")
        tokens = [self.run_it(*made).strip() for _ in range(2)]
        self.assertIn("all; requests=3/day; usd=0.5/month", self.run_it("list"))

        async def ask(path, token=tokens[0]):
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            return (await running.ask("GET", f"/api/v1{path}", headers)).status

        asked = [await ask("/a/x"), await ask("/b/x"), await ask("/a/x", tokens[1])]
        self.assertEqual(asked, [200, 200, 200])
        self.assertEqual([await ask("/a/x"), await ask("/b/x", tokens[1])], [429, 429])
        other = self.run_it("new", "other").strip()
        self.assertEqual(await ask("/a/x", other), 200)

    async def test_stock_client(self):
        """It is the key of a stock client, and stands in no log line and no metric."""
        running = RunningServer(self, build_server(load_config(self.path)))
        token = self.run_it("new", "ci").strip()
        base = f"http://127.0.0.1:{running.port}/api/v1/a"
        with capturedLogs() as captured:
            client = OpenAI(api_key=token, base_url=base, max_retries=0, timeout=5)
            answer = await deferToThread(client.post, "/x", cast_to=dict, body={})
            self.assertEqual(answer, {"ok": 1})
            wrong = OpenAI(api_key=token[:-4] + "AAAA", base_url=base, max_retries=0, timeout=5)
            failed = deferToThread(wrong.post, "/x", cast_to=dict, body={})
            await self.assertFailure(failed, AuthenticationError)
        text = "".join(f"{formatEvent(event)} {event}" for event in captured)
        metrics = generate_latest(metrics_of(running.server)).decode()
        self.assertIn("/api/v1/a", text)
        for secret in (token, token[22:]):
            self.assertNotIn(secret, text + metrics)

    def test_mistakes(self):
        """Each says what to write instead."""
        self.assertIn("--route", self.run_it("new", "ci", "--route", "/c", status=1))
        self.assertIn("--expires", self.run_it("new", "ci", "--expires", "soon", status=1))
        for wrong in ("5", "usd=5", "usd=0/day", "tokens=1.5/day", "usd=5/week", "eur=5/day"):
            self.assertIn("--budget", self.run_it("new", "ci", "--budget", wrong, status=1))
        self.assertIn("NAME", self.run_it("new", "a b", status=1))
        self.assertIn("no token", self.run_it("revoke", "ci", status=1))
        self.write("")
        self.assertIn("state_dir or database_url", self.run_it("list", status=1))
