"""A bounded table of entries that end."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.cache import TtlCache


class TtlCacheTests(SynchronousTestCase):
    def test_until(self):
        """There before its end, gone at it."""
        cache = TtlCache(2)
        cache.put(b"a", "x", 10.0)
        self.assertEqual(cache.get(b"a", 9.999), "x")
        self.assertIsNone(cache.get(b"a", 10.0))
        self.assertEqual(len(cache), 0)
        self.assertIsNone(cache.get(b"b", 0.0))

    def test_bound(self):
        """The least recently used goes first."""
        cache = TtlCache(2)
        for key in (b"a", b"b"):
            cache.put(key, key, 10.0)
        cache.get(b"a", 0.0)
        cache.put(b"c", b"c", 10.0)
        self.assertIsNone(cache.get(b"b", 0.0))
        self.assertEqual((cache.get(b"a", 0.0), cache.get(b"c", 0.0)), (b"a", b"c"))
        self.assertEqual(len(cache), 2)

    def test_again(self):
        """The last word counts, and takes no second place."""
        cache = TtlCache(2)
        cache.put(b"a", 1, 10.0)
        cache.put(b"a", 2, 5.0)
        self.assertEqual(cache.get(b"a", 4.0), 2)
        self.assertIsNone(cache.get(b"a", 5.0))
