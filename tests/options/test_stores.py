"""[keys], [redis], where state is kept: each value, and what needs what."""

from __future__ import annotations

from pathlib import Path

from naap_twisted.keys.vault import new_master_key
from naap_twisted.options.stores import ca_file, directory, master_key, redis_url, secret
from tests.config.support import config_of, proxy
from tests.options.test_judge import RulesCase
from tests.options.test_secrets import SecretsCase

MASTER = f'[keys]\nmaster_key = "{new_master_key()}"'
STATE = '[server]\nstate_dir = "state"'
SESSION = '[auth]\nsession_url = "http://localhost:1/me"'
USER_KEY = 'forward_headers = { Authorization = "Bearer ${user_key:daydream}" }'


class ParserTests(SecretsCase):
    def test_directory(self) -> None:
        """Relative to the config's own directory; absolute as it is; empty is none."""
        self.assertEqual(directory("state", self.around), str(self.around.directory / "state"))
        self.assertEqual(directory("/var/lib/x", self.around), "/var/lib/x")
        self.assertEqual(directory("", self.around), "")
        self.assertRaises(ValueError, directory, 3, self.around)

    def test_nothing(self) -> None:
        """Empty text is none."""
        for parse in (secret, master_key, redis_url):
            self.assertIsNone(parse("", self.around))

    def test_master_key(self) -> None:
        """Checked at once; a reason does not quote it."""
        good = new_master_key()
        self.write("master.key", f"{good},{new_master_key()}\n".encode(), 0o600)
        found = master_key("${file:master.key}", self.around)
        self.assertNotIn(good, repr(found))
        for bad in ("sk-hunter2", f"{good},sk-hunter2", good[:-1]):
            error = self.assertRaises(ValueError, master_key, bad, self.around)
            self.assertTrue(str(error).startswith("part "), error)
            self.assertNotIn("hunter2", str(error))

    def test_redis_url(self) -> None:
        """Checked at once; a reason does not quote it."""
        self.assertNotIn("pw", repr(redis_url("redis://:pw@h", self.around)))
        error = self.assertRaises(ValueError, redis_url, "http://:hunter2@h", self.around)
        self.assertNotIn("hunter2", str(error))
        self.assertTrue(str(error).startswith("is not of the form"))

    def test_ca_file(self) -> None:
        """A PEM file beside the config, given as an absolute path; empty is none."""
        path = self.write("ca.pem", b"-----BEGIN CERTIFICATE-----\n", 0o644)
        self.assertEqual(ca_file("ca.pem", self.around), str(path))
        self.assertEqual(ca_file("", self.around), "")
        self.write("key", b"no certificate")
        for bad in ("none.pem", "key", ".", 3):
            self.assertRaises(ValueError, ca_file, bad, self.around)


class JudgeTests(RulesCase):
    def test_complete(self) -> None:
        """A user's key, a master key, a place, and auth."""
        self.assertFine(server=STATE, auth=SESSION, more=MASTER, proxy=proxy(USER_KEY))
        database = '[server]\ndatabase_url = "postgresql://h/d"'
        self.assertFine(server=database, auth=SESSION, more=MASTER, proxy=proxy(USER_KEY))
        self.assertFine(server=STATE)

    def test_a_place(self) -> None:
        """Keys need one."""
        self.assertRefused("keys.master_key", more=MASTER)

    def test_a_master_key(self) -> None:
        """A route that uses users' keys needs one; a bad one is told once."""
        where = "proxy[0].forward_headers.Authorization"
        self.assertRefused(where, server=STATE, auth=SESSION, proxy=proxy(USER_KEY))
        bad = '[keys]\nmaster_key = "x"'
        self.assertRefused(
            "keys.master_key", server=STATE, auth=SESSION, more=bad, proxy=proxy(USER_KEY)
        )

    def test_a_user(self) -> None:
        """Without auth, or where anyone may call, there is no user whose key it could be."""
        where = "proxy[0].forward_headers.Authorization"
        self.assertRefused(where, server=STATE, more=MASTER, proxy=proxy(USER_KEY))
        anyone = proxy(USER_KEY, 'authorize = "anyone"')
        self.assertRefused(where, server=STATE, auth=SESSION, more=MASTER, proxy=anyone)

    def test_paths(self) -> None:
        """state_dir starts at the config's directory."""
        self.assertEqual(config_of(server=STATE).server.state_dir, str(Path("state").absolute()))
