"""Our reading of raw requests against that of nginx and haproxy, as oracles.

What we accept must mean to them what it means to us: the same requests, in number, method, path
and body. What we refuse they may accept.
"""

import re

from attrs import define
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from naap_twisted.testing import RawClient
from tests.integration.support import IntegrationTestCase

from . import peers
from .corpus import CORPUS, HOSTILE, PATH, VALID

_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d) ")
_QUIET = 0.1  # seconds without an event after which a server has said all


@define
class Reading:
    """What one server made of one raw request: final statuses, and what its upstream was asked."""

    statuses: list
    asked: list
    closed: bool

    @property
    def accepted(self):
        return bool(self.statuses) and 200 <= self.statuses[0] < 300 and bool(self.asked)

    def __str__(self):
        statuses = "+".join(map(str, self.statuses)) or ("closed" if self.closed else "waits")
        return f"{statuses} ({len(self.asked)})" if self.asked else statuses


class CorpusTests(IntegrationTestCase):
    timeout = 120

    async def read_all(self, port, echo):
        """Every request of the corpus, one after the other, each on its own connection."""
        return [await self.read(port, echo, raw) for _, _, raw in CORPUS]

    async def read(self, port, echo, raw):
        before = len(echo.asked)
        client = await RawClient.connect(self, port)
        client.send(raw.replace(b"%P", PATH))
        seen = None
        await deferLater(reactor, _QUIET / 5)
        while seen != (now := (len(client.buffer), client.closed, len(echo.asked))):
            seen = now
            await deferLater(reactor, _QUIET if client.buffer or client.closed else 3 * _QUIET)
        statuses = [int(found) for found in _STATUS.findall(bytes(client.buffer))]
        closed = client.closed
        await client.stop()
        return Reading(statuses, echo.asked[before:], closed)

    async def start_ours(self, echo):
        self.running = self.serve(server_names=["a.example"])
        self.upstream = echo
        self.mount(
            "/echo",
            target=echo.origin + PATH.decode(),
            methods=["GET", "POST", "PUT", "DELETE"],
            content_type="*/*",
        )
        return self.running.port

    async def test_same_meaning(self):
        """Prints who refused what; peers that are not installed are left out, and named."""
        self.assertGreater(len(CORPUS), 100)
        echoes = [peers.Echo(self) for _ in range(3)]
        names = ["ours", "nginx", "haproxy"]
        ports = [
            await self.start_ours(echoes[0]),
            await peers.nginx(self, echoes[1]),
            await peers.haproxy(self, echoes[2]),
        ]
        missing = [name for name, port in zip(names, ports, strict=True) if port is None]
        if missing:
            print(f"\n  skipped, not installed (Debian: nginx-light, haproxy): {missing}")
        present = [place for place, port in enumerate(ports) if port is not None]
        read = await gatherResults(
            [
                Deferred.fromCoroutine(self.read_all(ports[place], echoes[place]))
                for place in present
            ],
            consumeErrors=True,
        )
        readings = {names[place]: found for place, found in zip(present, read, strict=True)}
        self.show(readings)
        problems = []
        for at, (name, verdict, _) in enumerate(CORPUS):
            problems += self.judge(name, verdict, {who: r[at] for who, r in readings.items()})
        self.assertEqual(problems, [], "\n" + "\n".join(problems))

    def show(self, readings):
        """Who refused what."""
        print("\n  " + f"{'status (requests upstream)':33}" + "".join(f"{n:14}" for n in readings))
        for at, (name, verdict, _) in enumerate(CORPUS):
            cells = "".join(f"{found[at]!s:14}" for found in readings.values())
            print(f"  {name:33}{cells}{verdict}")

    def judge(self, name, verdict, found):
        ours = found["ours"]
        if verdict == HOSTILE and (ours.accepted or ours.asked):
            yield f"{name}: accepted by us: {ours.asked}"
        if verdict == VALID and not ours.accepted:
            yield f"{name}: refused by us: {ours}"
        if not ours.accepted:
            return
        for who, theirs in found.items():
            if theirs.accepted and theirs.asked != ours.asked:
                yield f"{name}: we asked {ours.asked}, {who} asked {theirs.asked}"

    def test_the_judge_itself(self):
        """It speaks where two readings differ, and where ours is against the corpus's word."""
        one = peers.Asked(b"GET", b"/a", b"")
        two = peers.Asked(b"GET", b"/b", b"")
        taken, more, other = (
            Reading([200], [one], False),
            Reading([200, 200], [one, two], False),
            Reading([200], [two], False),
        )
        refused = Reading([400], [], True)
        for verdict, ours, theirs, count in (
            (VALID, taken, taken, 0),
            (VALID, taken, refused, 0),
            (VALID, taken, more, 1),
            (VALID, taken, other, 1),
            (VALID, refused, taken, 1),
            (HOSTILE, refused, more, 0),
            (HOSTILE, taken, refused, 1),
            (HOSTILE, Reading([400], [one], True), refused, 1),
        ):
            found = list(self.judge("x", verdict, {"ours": ours, "theirs": theirs}))
            self.assertEqual(len(found), count, (verdict, ours, theirs, found))
