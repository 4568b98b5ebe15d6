"""Tests of naap_twisted.server.heirlooms."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.server.heirlooms import Heirlooms, stamp


class HeirloomsTests(SynchronousTestCase):
    def test_same_words(self) -> None:
        """The same thing for the same words, another one else; also where the thing is empty."""
        first = Heirlooms()
        kept, other = first.have(list, "limit", 3), first.have(list, "limit", 4)
        self.assertIsNot(kept, other)
        second = Heirlooms(first)
        self.assertIs(second.have(list, "limit", 3), kept)
        self.assertIsNot(second.have(list, "limit", 5), other)
        self.assertIsNone(second.have(lambda: None, "redis", None))

    def test_twins(self) -> None:
        """Two of the same words stay two, and each its own, however often the config is read."""
        first = Heirlooms()
        twins = [first.have(list, "a") for _ in range(2)]
        second = Heirlooms(first)
        again = [second.have(list, "a") for _ in range(3)]
        self.assertEqual([*map(id, again[:2])], [*map(id, twins)])
        self.assertNotIn(id(again[2]), map(id, twins))

    def test_shares(self) -> None:
        """What the one before or after has, too; not what only an earlier one had."""
        first = Heirlooms()
        kept, gone = first.have(list, "a"), first.have(list, "b")
        self.assertFalse(first.shares(kept))
        second = Heirlooms(first)
        self.assertIs(second.have(list, "a"), kept)
        new = second.have(list, "c")
        # Until it serves, a server that is given up must close nothing of the one before.
        self.assertEqual([second.shares(kept), second.shares(new)], [True, False])
        self.assertFalse(first.shares(kept))
        second.succeed()
        self.assertEqual([first.shares(kept), first.shares(gone)], [True, False])
        self.assertFalse(second.shares(kept))
        third = Heirlooms(second)
        third.succeed()
        self.assertFalse(second.shares(kept))

    def test_stamp(self) -> None:
        """By content."""
        path = Path(self.mktemp())
        path.write_bytes(b"a")
        before = stamp(str(path))
        path.write_bytes(b"b")
        self.assertNotEqual(stamp(str(path)), before)
        self.assertEqual(stamp(""), b"")
        self.assertRaises(OSError, stamp, "/nowhere/ca.pem")
