"""Tests of naap_twisted.spend.ledger_watch; the ledgers' own tests lose them."""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.ledger_watch import LedgerWatch


class LedgerWatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 0.0

    def watch(self, *, refuses: bool = False) -> LedgerWatch:
        return LedgerWatch("redis", refuses=refuses, now=lambda: self.now)

    def test_loss_and_return(self) -> None:
        """Each is one line, however many requests come meanwhile, and each loss counts once."""
        watch = self.watch()
        with capturedLogs() as logs:
            watch.back()
            for _ in range(2):
                for _ in range(3):
                    watch.judged(here=True)
                self.now += 1.5
                watch.back()
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(len(lines), 4)
        self.assertIn("books it when the ledger is back", lines[0])
        self.assertIn("after 1.5 s; without it this process judged 3 requests", lines[1])
        self.assertIn("judged 3 requests by itself and refused 0", lines[3])
        self.assertEqual((watch.losses, watch.alone, watch.refused, watch.gone), (2, 6, 0, False))

    def test_refused(self) -> None:
        """Where nothing is spent without it, the line says so."""
        watch = self.watch(refuses=True)
        with capturedLogs() as logs:
            watch.judged(here=False)
            watch.dropped()
        (line,) = [formatEvent(event) for event in logs]
        self.assertIn("requests under a budget get 503", line)
        self.assertEqual((watch.losses, watch.refused, watch.unbooked), (1, 1, 1))

    def test_word(self) -> None:
        """What /readyz says."""
        for refuses, gone, answers, word in (
            (False, False, True, "ok"),
            (False, True, True, "catching up"),
            (False, True, False, "local"),
            (True, True, True, "ok"),
            (True, False, False, "unreachable"),
        ):
            watch = self.watch(refuses=refuses)
            watch.gone = gone
            self.assertEqual(watch.word(answers=answers), word)
