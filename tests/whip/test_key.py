"""The key of Locations: one for a state_dir, another for every process without."""

import stat
from pathlib import Path

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.whip.key import FILE_NAME, LocationKey


class KeyTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()

    def test_without_state_dir(self):
        """Random, the same all its life, and a line that says what that means."""
        with capturedLogs() as events:
            key = LocationKey()
            first = key.open()
            self.assertEqual(key.open(), first)
        self.assertEqual(len(first), 32)
        self.assertNotEqual(LocationKey().open(), first)
        (event,) = events
        self.assertIn("state_dir", event["log_format"])

    def test_given(self):
        """A worker has the one of its supervisor, and says nothing of it."""
        with capturedLogs() as events:
            self.assertEqual(LocationKey("", b"k" * 32).open(), b"k" * 32)
        self.assertEqual(events, [])
        self.assertNotEqual(LocationKey(str(self.folder), b"k" * 32).open(), b"k" * 32)

    def test_state_dir(self):
        """Made once, for this user only; whoever opens the directory later has the same."""
        with capturedLogs() as events:
            first = LocationKey(str(self.folder)).open()
        self.assertEqual(events, [])
        path = self.folder / FILE_NAME
        self.assertEqual(path.read_bytes(), first)
        self.assertEqual(len(first), 32)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(LocationKey(str(self.folder)).open(), first)

    def test_not_before_it_is_asked_for(self):
        """A server without sessions leaves no file."""
        LocationKey(str(self.folder))
        self.assertFalse(self.folder.exists())

    def test_not_shown(self):
        """repr has nothing of it."""
        key = LocationKey()
        self.assertNotIn(repr(key.open())[2:10], repr(key))
