"""Tests of naap_twisted.start.channel: over a real pair of UNIX sockets."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorSocket
from twisted.trial.unittest import TestCase

from naap_twisted.errors import Unavailable
from naap_twisted.start import channel as module
from naap_twisted.start.channel import Channel, OneChannel
from tests.demo.loopback import until


def join(*channels: Channel) -> None:
    """Connect two channels."""
    adopt = IReactorSocket(reactor).adoptStreamConnection
    for end, channel in zip(socket.socketpair(), channels, strict=True):
        end.setblocking(False)
        adopt(end.fileno(), socket.AF_UNIX, OneChannel(channel))
        end.close()


class ChannelTests(TestCase):
    def setUp(self) -> None:
        self.told: list[Any] = []
        self.lost: list[str] = []
        handlers = {
            "say": lambda number: self.told.append(number),
            "double": lambda number: 2 * number,
            "later": lambda: succeed({"a": [1, None]}),
            "never": Deferred,
            "busy": lambda: fail(Unavailable(reason="no room")),
            "broken": lambda: {}["x"],
            "files": self.files,
        }
        self.near = Channel(reactor, {}, lambda: self.lost.append("near"))
        self.far = Channel(reactor, handlers, lambda: self.lost.append("far"))
        join(self.near, self.far)
        self.addCleanup(self.end)

    async def end(self) -> None:
        self.near.close()
        await until(lambda: len(self.lost) == 2)

    def files(self, count: int) -> str:
        content = b""
        for descriptor in self.far.take_descriptors(count):
            self.assertFalse(os.get_inheritable(descriptor))
            content += os.read(descriptor, 9)
            os.close(descriptor)
        return content.decode()

    async def reason(self, asked: Deferred[Any]) -> str:
        error = await self.assertFailure(asked, Unavailable)
        return str(error.reason)

    async def test_talk(self) -> None:
        """What is told comes in order; what is asked is answered, at once or later."""
        for number in range(3):
            self.near.tell("say", number=number)
        self.assertEqual(await self.near.ask("double", number=21), 42)
        self.assertEqual(self.told, [0, 1, 2])
        self.assertEqual(await self.near.ask("later"), {"a": [1, None]})
        self.assertEqual(await self.reason(self.near.ask("busy")), "no room")
        self.assertEqual(await self.reason(self.near.ask("broken")), "it failed there")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        never = self.near.ask("never", patience=0.01)
        self.assertEqual(await self.reason(never), "no answer to never within 0.01 s")
        self.assertEqual(self.near._asked, {})

    async def test_descriptors(self) -> None:
        """File descriptors belong to the line that they are sent with, though several come."""
        asked = []
        for words in ((b"a", b"b"), (b"c",), ()):
            ends = []
            for word in words:
                read, write = os.pipe()
                os.write(write, word)
                os.close(write)
                ends.append(read)
            asked.append(self.near.ask("files", tuple(ends), count=len(ends)))
            self.addCleanup(lambda ends=ends: [os.close(end) for end in ends])
        self.assertEqual([await answer for answer in asked], ["ab", "c", ""])
        self.assertEqual(await self.reason(self.near.ask("files", count=1)), "it failed there")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        read, write = os.pipe()
        os.close(write)
        self.near.tell("double", (read,), number=1)
        await self.near.ask("double", number=1)
        (unused,) = self.far.descriptors
        await self.end()
        os.close(read)
        self.assertRaises(OSError, os.fstat, unused)

    async def test_lost(self) -> None:
        """Without the other side every question fails, and nothing that is told is kept."""
        waiting = self.near.ask("never")
        self.far.close()
        self.assertIn("is gone", await self.reason(waiting))
        await until(lambda: len(self.lost) == 2)
        self.assertIn("is gone", await self.reason(self.near.ask("double", number=1)))
        self.near.tell("double", number=1)

    async def test_bounds(self) -> None:
        """Questions are bounded, and a line that is none of ours ends the connection."""
        self.patch(module, "MOST_ASKED", 1)
        first = self.near.ask("never")
        self.assertIn("overloaded", await self.reason(self.near.ask("double", number=1)))
        self.near.transport.write(b"nonsense\n")
        self.assertIn("is gone", await self.reason(first))
        await until(lambda: len(self.lost) == 2)

    async def test_left(self) -> None:
        """An answer that nobody waits for any more changes nothing."""
        given: Deferred[Any] = Deferred()
        self.far._handlers = {"slow": lambda: given, "double": lambda number: 2 * number}
        asked = self.near.ask("slow")
        asked.addErrback(lambda _: None)
        asked.cancel()
        given.callback(1)
        self.assertEqual(await self.near.ask("double", number=1), 2)
