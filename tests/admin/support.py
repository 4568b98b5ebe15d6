"""A server with an admin port for one test, and what asks it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from twisted.trial.unittest import TestCase

from naap_twisted import PluginServer, create_external_proxy, create_plugin_server
from naap_twisted.testing import Answer, RawClient, RunningServer

SECRET = "sk-canary-of-the-admin-tests"
PATH = "/api/v1/x"
PINNED = "/api/v1/p"
PAGE = "http://localhost:3000"
JSON = {"Content-Type": "application/json"}


def make(**options: Any) -> PluginServer:
    """A server with one route of each kind, keys in both."""
    settings: dict[str, Any] = {
        "require_auth": False,
        "rate_limit": None,
        "cors_origins": [PAGE],
        "port": 0,
        "drain_timeout": 5.0,
        **options,
    }
    server = create_plugin_server("watched", **settings)
    key = {"Authorization": f"Bearer {SECRET}"}
    networks = ["127.0.0.1/32:9"]
    server.mount(
        "/x",
        create_external_proxy(
            allowed_hosts=["api.example.com", "127.0.0.1"],
            forward_headers=key,
            allow_networks=networks,
        ),
    )
    server.mount(
        "/p", create_external_proxy(target="https://api.example.com/v1", forward_headers=key)
    )
    return server


class AdminTestCase(TestCase):
    """:ivar server: the one of :meth:`start`."""

    timeout = 20

    def start(self, **options: Any) -> RunningServer:
        """Start it, with an admin port."""
        options.setdefault("admin_listen", "tcp:0:interface=127.0.0.1")
        self.server = make(**options)
        self.running = RunningServer(self, self.server)
        self.port = urlsplit(self.server.admin_address).port
        self.said = b""
        return self.running

    async def ask(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        method: str = "GET",
    ) -> Answer:
        """One request to the admin port; no answer of it may hold the key."""
        client = await RawClient.connect(self, self.port)
        client.request(method, path, headers or {}, body)
        answer = await client.answer(method)
        await client.stop()
        said = repr(list(answer.headers.getAllRawHeaders())) + answer.body.decode()
        self.assertNotIn(SECRET, said)
        return answer

    async def explain(self, question: Any, headers: dict[str, str] | None = None) -> Answer:
        """What POST /console/explain says."""
        body = json.dumps(question).encode()
        return await self.ask("/console/explain", {**JSON, **(headers or {})}, body, "POST")
