"""Tests of naap_twisted.server.backends."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.keys.vault import new_master_key
from naap_twisted.options.code import read_server
from naap_twisted.secret import Secret
from naap_twisted.server import backends
from naap_twisted.server.stores import State


class BackendTests(SynchronousTestCase):
    def test_packages(self) -> None:
        """What is not installed is one line that says what to run."""
        self.patch(backends, "find_spec", lambda name: None)
        for options, extra in (
            ({"state_dir": "s"}, "keys"),
            ({"database_url": "postgresql://h/d"}, "postgres"),
            ({"redis_url": "redis://h"}, "redis"),
        ):
            config = read_server({"name": "x", **options})
            (line,) = self.assertRaises(ConfigError, State, config, Clock()).problems
            self.assertTrue(line.startswith(f"{next(iter(options))}: needs "), line)
            self.assertIn(f"pip install 'naap-twisted[{extra}]'", line)

    def test_none(self) -> None:
        """Nothing is made that nobody asked for."""
        config, clock = read_server({"name": "x"}), Clock()
        self.assertIsNone(backends.database_of(config.server, clock))
        self.assertIsNone(backends.redis_of(config.redis.url, clock))
        self.assertIsNone(backends.alerts_of(config, clock))
        self.assertIsNone(backends.sealed_keys_of(config, None))

    def test_made(self) -> None:
        """What was asked for, not opened."""
        config = read_server(
            {
                "name": "x",
                "state_dir": self.mktemp(),
                "master_key": Secret(new_master_key()),
                "redis_url": "redis://h",
                "alert_url": "https://hooks.example/1",
            }
        )
        clock = Clock()
        database = backends.database_of(config.server, clock)
        self.assertIsNotNone(database)
        self.assertIsNotNone(backends.sealed_keys_of(config, database))
        link = backends.redis_of(config.redis.url, clock)
        assert link is not None
        self.assertFalse(link.up)
        alerts = backends.alerts_of(config, clock)
        assert alerts is not None
        self.assertEqual(alerts.lost, 0)
