"""The stage of the wallet's faults: a :class:`Maker`, proxies before it, callers, and a witness.

The witness reads the ledger on a connection of its own while callers come and go. At every moment
the ledger has at least what was made, and passes the limit by less than one worst case.
"""

from __future__ import annotations

import json
import random
import threading
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults, maybeDeferred
from twisted.internet.error import ConnectError
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from naap_twisted.testing import RawClient

from ..adversarial.process import SERVER, ProxyProcess
from ..integration.support import until
from .books import Books, MemoryBooks
from .maker import ENDS, PRICES, Amount, Maker, Plan, Work, worst

WORST = worst(Plan(0, 0, "told").body())
UNITS = ("tokens", "usd")
_REST = 0.003
_CALM = 0.1


def budget(unit: str, fits: int) -> dict[str, Any]:
    """A budget of so many worst cases; it rolls, so that no test sees it turn."""
    limit = fits * WORST.of(unit)
    return {unit: f"{limit / 1e9:.9f}" if unit == "usd" else limit, "per": "24h", "of": "route"}


def route(name: str, origin: str, budget: dict[str, Any]) -> str:
    """The table of a route."""
    written = ", ".join(f"{key} = {json.dumps(value)}" for key, value in budget.items())
    return f"""
[[proxy]]
path = "/{name}"
provider = "openai"
target = "{origin}/{name}"
endpoints = ["@chat"]
key = "sk-of-the-wallet-suite"
circuit_breaker = false
budget = [{{ {written} }}]
"""


@define
class Witness:
    """Reads *books* until it is told to stop.

    :ivar fits: worst cases that every budget has room for.
    :ivar broken: what it saw that must not be.
    :ivar seen: how often it looked; *highest*: of each account, of what counts.
    """

    books: Books
    maker: Maker
    fits: int
    broken: list[str] = field(factory=list)
    seen: int = 0
    highest: dict[str, int] = field(factory=dict)
    _stop: threading.Event = field(factory=threading.Event)
    _done: Any = None

    def start(self) -> None:
        """Look every few milliseconds: at memory from the reactor, else from a thread."""
        if isinstance(self.books, MemoryBooks):
            self._done = LoopingCall(self.look)
            self._done.start(_REST)
        else:
            self._done = deferToThread(self._run)
        self.maker.test.addCleanup(self._end)

    async def stop(self) -> None:
        """Look no more."""
        await maybeDeferred(self._end)

    def _end(self) -> Any:
        done, self._done = self._done, None
        self._stop.set()
        return done.stop() if isinstance(done, LoopingCall) else done

    def _run(self) -> None:
        while not self._stop.wait(_REST):
            self.look()

    def look(self) -> None:
        """Compare what was made with what the ledger has then."""
        works = [(work.route, work.made) for work in list(self.maker.works)]
        try:
            sums = self.books.sums()
        except OSError:
            return  # it is being restarted
        self.seen += 1
        for (name, unit), (spent, held) in sums.items():
            made = sum(amount.of(unit) for at, amount in works if at == name)
            account = f"{name} {unit}"
            self.highest[account] = max(spent + held, self.highest.get(account, 0))
            if not made <= spent + held < (self.fits + 1) * WORST.of(unit):
                self.broken.append(f"{account}: {spent} spent, {held} held, {made} made")


