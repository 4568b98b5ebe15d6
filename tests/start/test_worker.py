"""Tests of naap_twisted.start.worker: the worker's side, spoken to over a real channel."""

from __future__ import annotations

import json
import socket
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.start import worker
from naap_twisted.start.channel import Channel
from naap_twisted.start.shared import Common
from naap_twisted.start.worker import WorkerSide, piped_log
from naap_twisted.testing import RawClient
from tests.config.support import text_of
from tests.demo.loopback import until

from .test_channel import join


class Stopped:
    """The reactor, but that it is asked to stop and does not."""

    def __init__(self) -> None:
        self.triggers: list[Any] = []
        self.stops = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def addSystemEventTrigger(self, phase: str, event: str, call: Any) -> None:
        self.triggers.append(call)

    def stop(self) -> None:
        self.stops += 1


class WorkerTests(TestCase):
    def setUp(self) -> None:
        self.patch(worker, "settle_down", lambda *_, **__: None)
        self.stopped = Stopped()
        self.side = WorkerSide(self.stopped)
        self.drain = self.stopped.triggers[0]
        self.told: list[Any] = []
        handlers = {
            **Common(reactor).handlers(),
            "ready": lambda addresses: self.told.append(addresses),
            "numbers": lambda numbers: self.told.append(numbers),
        }
        self.boss = Channel(reactor, handlers, lambda: self.told.append("lost"))
        join(self.boss, self.side.channel)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def file(self, listen: str, **edits: str) -> dict[str, Any]:
        server = f'[server]\nlisten = ["{listen}"]\nadmin_listen = "tcp:9:interface=127.0.0.1"'
        path = self.folder / "x.toml"
        return {"path": str(path), "text": text_of(server=server, **edits), "readable": False}

    async def test_life(self) -> None:
        """It serves on the given socket by the given text, reloads, tells numbers, and drains."""
        with socket.socket() as given:
            given.bind(("127.0.0.1", 0))
            given.listen()
            number = given.getsockname()[1]
            listen = f"tcp:{number}:interface=127.0.0.1"
            begin = {"sockets": [listen], "secret": "00" * 32, **self.file(listen)}
            self.boss.tell("begin", (given.fileno(),), **begin)
            await until(lambda: self.told)
            self.assertEqual(self.told, [[f"http://127.0.0.1:{number}"]])
            self.assertEqual(await self.boss.ask("check"), "ok")
            client = await RawClient.connect(self, number)
            client.request("POST", "/api/v1/a", {"Content-Length": "0"})
            self.assertEqual((await client.answer("POST")).status, 400)
            numbers = {metric[0]: metric[3] for metric in await self.boss.ask("numbers")}
            self.assertEqual(
                numbers["naap_requests"],
                [["naap_requests_total", {"route": "/api/v1/a", "status": "4xx"}, 1]],
            )
            proxy = '[[proxy]]\npath = "/b"\nallowed_hosts = ["api.openai.com"]'
            again = {"sockets": [listen], **self.file(listen, proxy=proxy)}
            answer = await self.boss.ask("reload", (given.fileno(),), **again)
        self.assertEqual(answer, [])
        client.request("POST", "/api/v1/a", {"Content-Length": "0"})
        self.assertEqual((await client.answer("POST")).status, 404)
        problems = await self.boss.ask("reload", sockets=[], **self.file(listen, more="x = 1"))
        self.assertIn("x: unknown key", problems[0])
        self.boss.tell("stop")
        self.boss.tell("stop")
        await until(lambda: self.stopped.stops)
        await self.drain()
        await until(lambda: "lost" in self.told)
        self.assertEqual(self.told[1][0][0], "naap_requests")
        self.assertEqual((self.stopped.stops, self.side.status), (1, 0))

    async def test_can_not(self) -> None:
        """A worker that can't serve says why, and ends with status 1."""
        listen = "tcp:1:interface=127.0.0.1"
        with capturedLogs() as logs:
            self.boss.tell("begin", sockets=[], secret="00", **self.file(listen))
            await until(lambda: self.stopped.stops)
        told = [formatEvent(event) for event in logs if event["log_level"] is LogLevel.critical]
        self.assertEqual(len(told), 1)
        self.assertIn("the supervisor has given no socket", told[0])
        self.assertEqual(self.side.status, 1)
        self.assertIsNone(self.drain())
        self.assertEqual(await self.boss.ask("numbers"), [])
        told = await self.boss.ask("reload", sockets=[], **self.file(listen))
        self.assertEqual(told, ["it does not serve"])
        self.side.hurry()
        self.boss.close()
        await until(lambda: "lost" in self.told)

    async def test_misled(self) -> None:
        """Sockets that are announced and not there end it, with the traceback in the log."""
        listen = "tcp:1:interface=127.0.0.1"
        self.boss.tell("begin", sockets=[listen], secret="00", **self.file(listen))
        await until(lambda: self.stopped.stops)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.side.status, 1)
        self.boss.close()
        await until(lambda: "lost" in self.told)


class LogTests(SynchronousTestCase):
    def test_piped(self) -> None:
        """An event is one line of JSON: level, namespace and text, tracebacks included."""
        out = StringIO()
        self.patch(worker.sys, "stdout", out)
        observer = piped_log()
        observer({"log_level": LogLevel.warn, "log_namespace": "a", "log_format": "b\nc"})
        observer({"log_format": "d"})
        self.assertEqual(
            [json.loads(line) for line in out.getvalue().splitlines()],
            [["warn", "a", "b\nc"], ["info", "-", "d"]],
        )
