"""The workers of a supervisor: begun, put in the place of those that ended, told and asked.

A worker that is killed takes its own streams with it, and nothing else: what waits in the queues of
its sockets is there for the next one, which gets them from the supervisor, and until then for
another worker, which stands in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..admin.sums import Written, lasting, summed, written_metric
from ..config.load import ConfigFile
from ..errors import Unavailable
from .channel import Channel
from .shared import Common
from .spawn import Spawn

#: Seconds until a worker that ended is replaced: at first, and at most.
FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0
#: A worker that lived so many seconds was well: its successor waits for :data:`FIRST_WAIT` only.
WELL = 30.0
#: Seconds between two looks at the workers' numbers: so much of its counts is lost with a worker
#: that is killed.
LOOK = 1.0
#: So many looks that a worker misses in a row make it one that is stuck.
STUCK = 5
# Seconds that a worker has to answer a probe.
_PROMPT = 0.8
# Seconds that a reload may take in a worker.
_RELOAD = 30.0
# Seconds beyond its own deadlines after which a worker that does not end is killed.
_GRACE = 10.0
_HURRY = 3.0
_DEAD = "lost: its process has ended"


class Worker:
    """One place in the crew, whose process may change.

    :ivar state: "starting", "ready", "ending" or "down".
    :ivar numbers: as the process told them last.
    :ivar vacant: a process has ended here, and no other serves yet; or it answers nothing.
    :ivar missed: looks in a row that it has not answered.
    :ivar helper: who accepts on its sockets meanwhile.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = "down"
        self.channel: Channel | None = None
        self.process: Any = None
        self.pid = 0
        self.born = 0.0
        self.wait = FIRST_WAIT
        self.next: Any = None
        self.numbers: Sequence[Written] = ()
        self.vacant = False
        self.missed = 0
        self.helper: Worker | None = None
        self.ended: Deferred[None] = succeed(None)

    @property
    def name(self) -> str:
        """For people: they count from 1."""
        return f"worker {self.number + 1}"