class WalletFaultCase(TestCase):
    """:ivar shared: lines of TOML that name the ledger; of the server, and tables of their own.

    :ivar fits: worst cases that every budget has room for.
    :ivar books: the test's own reader of the ledger.
    """

    timeout = 300
    shared: tuple[str, str] = ("", "")
    ready = b"listens on"
    fits = 30
    books: Any = None

    async def open(self, *names: str, processes: int = 1) -> None:
        """Start the maker, and proxies with routes ``NAME-tokens`` and ``NAME-usd``."""
        self.maker = Maker(self)
        of_server, tables = self.shared
        self.config = SERVER.replace("[server]", f"[server]\n{of_server}", 1) + PRICES + tables
        self.routes = "".join(
            route(f"{name}-{unit}", self.maker.origin, budget(unit, self.fits))
            for name in names
            for unit in UNITS
        )
        self.processes: list[Any] = await gatherResults(
            [Deferred.fromCoroutine(self.process()) for _ in range(processes)]
        )
        self.books = self.open_books()
        self.number = 0

    def open_books(self) -> Books:
        """One more reader of the ledger, which has a connection of its own."""
        raise NotImplementedError

    def witness(self) -> Witness:
        """A witness who looks already."""
        witness = Witness(self.open_books(), self.maker, self.fits)
        witness.start()
        return witness

    async def process(self, before: str = "") -> Any:
        """One more proxy, which listens and has its ledger."""
        process = ProxyProcess(self, self.routes, server=self.config, before=before)
        await process.started()
        await process.until(lambda: self.ready in process.output)
        return process

    def plan(self, events: int, end: str, word: str = "word") -> Plan:
        """The next plan."""
        self.number += 1
        return Plan(self.number, events, end, word)

    async def ask(self, process: Any, name: str, plan: Plan) -> int:
        """Play the caller of a plan; the status, or 0 where none came."""
        try:
            client = await RawClient.connect(self, process.port)
        except ConnectError:
            return 0
        headers = {"Content-Type": "application/json", "Connection": "close"}
        path = f"/api/v1/{name}/chat/completions"
        client.request("POST", path, headers, plan.body())
        try:
            return await self._listen(client, plan)
        except EOFError:
            return 0
        finally:
            await client.stop()

    async def ask_surely(self, process: Any, name: str, events: int, end: str) -> int:
        """:meth:`ask` again where the ledger can't be asked: on a busy machine it may seem gone."""
        for _ in range(100):
            status = await self.ask(process, name, self.plan(events, end))
            if status != 503:
                return status
            await deferLater(reactor, _CALM)
        raise AssertionError("the ledger does not come back")

    async def _listen(self, client: RawClient, plan: Plan) -> int:
        if plan.end == "bolted":
            came = self.maker.until(lambda: self.maker.has(plan))
            answered = client.until(lambda: client.buffer or client.closed)
            await DeferredList([came, answered], fireOnOneCallback=True, consumeErrors=True)
            came.cancel()
            answered.cancel()
            return int((await client.head("POST")).status) if client.buffer else 0
        head = await client.head("POST")
        if head.status == 200 and plan.end in ("left", "reset"):
            await client.until(lambda: _events(client) >= plan.events or client.closed)
            if plan.end == "reset" and self.maker.has(plan):
                self.maker.reset(plan)
                await client.read_to_end()
        else:
            await client.read_to_end()
        return int(head.status)

    def random_plan(self, chance: random.Random) -> Plan:
        """Any number of events, any end."""
        end = chance.choice((*ENDS, "told", "told", "told"))
        return self.plan(chance.randrange(24), end, chance.choice(("wor", "word")))

    async def settled(self) -> None:
        """Once nothing is held any more."""
        await until(lambda: not any(held for _, held in self.books.sums().values()), 10.0)


def _events(client: RawClient) -> int:
    return client.buffer.count(b'"content"')


def booked(work: Work) -> Amount:
    """What a question costs by the rules of docs/spend.md, once its end is seen.

    It is what was reported; else the estimate of what came, which is more than was made by a half
    at most, and no more than was reserved; and all of that where no answer came.
    """
    plan = work.plan
    if work.tells or plan.end == "refused":
        return work.made
    if plan.end in ("bolted", "deaf"):
        return WORST
    if not plan.events and plan.end != "untold":
        return WORST  # It broke off, and nobody saw whether it had thought of something.
    words = -(-plan.events * len(plan.word) // 3)
    return Amount(WORST.input, min(max(plan.events, words), WORST.output))
