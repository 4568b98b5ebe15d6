"""``create_plugin_server``: everything that is wrong is said at once, and nothing is opened."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ConfigError, PluginServer, RateLimit, create_plugin_server
from naap_twisted.auth.static import StaticTokens
from naap_twisted.keys.vault import new_master_key
from tests.keys.memory import MemoryKeyStore


class CreateTests(SynchronousTestCase):
    def problems(self, **options) -> tuple[str, ...]:
        return self.assertRaises(ConfigError, create_plugin_server, "x", **options).problems

    def test_all_at_once(self) -> None:
        """One line a problem, each opening with the option's name."""
        lines = self.problems(
            port=70_000,
            rate_limit=RateLimit(0, 1.0),
            user_rate_limit=RateLimit(1, 0.0),
            on_redis_loss="perhaps",
        )
        self.assertEqual(
            [line.partition(":")[0] for line in lines],
            ["port", "rate_limit.requests", "user_rate_limit.window", "on_redis_loss"],
        )

    def test_seams(self) -> None:
        """What stands for a protocol has its methods, and is no class whose instance was meant."""
        for option, value in (
            ("authenticator", StaticTokens),
            ("authenticator", lambda request: None),
            ("keys", MemoryKeyStore),
            ("keys", {}),
        ):
            (line,) = self.problems(**{option: value})
            self.assertTrue(line.startswith(f"{option}: expected an I"), line)

    def test_state(self) -> None:
        """What the stores need, and what can't be beside one another."""
        key = new_master_key()
        for options, start in (
            ({"master_key": key}, "master_key: needs state_dir"),
            ({"master_key": "hunter2", "state_dir": "s"}, "master_key: part 1"),
            ({"master_key": " ", "state_dir": "s"}, "master_key: secret from"),
            ({"master_key": key, "keys": MemoryKeyStore()}, "master_key: has"),
            ({"database_url": "mysql://hunter2@h/d"}, "database_url: "),
            ({"redis_url": "hunter2"}, "redis_url: "),
        ):
            (line,) = self.problems(**options)
            self.assertTrue(line.startswith(start), line)
            self.assertNotIn("hunter2", line)

    def test_opens_nothing(self) -> None:
        """No file and no socket before it is started."""
        reactor = MemoryReactorClock()
        folder = Path(self.mktemp())
        server = create_plugin_server(
            "x",
            state_dir=str(folder),
            master_key=new_master_key(),
            redis_url="redis://127.0.0.1:1",
            reactor=reactor,
        )
        self.assertIsInstance(server, PluginServer)
        self.assertFalse(folder.exists())
        self.assertEqual((reactor.tcpServers, reactor.tcpClients), ([], []))
        self.assertNotIn("hunter2", repr(server.config))
