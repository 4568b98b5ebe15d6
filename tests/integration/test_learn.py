"""A least policy is learned of a server's own log: the same traffic passes, and no other."""

from __future__ import annotations

import io
import json
import sys
import tomllib
from pathlib import Path

from twisted.logger import globalLogPublisher, textFileLogObserver

from naap_twisted.observe.log import json_observer
from naap_twisted.start import cli

from .support import OK, IntegrationTestCase

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
#: Method, what is asked, type and body.
TRAFFIC = (
    ("POST", "/chat/completions", JSON, b'{"model": "gpt-5-mini", "messages": [], "stream": true}'),
    ("POST", "/chat/completions", JSON, b'{"messages": [], "model": "gpt-5", "n": 1}'),
    *(("GET", f"/files/file-{n}Ab9cD?limit=3&include[]=a&include[]=b", None, None) for n in "12"),
    *(("DELETE", f"/files/{n}", None, None) for n in range(3)),
    *(("GET", f"/products/Shirt-{n}XL/price", None, None) for n in range(7)),
    ("GET", "/files/file-9/content", None, None),
    ("HEAD", "/files/file-9/content", None, None),
    ("POST", "/charges?expand=balance", FORM, b"amount=50&metadata%5Border%5D=7"),
    ("GET", "/", None, None),
    ("GET", "", None, None),
    ("GET", "/items/", None, None),
)
OTHERS = (
    ("POST", "/fine_tuning/jobs", JSON, b"{}"),
    ("DELETE", "/chat/completions", None, None),
    ("POST", "/charges?expand=balance&capture=1", FORM, b"amount=50"),
    ("GET", "/products", None, None),
    ("GET", "/products/a/b/price", None, None),
)
#: What other bodies to a learned endpoint are answered with.
BODIES = (
    (403, b'{"model": "o3-pro", "messages": []}'),
    (403, b'{"messages": []}'),
    (422, b'{"model": "gpt-5", "messages": [], "tools": []}'),
)
METHODS = ["GET", "POST", "DELETE"]


class LearnTests(IntegrationTestCase):
    def setUp(self):
        super().setUp()
        self.out, self.err = io.StringIO(), io.StringIO()

    async def status(self, path, method, below, kind, body, **headers):
        given = {**headers, **({} if kind is None else {"Content-Type": kind})}
        return (await self.running.ask(method, path + below, given, body)).status

    async def learned(self, observer, path, traffic, **headers):
        """What ``naap-proxy learn`` prints of a log in which *traffic* passes."""
        log = Path(self.mktemp())
        with log.open("w", encoding="utf-8") as out:
            writes = observer(out)
            globalLogPublisher.addObserver(writes)
            try:
                for row in traffic:
                    status = await self.status(path, *row, **headers)
                    self.assertEqual(status, 200, row)
            finally:
                globalLogPublisher.removeObserver(writes)
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", self.err)
        self.assertEqual(cli.main(["learn", str(log)]), 0)
        return out.getvalue()

    async def test_pinned(self):
        """Of both forms of a log; the lines go into the route in the place of ``observe``."""
        self.start(*[OK] * 99)
        target = f"{self.upstream.origin}/v1"
        kinds = {"target": target, "content_type": [JSON, FORM], "methods": METHODS}
        for number, observer in enumerate((textFileLogObserver, json_observer)):
            path = f"/open{number}"
            self.mount(path, observe=True, **kinds)
            policy = await self.learned(observer, f"/api/v1{path}", TRAFFIC)
            self.assertIn("GET /products/*/price", policy)
            self.assertNotIn("9cD", policy)
            self.check(policy, target)
            options = tomllib.loads(policy)
            self.mount(f"/least{number}", **options, **kinds)
            for row in TRAFFIC:
                status = await self.status(f"/api/v1/least{number}", *row)
                self.assertEqual(status, 200, f"{row}\n{policy}")
            asked = len(self.upstream.requests)
            for row in OTHERS:
                status = await self.status(f"/api/v1/least{number}", *row)
                self.assertEqual(status, 403, f"{row}\n{policy}")
            self.assertEqual(len(self.upstream.requests), asked)

    async def test_bodies(self):
        """Another model and another member are refused, as is a body that names no model."""
        self.start(*[OK] * 99)
        target = f"{self.upstream.origin}/v1"
        kinds = {"target": target, "methods": ["POST"]}
        self.mount("/open", observe=True, **kinds)
        chats = [row for row in TRAFFIC if row[2] == JSON]
        policy = await self.learned(textFileLogObserver, "/api/v1/open", chats)
        self.check(policy, target, ["POST"])
        options = tomllib.loads(policy)
        self.assertEqual(options["models"], ["gpt-5", "gpt-5-mini"])
        self.assertEqual(options["body"], {"only": ["messages", "model", "n", "stream"]})
        self.mount("/least", **options, **kinds)
        for row in chats:
            self.assertEqual(await self.status("/api/v1/least", *row), 200, policy)
        asked = len(self.upstream.requests)
        for code, body in BODIES:
            row = ("POST", "/chat/completions", JSON, body)
            self.assertEqual(await self.status("/api/v1/least", *row), code, body)
        self.assertEqual(len(self.upstream.requests), asked)

    def check(self, policy, target, methods=METHODS):
        """``naap-proxy check`` takes *policy* in a config."""
        config = Path(self.mktemp())
        config.write_text(
            '[auth]\nmode = "none"\n[upstream]\nallow_networks = ["127.0.0.1/32"]\n'
            f'[[proxy]]\npath = "/a"\ntarget = "{target}"\nmethods = {json.dumps(methods)}\n'
            f'{policy}content_type = ["{JSON}", "{FORM}"]\n'
        )
        self.assertEqual(cli.main(["check", str(config)]), 0, self.err.getvalue())

    async def test_named_by_the_page(self):
        """Endpoints are learned with their origins, where the page names the URL."""
        self.start(OK, OK, OK, methods=METHODS, observe=True)
        named = {"X-Target-URL": f"{self.upstream.origin}/v1/files/file-77ZxAb12Cd?limit=2"}
        row = ("GET", "", None, None)
        policy = await self.learned(textFileLogObserver, "/api/v1/x", [row], **named)
        options = tomllib.loads(policy)
        endpoint = f"GET {self.upstream.origin}/v1/files/*"
        self.assertEqual(options, {"endpoints": [endpoint], "query": {"limit": ["*"], "!": True}})
        self.mount("/least", **options)
        self.assertEqual(await self.status("/api/v1/least", *row, **named), 200)
        other = {"X-Target-URL": f"{self.upstream.origin}/v1/files"}
        self.assertEqual(await self.status("/api/v1/least", *row, **other), 403)
