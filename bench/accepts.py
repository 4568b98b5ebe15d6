"""``python -m bench.accepts``: how evenly workers accept, from one socket and from a socket each.

400 connections stay open: opened at once, one by one, and with pauses. The share of the fullest
worker is printed. ``--stores`` measures instead what a shared count costs: over the channel to the
supervisor, and in SQLite.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_CONNECTIONS = 400
_PAUSES = {"at once": None, "one by one": 0.0, "with pauses": 0.002}
_ASKED = 2_000


def _bound(port: int, shared: bool) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if not shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.listen(1024)
    made.setblocking(False)
    return made


def _serve(listening: socket.socket, number: int) -> None:
    from twisted.internet import reactor
    from twisted.internet.protocol import Factory, Protocol

    class Tell(Protocol):
        def connectionMade(self) -> None:
            self.transport.write(b"%d" % number)

    reactor.adoptStreamPort(listening.fileno(), socket.AF_INET, Factory.forProtocol(Tell))
    reactor.run()


@contextmanager
def _workers(count: int, shared: bool) -> Iterator[int]:
    """The port on which *count* processes accept."""
    sockets = [_bound(0, shared)]
    port = sockets[0].getsockname()[1]
    if not shared:
        sockets += [_bound(port, shared) for _ in range(count - 1)]
    pids = []
    for number in range(count):
        pid = os.fork()
        if not pid:
            try:
                _serve(sockets[number % len(sockets)], number)
            finally:
                os._exit(0)
        pids.append(pid)
    try:
        time.sleep(1.5)  # All of them have to accept before the first connection comes.
        yield port
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for each in sockets:
            each.close()


async def _fullest(port: int, pause: float | None) -> float:
    async def connect() -> tuple[bytes, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return await reader.read(1), writer

    if pause is None:
        found = [*await asyncio.gather(*[connect() for _ in range(_CONNECTIONS)])]
    else:
        found = []
        for _ in range(_CONNECTIONS):
            found.append(await connect())
            await asyncio.sleep(pause)
    for _, writer in found:
        writer.close()
    return max(Counter(who for who, _ in found).values()) / _CONNECTIONS


def accepts() -> None:
    """Print a line for each way."""
    for count in (2, 4):
        for shared in (True, False):
            for name, pause in _PAUSES.items():
                with _workers(count, shared) as port:
                    share = asyncio.run(_fullest(port, pause))
                way = "one socket for all" if shared else "a socket for each"
                print(f"{count} workers, {way}, {name}: the fullest has {share:.0%}")


def _asks_of_channel(ending: socket.socket) -> None:
    """The supervisor's side, in a process of its own."""
    from twisted.internet import reactor

    from naap_twisted.start.channel import Channel, OneChannel
    from naap_twisted.start.shared import Common

    channel = Channel(reactor, Common(reactor).handlers(), reactor.stop)
    reactor.adoptStreamConnection(ending.fileno(), socket.AF_UNIX, OneChannel(channel))
    ending.close()
    reactor.run()


def stores() -> None:
    """Print what a reservation costs: one at a time, and 50 at once."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    pid = os.fork()
    if not pid:
        try:
            ours.close()
            _asks_of_channel(theirs)
        finally:
            os._exit(0)
    theirs.close()
    from twisted.internet import reactor, task
    from twisted.internet.defer import Deferred, gatherResults

    from naap_twisted.spend.ledger import Charge, Ledger
    from naap_twisted.spend.sql_ledger import SqlLedger
    from naap_twisted.start.channel import Channel, OneChannel
    from naap_twisted.start.shared import ChannelWorkplace
    from naap_twisted.storage.database import Database

    async def measure(name: str, ledger: Ledger, at_once: int) -> None:
        charge = Charge("who", 5, 5, 7, limit=10**9, amount=1, enforced=True, keep=120)
        started, cpu = time.monotonic(), time.process_time()
        for _ in range(_ASKED // at_once):
            await gatherResults([ledger.reserve([charge]) for _ in range(at_once)])
        spent, used = time.monotonic() - started, time.process_time() - cpu
        print(
            f"{name}, {at_once} at once: {spent / _ASKED * 1e6:.0f} us each,"
            f" {used / _ASKED * 1e6:.0f} us of CPU in the worker"
        )

    async def run() -> None:
        channel = Channel(reactor, {}, lambda: None)
        reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, OneChannel(channel))
        ours.close()
        with tempfile.TemporaryDirectory() as folder:
            database = Database.in_directory(folder, reactor)
            database.open()
            for at_once in (1, 50):
                await measure("channel", ChannelWorkplace(channel, b"").ledger(), at_once)
                await measure("SQLite", SqlLedger(database), at_once)
            database.close()
        channel.close()

    try:
        task.react(lambda _: Deferred.fromCoroutine(run()))
    finally:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    stores() if sys.argv[1:] == ["--stores"] else accepts()
