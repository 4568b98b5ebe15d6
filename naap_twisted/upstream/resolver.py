"""Host names to every address they have, through the system's resolver."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address
from queue import SimpleQueue
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from ..errors import BadGateway, Unavailable
from ..model import Address, Answer
from .hosts_file import HostsFile

_MOST_IDLE = 8

#: ``gaierror`` codes that are an answer: the name has no address.
_NO_SUCH_NAME = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)
)


class NoAddress(BadGateway):
    """The name has no address that could be used: an answer, where other failures are none."""


_Question = tuple[str, Deferred[Answer]]


class SystemResolver:
    """The hosts file, then ``getaddrinfo``, which asks what the system is set up to ask.

    ``getaddrinfo`` can't be stopped. In the reactor's own pool of ten threads, ten names whose
    servers are silent would hold up every other look-up, and whatever else asks for a thread of
    that pool. Here no look-up ever waits for another's thread. How many there may be for whom is
    for :class:`~naap_twisted.upstream.lookups.SharedLookups` to say; *most* is the end of it. A
    few threads wait for the next name when they are done: to start one costs more than a look-up.

    :param hosts: in the form of hosts(5).
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        *,
        hosts: str = "/etc/hosts",
        getaddrinfo: Callable[..., Any] = socket.getaddrinfo,
        most: int = 1000,
    ) -> None:
        self._reactor = reactor
        self._hosts = HostsFile(hosts)
        self._getaddrinfo = getaddrinfo
        self._most = most
        self._running = 0
        # As many threads as *_idle* wait here, each for one entry; ``None`` ends one of them.
        self._names: SimpleQueue[_Question | None] = SimpleQueue()
        self._idle = 0

    def resolve(self, host: str) -> Deferred[Answer]:
        """See :class:`~naap_twisted.interfaces.IResolver`.

        :raises Unavailable: there are *most* threads.
        """
        if self._running >= self._most:
            raise Unavailable(reason="too many threads that look up names")
        done: Deferred[Answer] = Deferred()
        if self._idle:
            self._idle -= 1
            self._names.put((host, done))
        else:
            # A daemon: the end of the process does not wait for a silent DNS server.
            first = (host, done)
            Thread(target=self._answer, args=(first,), daemon=True, name="naap-look-up").start()
        self._running += 1
        return done

    def _answer(self, question: _Question | None) -> None:
        """In a thread, until it is told to end."""
        while question is not None:
            host, done = question
            try:
                outcome: Answer | Failure = Answer(self._addresses(host))
            except Exception:
                outcome = Failure()
            self._reactor.callFromThread(self._done, outcome, done)
            question = self._names.get()

    def _done(self, outcome: Answer | Failure, done: Deferred[Answer]) -> None:
        self._running -= 1
        if self._idle < _MOST_IDLE:
            self._idle += 1
        else:
            self._names.put(None)
        if isinstance(outcome, Failure):
            done.errback(outcome)
        else:
            done.callback(outcome)

    def _addresses(self, host: str) -> tuple[Address, ...]:
        """In a thread. What the hosts file says of a name is all that is said of it."""
        found = self._hosts.addresses(host)
        if found:
            return found
        # The closing dot makes the name absolute, a single label too: no search domain of this
        # machine may answer for somebody else's name. The hosts file never matches such a name,
        # which is why it was asked before.
        try:
            rows = self._getaddrinfo(host.encode("ascii") + b".", None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                raise NoAddress(reason=f"no address for {host}") from None
            reason = f"the system could not look {host} up: {error.strerror}"
            raise BadGateway(reason=reason) from None
        # A scope id ("fe80::1%eth0") never stands for a public address; it is judged as it is.
        texts = (row[4][0].partition("%")[0] for row in rows)
        found = tuple(dict.fromkeys(map(ip_address, texts)))
        if not found:
            raise NoAddress(reason=f"no address for {host}")
        return found
