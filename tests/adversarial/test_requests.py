"""Requests that are not what they seem, in one packet and in as many as they have bytes."""

import random
from itertools import pairwise

from .oracle import Stage, one_test_per
from .requests_vectors import FRAMING, NEXT

_MOST_PACKETS = 400


class RequestStage(Stage):
    """Judges one row."""

    async def answered(self, row, *packets):
        """The answers of the row, and not one request more upstream."""
        replies = await self.converse(*packets)
        self.assertEqual(tuple(reply.status for reply in replies), row.statuses, replies)
        self.assertTrue(all(reply.complete for reply in replies))
        bodies = [received.body for received in self.upstream.requests]
        others = [b"{}"] * (row.sent - len(row.bodies))
        self.assertEqual(bodies, [*row.bodies, *others] if row.sent else [])
        for received in self.upstream.requests:
            self.assertEqual(received.values("upgrade"), [])
            self.assertEqual(received.values("http2-settings"), [])
        await self.judge(sent=row.sent)


@one_test_per(FRAMING)
class OnePacketTests(RequestStage):
    """The whole attack in one write."""

    async def check(self, row):
        self.start()
        await self.answered(row, self.fill(row.raw + NEXT))


@one_test_per(FRAMING)
class TwoPacketTests(RequestStage):
    """Head first, body later."""

    async def check(self, row):
        self.start()
        head, gap, body = self.fill(row.raw + NEXT).partition(b"\r\n\r\n")
        await self.answered(row, head + gap, body)


@one_test_per(FRAMING[:: len(FRAMING) // 12])
class AnyPacketTests(RequestStage):
    """Packets of random sizes, the same ones in every run."""

    async def check(self, row):
        self.start()
        raw = self.fill(row.raw + NEXT)
        dice = random.Random(row.name)
        cuts = sorted(dice.sample(range(1, len(raw)), 6))
        pieces = [raw[a:b] for a, b in pairwise([0, *cuts, len(raw)])]
        await self.answered(row, *pieces)


@one_test_per(FRAMING)
class ManyPacketTests(RequestStage):
    """A byte a packet, where there are not too many: the answers are the same."""

    async def check(self, row):
        self.start()
        raw = self.fill(row.raw + NEXT)
        size = max(1, len(raw) // _MOST_PACKETS)
        await self.answered(row, *(raw[at : at + size] for at in range(0, len(raw), size)))