class Crew:
    """The workers of one supervisor; a :class:`~..server.parts.Crew`.

    :param size: how many there are.
    :param spawn: begins a process.
    :ivar file: the config that serves, for workers that begin.
    :ivar most: seconds that they may take to end: of ``lame_duck`` and ``drain_timeout``.
    """

    _log = Logger()

    def __init__(self, size: int, reactor: Any, spawn: Spawn) -> None:
        self._reactor = reactor
        self._spawn = spawn
        self.workers = [Worker(number) for number in range(size)]
        self.common = Common(reactor)
        self.file: ConfigFile | None = None
        self.most = 0.0
        self.restarts = 0
        self._past: list[Written] = []
        self._descriptors: Callable[[int], Sequence[tuple[str, int]]] = lambda _: ()
        self._stopping = False
        self._looks = LoopingCall(lambda: Deferred.fromCoroutine(self.look()))
        self._looks.clock = reactor
        self._deadlines: list[Any] = []

    def start(self, descriptors: Callable[[int], Sequence[tuple[str, int]]]) -> None:
        """See :class:`~..server.parts.Crew`."""
        self._descriptors = descriptors
        self._stopping = False
        for worker in self.workers:
            self._begin(worker)
        self._looks.start(LOOK, now=False)

    def _begin(self, worker: Worker) -> None:
        assert self.file is not None
        worker.next = None
        worker.state, worker.born = "starting", self._reactor.seconds()
        worker.numbers, worker.missed = (), 0
        worker.ended = Deferred()
        handlers = {
            **self.common.handlers(),
            "ready": lambda addresses: self._ready(worker, addresses),
            "numbers": lambda numbers: setattr(worker, "numbers", numbers),
        }
        worker.channel = Channel(self._reactor, handlers, lambda: None)
        try:
            worker.process = self._spawn(
                worker.name, worker.channel, lambda how: self._ended(worker, how)
            )
        except OSError as error:
            self._ended(worker, f"could not begin: {error.strerror or error}")
            return
        worker.pid = worker.process.pid
        names, descriptors = self._sockets(worker)
        worker.channel.tell(
            "begin",
            descriptors,
            sockets=names,
            secret=self.common.secret.hex(),
            **_written(self.file),
        )

    def _sockets(self, worker: Worker) -> tuple[list[str], tuple[int, ...]]:
        given = self._descriptors(worker.number)
        return [name for name, _ in given], tuple([descriptor for _, descriptor in given])

    def _ready(self, worker: Worker, addresses: Sequence[str]) -> None:
        if worker.state == "starting":
            worker.state = "ready"
            self._stand_down(worker)
            self._fill()
        self._log.info(
            "{name} serves, process {pid}: {addresses}",
            name=worker.name,
            pid=worker.pid,
            addresses=", ".join(addresses),
        )

    def _ended(self, worker: Worker, how: str) -> None:
        """Put another process in the place of one that ended *how*, soon."""
        worker.state, worker.process = "down", None
        self._remember(worker)
        ended, worker.ended = worker.ended, succeed(None)
        if self._stopping:
            self._log.info("{name} ended, process {pid}: {how}", **_of(worker), how=how)
            ended.callback(None)
            return
        if self._reactor.seconds() - worker.born >= WELL:
            worker.wait = FIRST_WAIT
        self._log.warn(
            "{name} ended, process {pid}: {how}; the next begins in {wait:g} s",
            **_of(worker),
            how=how,
            wait=worker.wait,
        )
        worker.next = self._reactor.callLater(worker.wait, self._replace, worker)
        worker.wait = min(worker.wait * 2, LONGEST_WAIT)
        worker.vacant = True
        for other in self.workers:
            other.helper = None if other.helper is worker else other.helper
        self._fill()
        ended.callback(None)

    def _fill(self) -> None:
        """Let somebody accept on the sockets of each worker that does not, until it does."""
        ready = [worker for worker in self._with("ready") if not worker.vacant]
        for worker in self.workers:
            if worker.vacant and worker.helper is None and ready:
                worker.helper = ready[0]
                self._stand_in(worker)

    def _stand_in(self, worker: Worker) -> None:
        names, descriptors = self._sockets(worker)
        assert worker.helper is not None and worker.helper.channel is not None
        worker.helper.channel.tell("stand_in", descriptors, number=worker.number, sockets=names)

    def _stand_down(self, worker: Worker) -> None:
        helper, worker.helper, worker.vacant = worker.helper, None, False
        if helper is not None and helper.channel is not None:
            helper.channel.tell("stand_down", number=worker.number)

    def _replace(self, worker: Worker) -> None:
        self.restarts += 1
        self._begin(worker)

    def _remember(self, worker: Worker) -> None:
        """Keep the counts of a process that has ended: a counter never goes back."""
        numbers, worker.numbers = lasting(worker.numbers), ()
        if numbers:
            self._past = [written_metric(metric) for metric in summed(self._past, [numbers])]

    async def reload(self, file: ConfigFile) -> list[str]:
        """Let every worker read *file*, and say for each that does not serve by it why.

        A process that begins from now on does.
        """
        self.file = file
        asked = []
        for worker in self._with("starting", "ready"):
            names, descriptors = self._sockets(worker)
            assert worker.channel is not None
            answer = worker.channel.ask(
                "reload", descriptors, patience=_RELOAD, sockets=names, **_written(file)
            )
            asked.append(answer.addErrback(_reason).addCallback(_after, worker))
        for worker in self.workers:
            if worker.helper is not None:
                self._stand_in(worker)
        problems = []
        for _, told in await DeferredList(asked):
            name, lines = told
            # The next process of a worker that has ended meanwhile serves by the new config.
            problems += [f"{name}: {line}" for line in lines if line != _DEAD]
        return problems

    def _with(self, *states: str) -> list[Worker]:
        return [worker for worker in self.workers if worker.state in states]

    def stop(self) -> Deferred[None]:
        """See :class:`~..server.parts.Crew`."""
        self._stopping = True
        if self._looks.running:
            self._looks.stop()
        for worker in self.workers:
            if worker.next is not None:
                worker.next.cancel()
                worker.next = None
        self._tell("stop")
        self._kill_in(self.most + _GRACE)
        return Deferred.fromCoroutine(self._all_ended())

    async def _all_ended(self) -> None:
        await DeferredList([worker.ended for worker in self.workers])
        deadlines, self._deadlines = self._deadlines, []
        for deadline in deadlines:
            if deadline.active():
                deadline.cancel()

    def hurry(self) -> None:
        """See :class:`~..server.parts.Crew`."""
        if self._stopping:
            self._tell("hurry")
            self._kill_in(_HURRY)

    def _tell(self, word: str) -> None:
        for worker in self._with("starting", "ready", "ending"):
            worker.state = "ending"
            assert worker.channel is not None
            worker.channel.tell(word)

    def _kill_in(self, seconds: float) -> None:
        self._deadlines.append(self._reactor.callLater(seconds, self._kill))

    def _kill(self) -> None:
        for worker in self._with("ending"):
            self._log.error("{name} does not end, and is killed: process {pid}", **_of(worker))
            worker.process.signalProcess("KILL")

    async def checks(self) -> Mapping[str, str]:
        """See :class:`~..server.parts.Crew`."""
        prompt = self._with("ready")
        answers = await DeferredList(
            [self._ask(worker, "check").addErrback(lambda _: "no answer") for worker in prompt]
        )
        found = {worker.name: worker.state for worker in self.workers}
        return found | {w.name: told for w, (_, told) in zip(prompt, answers, strict=True)}

    def _ask(self, worker: Worker, word: str) -> Deferred[Any]:
        assert worker.channel is not None
        return worker.channel.ask(word, patience=_PROMPT)

    async def look(self) -> None:
        """See :class:`~..server.parts.Crew`."""

        def keep(numbers: Any, worker: Worker, process: Any) -> None:
            if worker.process is process:
                worker.numbers, worker.missed = numbers, 0
                if worker.vacant:
                    self._log.info("{name} answers again, process {pid}", **_of(worker))
                    self._stand_down(worker)

        def late(failure: Failure, worker: Worker) -> None:
            failure.trap(Unavailable)  # What it told last counts on.
            worker.missed += 1
            if worker.missed == STUCK and worker.state == "ready":
                self._log.error("{name} is stuck: it answers nothing; process {pid}", **_of(worker))
                worker.vacant = True
                for other in self.workers:
                    other.helper = None if other.helper is worker else other.helper
                self._fill()

        await DeferredList(
            [
                self._ask(worker, "numbers")
                .addCallback(keep, worker, worker.process)
                .addErrback(late, worker)
                for worker in self._with("ready", "ending")
            ]
        )

    def numbers(self) -> Sequence[Sequence[Written]]:
        """See :class:`~..server.parts.Crew`."""
        return [self._past, *(worker.numbers for worker in self.workers)]

    def states(self) -> Mapping[str, int]:
        """See :class:`~..server.parts.Crew`."""
        counts = Counter(worker.state for worker in self.workers)
        return {state: counts[state] for state in ("starting", "ready", "ending", "down")}


def _of(worker: Worker) -> dict[str, Any]:
    return {"name": worker.name, "pid": worker.pid}


def _written(file: ConfigFile) -> dict[str, Any]:
    return {"path": str(file.path), "text": file.text, "readable": file.readable}


def _reason(failure: Failure) -> list[str]:
    failure.trap(Unavailable)
    error: Any = failure.value
    return [error.reason]


def _after(lines: list[str], worker: Worker) -> tuple[str, list[str]]:
    return worker.name, [_DEAD] if worker.process is None else lines
