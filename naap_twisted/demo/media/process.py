"""The media endpoint as a child process of the demo, because aiortc needs asyncio's reactor."""

# Half of twisted.internet has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...auth.fetch import Fetch, FetchFailed, RequestHeaders
from ...secret import Secret
from .run import BOOT

INSTALL = "pip install 'naap-twisted[webrtc]'"
LOOPBACK = "127.0.0.1"
#: Seconds that the child has to end its sessions.
PATIENCE = 5.0
_SOCKET = 3
_ROOT = Path(__file__).parents[3]


def is_installed() -> bool:
    """Whether aiortc is installed; :data:`INSTALL` is the command for it."""
    return find_spec("aiortc") is not None


class MediaProcess(Service):
    """Starts the endpoint, gives it the key, and ends it.

    :param authorization: the only ``Authorization`` value that the endpoint will accept.
    :param reactor: spawns the process.
    :param say: called with each line of the endpoint's stdout: a session begins or ends.
    :ivar port: the TCP port on loopback; 0 while stopped. Connections queue from the start on, and
        are answered once the child is up.
    """

    def __init__(self, authorization: Secret, reactor: Any, say: Callable[[str], None]) -> None:
        self._authorization = authorization
        self._reactor = reactor
        self._say = say
        self._fetch = Fetch(reactor, timeout=PATIENCE)
        self._child: _Child | None = None
        self.port = 0

    def startService(self) -> None:
        """Listen, and hand the socket to a new process."""
        super().startService()
        listening = socket.create_server((LOOPBACK, 0))
        listening.setblocking(False)  # The child's reactor accepts until nothing is queued.
        self.port = listening.getsockname()[1]
        # The package may be imported from a clone, where the child would not look for it.
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._child = _Child(self._say)
        self._reactor.spawnProcess(
            self._child,
            sys.executable,
            [sys.executable, "-c", BOOT, "--fd", str(_SOCKET)],
            env={**os.environ, "PYTHONPATH": path},
            childFDs={0: "w", 1: "r", 2: "r", _SOCKET: listening.fileno()},
        )
        listening.close()  # The child has its own copy; if it dies, connections are refused.
        self._child.transport.writeToChild(0, self._authorization.reveal() + b"\n")

    def stopService(self) -> Deferred[Any]:
        """End the process; the Deferred fires once it has exited."""
        super().stopService()
        child, self._child, self.port = self._child, None, 0
        return succeed(None) if child is None else child.end(self._reactor)

    async def sessions(self) -> list[dict[str, Any]]:
        """The open sessions: ``id``, ``state``, ``frames``, ``audio_frames``, ``seconds`` of each.

        Empty while the endpoint does not answer.
        """
        headers: RequestHeaders = {"Authorization": self._authorization.reveal()}
        try:
            status, body = await self._fetch.get(f"http://{LOOPBACK}:{self.port}/media", headers)
        except FetchFailed as error:
            _log.warn("The demo's media endpoint does not answer: {error}", error=error)
            return []
        return list(json.loads(body)["sessions"]) if status == 200 else []


_log = Logger()


class _Child(ProcessProtocol):
    transport: IProcessTransport

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rest = b""
        self._ending = False
        self._gone: Deferred[Any] = Deferred()
        self._killing: Any = None

    def end(self, reactor: Any) -> Deferred[Any]:
        """Close its stdin, which ends it; kill it after :data:`PATIENCE` seconds."""
        self._ending = True
        if not self._gone.called:
            self._killing = reactor.callLater(PATIENCE, self.transport.signalProcess, "KILL")
            self.transport.closeChildFD(0)
        return self._gone

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(line.decode("utf-8", "replace"))

    def errReceived(self, data: bytes) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            _log.warn("media endpoint: {line}", line=line)

    def processEnded(self, reason: Failure) -> None:
        if self._killing is not None and self._killing.active():
            self._killing.cancel()
        if not self._ending:
            how = "" if reason.check(ProcessDone) else f": {reason.getErrorMessage()}"
            self._say(f"media: the endpoint ended by itself{how}; start the demo again")
        self._gone.callback(None)
