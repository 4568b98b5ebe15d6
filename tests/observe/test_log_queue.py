"""The queue of log lines: their order, its bounds, what is told of those that are dropped."""

from __future__ import annotations

import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.observe.log_queue import LogQueue

PATIENCE = 20.0


class Gate:
    """An outlet that takes lines while it is open, and refuses them where it has a reason."""

    def __init__(self, *, is_open=True):
        self.opened, self.reached = threading.Event(), threading.Event()
        self.lines, self.pieces, self.reason, self.limit = [], [], "", None
        if is_open:
            self.opened.set()

    def take(self, lines):
        self.reached.set()
        self.opened.wait(PATIENCE)
        taken = [] if self.reason else list(lines)
        self.lines += taken
        self.pieces.append(len(lines))
        return len(taken), self.reason


class LogQueueTests(SynchronousTestCase):
    def setUp(self):
        self.told = []
        self.queue = LogQueue(lambda count, reason: self.told.append((count, reason)), lines=10)

    def drained(self):
        """Once the thread has nothing left."""
        due = time.monotonic() + PATIENCE
        while self.queue._count:
            if time.monotonic() > due:
                raise AssertionError("the thread did not write")
            time.sleep(0.005)

    def test_order(self):
        """Lines go out in the order in which they came, each to its outlet."""
        first, second = Gate(), Gate()
        for number in range(9):
            self.queue.put((first, second)[number % 3 == 2], str(number))
        self.drained()
        self.assertEqual((first.lines, second.lines), (list("013467"), list("258")))
        self.assertEqual((self.queue.dropped, self.told), (0, []))

    def test_full(self):
        """Whoever puts never waits; what finds no room is counted, and told when it flows again."""
        gate = Gate(is_open=False)
        for number in range(25):
            self.queue.put(gate, str(number))
        self.assertEqual(self.queue.dropped, 15)
        gate.opened.set()
        self.drained()
        self.assertEqual(gate.lines, [str(number) for number in range(10)])
        self.assertEqual([count for count, _ in self.told], [15])
        self.queue.put(gate, "later")
        self.drained()
        self.assertEqual(gate.lines[-1], "later")
        self.assertEqual(len(self.told), 1)

    def test_what_is_being_written_counts(self):
        """A thread that is held with all lines in hand leaves no room for as many again."""
        gate = Gate(is_open=False)
        for number in range(10):
            self.queue.put(gate, str(number))
        self.assertTrue(gate.reached.wait(PATIENCE))
        self.queue.put(gate, "more")
        self.assertEqual(self.queue.dropped, 1)
        gate.opened.set()

    def test_long_lines(self):
        """Text is bounded, too; and goes out in pieces."""
        queue, gate = LogQueue(text=200_000), Gate(is_open=False)
        for _ in range(4):
            queue.put(gate, "x" * 60_000)
        self.assertEqual(queue.dropped, 1)
        gate.opened.set()
        queue.finish(PATIENCE)
        self.assertEqual(gate.pieces, [1, 1, 1])

    def test_refused(self):
        """What can't be written is dropped, and the reason told once something is."""
        gate = Gate()
        gate.reason = "No space left on device"
        self.queue.put(gate, "lost")
        self.drained()
        self.assertEqual((self.queue.dropped, self.told), (1, []))
        gate.reason = ""
        self.queue.put(gate, "kept")
        self.drained()
        self.assertEqual((gate.lines, self.told), (["kept"], [(1, "No space left on device")]))

    def test_a_bug(self):
        """An outlet that raises loses its lines, and not the thread."""
        gate = Gate()
        self.queue.put(None, "lost")
        self.queue.put(gate, "kept")
        self.drained()
        self.assertEqual((gate.lines, self.queue.dropped), (["kept"], 1))
        self.assertIn("AttributeError", self.told[0][1])

    def test_call(self):
        """A function takes its turn among the lines; one that fails is counted as a line."""
        gate, seen = Gate(), []
        self.queue.put(gate, "before")
        self.queue.call(lambda: seen.append((list(gate.lines), self.queue.is_current)))
        self.queue.put(gate, "after")
        self.drained()
        self.assertEqual((seen, gate.lines), ([(["before"], True)], ["before", "after"]))
        self.assertFalse(self.queue.is_current)

        def fail():
            raise PermissionError(13, "Permission denied")

        self.queue.call(fail)
        self.drained()
        self.assertEqual(self.queue.dropped, 1)

    def test_finish(self):
        """All is out when it returns, and so is what comes after it."""
        gate = Gate()
        self.queue.put(gate, "1")
        self.queue.finish(PATIENCE)
        self.assertEqual(gate.lines, ["1"])
        self.queue.put(gate, "2")
        self.assertEqual(gate.lines, ["1", "2"])

    def test_finish_held(self):
        """It waits so long, and once: lines after that are not waited for."""
        gate = Gate(is_open=False)
        self.queue.put(gate, "1")
        began = time.monotonic()
        self.queue.finish(0.2)
        self.assertGreaterEqual(time.monotonic() - began, 0.19)
        self.queue.finish(PATIENCE)
        self.queue.put(gate, "2")
        self.assertLess(time.monotonic() - began, PATIENCE)
        gate.opened.set()

    def test_finish_tells(self):
        """What was dropped and never told is told at the end."""
        gate = Gate(is_open=False)
        for number in range(12):
            self.queue.put(gate, str(number))
        self.queue.finish(0.01)
        self.assertEqual([count for count, _ in self.told], [2])
        gate.opened.set()

    def test_a_fork(self):
        """The child has neither the lines nor the thread, and makes a thread of its own."""
        gate = Gate(is_open=False)
        self.queue.put(gate, "the parent's")
        self.queue.forget()
        other = Gate()
        self.queue.put(other, "the child's")
        self.drained()
        self.assertEqual(other.lines, ["the child's"])
        gate.opened.set()
