"""A plugin server that runs for one test."""

import treq
from twisted.internet.error import ConnectionRefusedError
from twisted.trial.unittest import TestCase

from naap_twisted import create_plugin_server
from naap_twisted.testing import RawClient, RunningServer


class RunningServerTests(TestCase):
    timeout = 10

    def _start(self):
        return RunningServer(self, create_plugin_server("t", 0, require_auth=False))

    async def test_serves_on_a_free_port(self):
        running = self._start()
        answer = await running.ask("GET", "/healthz")
        self.assertEqual((answer.status, answer.json()["service"]), (200, "t"))
        self.assertEqual(running.url, f"http://127.0.0.1:{running.port}")

    async def test_a_treq_request(self):
        response = await self._start().treq("GET", "/healthz")
        self.assertEqual((await treq.json_content(response))["status"], "ok")

    async def test_stops_with_the_test(self):
        cleanups = []

        class Inner:
            def addCleanup(self, *call):
                cleanups.append(call)

        running = RunningServer(Inner(), create_plugin_server("t", 0, require_auth=False))
        for call in reversed(cleanups):
            await call[0](*call[1:])
        with self.assertRaises(ConnectionRefusedError):
            await RawClient.connect(self, running.port)
