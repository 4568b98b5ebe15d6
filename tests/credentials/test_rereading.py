"""Secrets in files, wherever they are in an option."""

from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.credentials.rereading import files_of, read_again, secrets_in_files
from naap_twisted.secret import Secret

FIXED = Secret("of-the-environment")


@frozen
class Part:
    secret: Secret
    name: str = "name"


@frozen
class Whole:
    table: dict
    part: Part | None
    several: tuple
    callable: object = print


@frozen
class Foreign:
    """A plugin's object, which leads back to itself."""

    parts: list
    secret: Secret


# As classes of options are.
Part.__module__ = Whole.__module__ = "naap_twisted.options"


class RereadingTests(SynchronousTestCase):
    def setUp(self):
        self.texts = {"a": "a-of-the-file", "b": "b-of-the-file"}

    def secret(self, name):
        again = lambda: self.secret(name)  # noqa: E731
        return Secret(self.texts[name], files=(Path(name),), again=again)

    def whole(self):
        part = Part(self.secret("a"))
        return Whole({"X": FIXED, "Y": self.secret("b")}, part, (part, 3, "text"))

    def test_which(self):
        whole = self.whole()
        self.assertEqual([str(path) for path in files_of(whole)], ["b", "a"])
        self.assertEqual(len(list(secrets_in_files(whole))), 3)
        self.assertEqual(files_of(Whole({"X": FIXED}, None, ())), ())

    def test_nothing_changed(self):
        whole = self.whole()
        self.assertIs(read_again(whole), whole)

    def test_one_changed(self):
        """What did not change is the same object."""
        whole = self.whole()
        self.texts["b"] = "another"
        again = read_again(whole)
        self.assertEqual(again.table["Y"].reveal(), b"another")
        self.assertIs(again.table["X"], FIXED)
        self.assertIs(again.part, whole.part)
        self.assertEqual(whole.table["Y"].reveal(), b"b-of-the-file")

    def test_deep(self):
        whole = self.whole()
        self.texts["a"] = "another"
        again = read_again(whole)
        self.assertEqual(again.part.secret.reveal(), b"another")
        self.assertEqual(again.several[0].secret.reveal(), b"another")
        self.assertIs(again.table, whole.table)

    def test_what_is_not_ours(self):
        """An object of a plugin's is left alone, also one that holds itself."""
        foreign = Foreign([], self.secret("a"))
        foreign.parts.append(foreign)
        whole = Whole({"X": FIXED}, None, (foreign,))
        self.texts["a"] = "another"
        self.assertEqual(files_of(whole), ())
        self.assertIs(read_again(whole), whole)

    def test_bad(self):
        whole = self.whole()
        self.texts["a"] = ""
        with self.assertRaises(ValueError):
            read_again(whole)
