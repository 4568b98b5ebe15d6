"""The examples start from their environment, and say what is missing."""

import importlib
import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ConfigError, PluginServer

TOKENS = {"NAAP_TOKENS": "token-a=ada"}
ASSISTANT = ("examples.ai_assistant.plugin", {**TOKENS, "OPENAI_API_KEY": "sk-canary"})
DAYDREAM = ("examples.daydream_video.plugin", {**TOKENS, "DAYDREAM_API_KEYS": "ada=sk-canary"})


class Examples(SynchronousTestCase):
    def load(self, module, environment):
        """Import *module* anew under *environment*."""
        self.patch(os, "environ", environment)
        sys.modules.pop(module, None)
        self.addCleanup(sys.modules.pop, module, None)
        return importlib.import_module(module)

    def test_routes(self):
        """Each is a server with the seed's port and path."""
        for (module, environment), port, path in [
            (ASSISTANT, 4020, "/api/v1/assistant/openai-proxy"),
            (DAYDREAM, 4111, "/api/v1/daydream/whip-proxy"),
        ]:
            server = self.load(module, environment).server
            self.assertIsInstance(server, PluginServer)
            self.assertEqual(server.listen, (f"tcp:{port}:interface=127.0.0.1",))
            (mount,) = server.routes()
            self.assertEqual(mount.full_path, path)
            self.assertNotIn("sk-canary", f"{mount!r} {vars(mount.proxy)}")

    def test_unset_environment(self):
        """One line that opens with the variable's name, never with its value."""
        for module, environment in (ASSISTANT, DAYDREAM):
            for name in environment:
                rest = {key: value for key, value in environment.items() if key != name}
                error = self.assertRaises(ConfigError, self.load, module, rest)
                (problem,) = error.problems
                self.assertTrue(problem.startswith(f"{name}: "), problem)
                self.assertNotIn("sk-canary", problem)

    def test_local(self):
        """The plugin's route, and one to the endpoint of ``python -m naap_twisted.demo.media``."""
        self.load(*DAYDREAM)
        server = self.load("examples.daydream_video.local", DAYDREAM[1]).server
        paths = [mount.full_path for mount in server.routes()]
        self.assertEqual(paths, ["/api/v1/daydream/whip-proxy", "/api/v1/daydream/local-whip"])

    def test_daydream_keys(self):
        """A user without a key is denied; one with a key sends their own."""
        plugin = self.load(*DAYDREAM)

        class Caller:
            def __init__(self, user):
                self.record = self
                self.user = user

        def outcome(coroutine):
            try:
                coroutine.send(None)
            except StopIteration as stop:
                return stop.value

        from naap_twisted import User

        self.assertIs(outcome(plugin.authorize(Caller(User("ada")))), True)
        self.assertIs(outcome(plugin.authorize(Caller(None))), False)
        self.assertRaises(KeyError, outcome, plugin.authorize(Caller(User("bob"))))
        headers = outcome(plugin.forward_headers(Caller(User("ada"))))
        self.assertEqual(headers["Authorization"].reveal(), b"Bearer sk-canary")
