"""Idle connections: which is handed out, and how many are kept."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.upstream.pool import Pool, PoolLimits


class Connection:
    def __init__(self, pool, key="a"):
        self.key = key
        self.closed = False
        self.waits = None
        pool.made(self)

    def abort(self):
        self.closed = True

    def usable(self):
        return not self.closed

    def wait_idle(self, seconds):
        self.waits = seconds


class Pooling(SynchronousTestCase):
    def setUp(self):
        limits = PoolLimits(idle=3.0, per_key=2, total=3, open_per_key=4)
        self.pool = Pool(limits)

    def idle(self, key="a"):
        connection = Connection(self.pool, key)
        self.pool.released(connection)
        return connection

    def test_taken(self):
        """The one used last first, each once, each only for its key."""
        first, second = self.idle(), self.idle()
        self.assertEqual((first.waits, len(self.pool)), (3.0, 2))
        self.assertIsNone(self.pool.take("b"))
        self.assertIs(self.pool.take("a"), second)
        self.assertIs(self.pool.take("a"), first)
        self.assertIsNone(self.pool.take("a"))
        self.assertEqual((len(self.pool), self.pool._idle), (0, {}))

    def test_attempts(self):
        """An attempt to connect has a socket, and counts as a connection."""
        for _ in range(4):
            self.assertTrue(self.pool.may_open("a"))
            self.pool.begun("a")
        self.assertFalse(self.pool.may_open("a"))
        self.assertTrue(self.pool.may_open("b"))
        self.pool.ended("a")
        self.assertTrue(self.pool.may_open("a"))

    def test_room(self):
        """Where all are too many, the connection that is idle first goes; a busy one never."""
        pool = self.pool = Pool(PoolLimits(per_key=2, total=3, open_per_key=2, open_total=3))
        self.assertFalse(pool.make_room("c"))
        idle, busy = self.idle("a"), Connection(pool, "b")
        later = self.idle("b")
        self.assertFalse(pool.may_open("c"))
        self.assertTrue(pool.make_room("c"))
        self.assertEqual((idle.closed, busy.closed, later.closed), (True, False, False))
        self.assertTrue(pool.may_open("c"))
        pool.lost(idle)  # as its transport says later
        self.assertEqual((pool.opened, len(pool)), (2, 1))
        self.assertFalse(pool.make_room("b"), "the bound of its own origin")

    def test_bounds(self):
        """Over the bound per key or in total a connection is closed, not kept."""
        kept = [self.idle(), self.idle()]
        self.assertTrue(self.idle().closed)
        kept.append(self.idle("b"))
        self.assertTrue(self.idle("c").closed)
        self.assertEqual([c.closed for c in kept], [False] * 3)
        self.assertEqual(len(self.pool), 3)

    def test_lost(self):
        """One that closed is not handed out, whether it said so yet or not."""
        first, second = self.idle(), self.idle()
        self.pool.lost(second)
        self.assertEqual(len(self.pool), 1)
        self.assertIs(self.pool.take("a"), first)
        third = self.idle()
        third.closed = True
        self.assertIsNone(self.pool.take("a"))
        self.pool.lost(third)
        self.assertEqual(len(self.pool), 0)

    def test_open(self):
        """Open connections are counted by key, idle or not, until they are lost."""
        connections = [Connection(self.pool) for _ in range(4)]
        self.assertFalse(self.pool.may_open("a"))
        self.assertTrue(self.pool.may_open("b"))
        self.pool.lost(connections.pop())
        self.assertTrue(self.pool.may_open("a"))
        for connection in connections:
            self.pool.lost(connection)
        self.assertEqual(self.pool._open, {})

    def test_open_in_all(self):
        """One bound for all keys together, too."""
        self.pool = Pool(PoolLimits(open_per_key=4, open_total=3))
        connections = [Connection(self.pool, key) for key in ("a", "b", "c")]
        self.assertFalse(self.pool.may_open("d"))
        self.pool.lost(connections.pop())
        self.assertTrue(self.pool.may_open("d"))

    def test_opened(self):
        """All that are open, over all keys, idle or not."""
        for key in ("a", "a", "b"):
            self.idle(key)
        taken = self.pool.take("a")
        self.assertEqual((self.pool.opened, len(self.pool)), (3, 2))
        self.pool.lost(taken)
        self.assertEqual((self.pool.opened, len(self.pool)), (2, 2))

    def test_close(self):
        """Closing closes what is idle."""
        connections = [self.idle(), self.idle("b")]
        self.pool.close()
        self.assertEqual([c.closed for c in connections], [True, True])
        self.assertEqual(len(self.pool), 0)
        self.assertIsNone(self.pool.take("a"))
