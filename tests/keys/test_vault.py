"""Tests of naap_twisted.keys.vault."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.keys.vault import Vault, last4, new_master_key
from naap_twisted.secret import Secret

OLD, NEW = new_master_key(), new_master_key()
KEY = Secret("sk-canary-1234567890")


class VaultTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.vault = Vault(Secret(OLD))

    def test_round_trip(self) -> None:
        """What was sealed opens, for its owner; two seals of one key differ."""
        sealed = self.vault.seal("ada", "daydream", KEY)
        self.assertNotIn("canary", sealed)
        self.assertEqual(self.vault.open("ada", "daydream", sealed), KEY)
        self.assertNotEqual(self.vault.seal("ada", "daydream", KEY), sealed)

    def test_bound_to_its_owner(self) -> None:
        """It opens for no other user or provider, however the names are cut."""
        sealed = self.vault.seal("ada", "daydream", KEY)
        for user, provider in (("eve", "daydream"), ("ada", "openai"), ("", "ada"), ("ad", "a")):
            self.assertRaises(ValueError, self.vault.open, user, provider, sealed)

    def test_tampered(self) -> None:
        """A changed, cut or foreign token does not open."""
        sealed = self.vault.seal("ada", "daydream", KEY)
        changed = sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:]
        for token in (changed, sealed[:-4], "", "x", Vault(Secret(NEW)).seal("ada", "p", KEY)):
            self.assertRaises(ValueError, self.vault.open, "ada", "daydream", token)
            self.assertRaises(ValueError, self.vault.reseal, token)

    def test_rotation(self) -> None:
        """The first seals, every one opens; a re-sealed token opens with the first alone."""
        both = Vault(Secret(f" {NEW} , {OLD}"))
        sealed = self.vault.seal("ada", "daydream", KEY)
        self.assertEqual(both.open("ada", "daydream", sealed), KEY)
        new = Vault(Secret(NEW))
        self.assertEqual(new.open("ada", "daydream", both.reseal(sealed)), KEY)
        self.assertEqual(new.open("ada", "p", both.seal("ada", "p", KEY)), KEY)

    def test_canary(self) -> None:
        """It is known by every vault that has its master key, and by no other."""
        canary = self.vault.canary()
        self.assertTrue(Vault(Secret(f"{NEW},{OLD}")).knows(canary))
        self.assertFalse(Vault(Secret(NEW)).knows(canary))
        self.assertFalse(self.vault.knows("nonsense"))

    def test_no_master_key(self) -> None:
        """What is none is refused by its place, never quoted."""
        for text in ("sk-hunter2", f"{OLD},sk-hunter2", f"{OLD},", OLD[:-2], OLD + "A" * 8):
            error = self.assertRaises(ConfigError, Vault, Secret(text))
            self.assertTrue(error.problems[0].startswith("master_key: part "))
            self.assertNotIn("hunter2", str(error))
            self.assertNotIn(OLD[:8], str(error))


class Last4Tests(SynchronousTestCase):
    def test_length(self) -> None:
        """A short key shows nothing: four of eight characters would be half of it."""
        for key, shown in (("12345678901", ""), ("123456789012", "9012")):
            self.assertEqual(last4(Secret(key)), shown)
