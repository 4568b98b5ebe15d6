"""Targets that lead back here: over sockets, through one server and through two."""

from __future__ import annotations

from naap_twisted import create_external_proxy

from .support import OK, IntegrationTestCase

LOOP = 508, "LOOP_DETECTED"  # as relayed on the way back
ROUTE = {"content_type": ["*/*"], "methods": ["GET", "POST"]}


class LoopTests(IntegrationTestCase):
    async def test_back_to_itself(self):
        """The first round is the last, however the page asks."""
        self.start(OK)
        server = self.running.server
        base = server.addresses()[0]
        server.mount("/loop", create_external_proxy(target=f"{base}/api/v1/loop", **ROUTE))
        for method, body in (("GET", None), ("POST", b"{}")):
            answer = await self.post(body, method, "/api/v1/loop/a")
            self.assertEqual((answer.status, answer.json()["error"]["code"]), LOOP)

    async def test_two_in_a_row(self):
        """One server before another is no loop; a way back to the first is."""
        self.start(OK)
        first, second = self.running, self.serve()
        there = second.server.addresses()[0]
        back = first.server.addresses()[0]
        first.server.mount("/out", create_external_proxy(target=f"{there}/api/v1", **ROUTE))
        second.server.mount("/good", create_external_proxy(target=self.upstream.origin, **ROUTE))
        second.server.mount("/back", create_external_proxy(target=f"{back}/api/v1/out", **ROUTE))
        answer = await self.post(b"{}", path="/api/v1/out/good/x", Via="1.1 squid.corp")
        self.assertEqual(answer.status, 200)
        (via,) = self.upstream.requests[-1].values("Via")
        self.assertRegex(via, rb"\A1\.1 naap-[0-9a-f]{16}, 1\.1 naap-[0-9a-f]{16}\Z")
        answer = await self.post(b"{}", path="/api/v1/out/back/good/x")
        self.assertEqual((answer.status, answer.json()["error"]["code"]), LOOP)
        self.assertEqual(len(self.upstream.requests), 1)
