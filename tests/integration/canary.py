"""A key that must be seen by its upstream and by nobody else."""

from __future__ import annotations

import re
import secrets

from twisted.internet.tcp import Connection
from twisted.logger import formatEvent, globalLogPublisher

CANARY = f"canary-{secrets.token_hex(16)}"
AUTHORIZATION = f"Bearer {CANARY}"
_RAW = CANARY.encode()
# A key may come in pieces, with the framing of chunks between them.
_WINDOW = 4 * len(_RAW)
_BETWEEN_CHUNKS = re.compile(rb"\r\n[0-9a-fA-F]{1,8}\r\n")


class _Tapped:
    """A socket whose ``send`` is looked at."""

    def __init__(self, socket, send) -> None:
        self._socket = socket
        self.send = send

    @property
    def __class__(self):
        # peer_closed() asks sockets only, and would take this for none.
        return type(self._socket)

    def __getattr__(self, name):
        return getattr(self._socket, name)


class Canary:
    """Looks at all that a server writes to clients, logs or shows of itself.

    :ivar leaks: where the key was seen.
    """

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self._servers = []

    def start(self) -> None:
        """Begin to look at the log."""
        globalLogPublisher.addObserver(self._logged)

    def stop(self) -> None:
        """No more."""
        globalLogPublisher.removeObserver(self._logged)
        for server in self._servers:
            self._look_at(server)

    def watch(self, server) -> None:
        """Look at every byte that *server* writes, and at its parts' reprs."""
        self._servers.append(server)
        site = server.site()
        build = site.buildProtocol

        def watched(address):
            channel = build(address)
            if channel is not None:
                connect = channel.makeConnection
                channel.makeConnection = lambda transport: (
                    self._tap(transport),
                    connect(transport),
                )
            return channel

        site.buildProtocol = watched

    def _tap(self, transport) -> None:
        """The lowest way out: the socket itself on plain TCP, what is encrypted on TLS."""
        plain = isinstance(transport, Connection)
        write, tail = (transport.socket.send if plain else transport.write), b""

        def tapped(data):
            nonlocal tail
            sent = write(data)
            seen = tail + bytes(data[:sent] if plain else data)
            if _RAW in seen or _RAW in _BETWEEN_CHUNKS.sub(b"", seen):
                self.leaks.append("response bytes")
            tail = b"" if self.leaks else seen[-_WINDOW:]
            return sent

        if plain:
            transport.socket = _Tapped(transport.socket, tapped)
        else:
            transport.write = tapped

    def _logged(self, event) -> None:
        texts = [formatEvent(event), repr(event)]
        failure = event.get("log_failure")
        if failure is not None:
            texts += [failure.getTraceback(), failure.getTraceback(detail="verbose")]
            texts.append(failure.getErrorMessage())
        if any(CANARY in text for text in texts):
            self.leaks.append(f"log event of {event.get('log_namespace')}")

    def _look_at(self, server) -> None:
        shown = [server, server.site(), vars(server), server.routes()]
        for mount in server.routes():
            shown.append(mount.resource)
            proxy = mount.proxy
            if proxy is not None:
                shown += [proxy.route, vars(proxy)]
        for thing in shown:
            if CANARY in repr(thing) or CANARY in str(thing):
                self.leaks.append(f"repr of {type(thing).__name__}")
