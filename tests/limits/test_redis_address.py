"""Tests of naap_twisted.limits.redis_address."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.limits.redis_address import RedisAddress
from naap_twisted.secret import Secret


class AddressTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Host, port, database, who, and whether with TLS."""
        for url, wanted in (
            ("redis://h", ("h", 6379, None, None, None, False)),
            ("redis://h:1/0", ("h", 1, None, None, None, False)),
            ("redis://:p%40w@h/3", ("h", 6379, 3, None, "p@w", False)),
            ("rediss://u:p@[::1]:7/", ("::1", 7, None, "u", "p", True)),
        ):
            found = RedisAddress.parse(Secret(url))
            self.assertEqual(found, RedisAddress(*wanted))
            self.assertNotIn("p@w", repr(found))

    def test_refused(self) -> None:
        """One line, without the URL: it may hold a password."""
        for url in (
            "h:6379",
            "http://hunter2@h",
            "redis://",
            "redis://hunter2@h/x",
            "redis://h:x",
            "redis://h/-1",
            "redis://hunter2@h:99999",
        ):
            error = self.assertRaises(ConfigError, RedisAddress.parse, Secret(url))
            self.assertTrue(str(error).startswith("redis_url: "))
            self.assertNotIn("hunter2", str(error))
