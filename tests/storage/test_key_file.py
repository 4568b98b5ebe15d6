"""A key in a file: nobody else's, one for all processes."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.storage.key_file import own_key, stored_key


class StoredKeyTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()

    def test_own(self):
        """By the name of its file; without a folder there is one for this process alone."""
        key = own_key(str(self.folder), "a", b"process")
        self.assertEqual(key, own_key(str(self.folder), "a", b"process"))
        self.assertEqual(key, stored_key(self.folder / "a"))
        self.assertNotEqual(key, own_key(str(self.folder), "b", b"process"))
        self.assertEqual(own_key("", "a", b"process"), b"process")

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
