"""The key of Locations: one for a state_dir, another for every process without."""

import os
import stat
from pathlib import Path

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.whip.key import FILE_NAME, LocationKey, stored_key


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

    def test_open_to_others(self):
        """A file that others can read is no key."""
        stored_key(self.folder / "a")
        (self.folder / "a").chmod(0o640)
        with self.assertRaises(ConfigError) as caught:
            stored_key(self.folder / "a")
        self.assertIn("chmod 600", caught.exception.problems[0])

    def test_other_content(self):
        """Neither a short nor a long file is taken for a key; an empty one is filled."""
        self.folder.mkdir(mode=0o700)
        path = self.folder / "a"
        for content in (b"k" * 31, b"k" * 33):
            path.write_bytes(content)
            path.chmod(0o600)
            with self.assertRaises(ConfigError) as caught:
                stored_key(path)
            self.assertIn("holds no key", caught.exception.problems[0])
        path.write_bytes(b"")
        self.assertEqual(len(stored_key(path)), 32)

    def test_starts_at_once(self):
        """Processes that start at the same time agree."""
        readers = []
        for _ in range(4):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    os.write(writing, stored_key(self.folder / "a"))
                finally:
                    os._exit(0)
            os.close(writing)
            readers.append((child, reading))
        keys = set()
        for child, reading in readers:
            os.waitpid(child, 0)
            keys.add(os.read(reading, 64))
            os.close(reading)
        self.assertEqual(keys, {(self.folder / "a").read_bytes()})

    def test_not_shown(self):
        """repr has nothing of it."""
        key = LocationKey()
        self.assertNotIn(repr(key.open())[2:10], repr(key))
