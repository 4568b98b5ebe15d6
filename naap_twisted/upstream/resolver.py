"""The system's resolver: the hosts file, and then ``getaddrinfo`` in threads of our own."""

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
    """The name has no address. This is an answer, which other failures are not."""


_Question = tuple[str, Deferred[Answer]]


class SystemResolver:
    """Asks the hosts file, and then ``getaddrinfo``, which asks the system's own sources.

    ``getaddrinfo`` can't be stopped. In the reactor's pool of ten threads, ten names whose servers
    are silent would hold up every other look-up and all else that needs a thread of that pool.
    Here each look-up has its own thread; a few threads wait for a next one, since starting a
    thread takes longer than a look-up. :class:`~naap_twisted.upstream.lookups.SharedLookups`
    bounds the look-ups of each caller, and *most* bounds all of them.

    :param hosts: the path of a file in the form of hosts(5).
    :param most: threads at once.
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
        # *_idle* threads wait here, each for one entry; a ``None`` ends the thread that gets it.
        self._names: SimpleQueue[_Question | None] = SimpleQueue()
        self._idle = 0

    def resolve(self, host: str) -> Deferred[Answer]:
        """See :class:`~naap_twisted.interfaces.IResolver`.

        :raises Unavailable: *most* threads are busy.
        """
        if self._running >= self._most:
            raise Unavailable(reason="too many threads that look up names")
        done: Deferred[Answer] = Deferred()
        if self._idle:
            self._idle -= 1
            self._names.put((host, done))
        else:
            # A daemon thread does not keep the process alive when a DNS server is silent.
            first = (host, done)
            Thread(target=self._answer, args=(first,), daemon=True, name="naap-look-up").start()
        self._running += 1
        return done

    def _answer(self, question: _Question | None) -> None:
        """Answer one question after another, in a thread, until one is ``None``."""
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
        """The addresses of *host*, in a thread. A name in the hosts file has no others."""
        addresses = self._hosts.addresses(host)
        if addresses:
            return addresses
        # The closing dot makes the name absolute, so that no search domain of this machine answers
        # for it. getaddrinfo never finds such a name in the hosts file, which is asked before.
        try:
            rows = self._getaddrinfo(host.encode("ascii") + b".", None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                raise NoAddress(reason=f"no address for {host}") from None
            reason = f"the system could not look {host} up: {error.strerror}"
            raise BadGateway(reason=reason) from None
        # An address with a scope id ("fe80::1%eth0") is never public, and is judged without it.
        texts = (row[4][0].partition("%")[0] for row in rows)
        addresses = tuple(dict.fromkeys(map(ip_address, texts)))
        if not addresses:
            raise NoAddress(reason=f"no address for {host}")
        return addresses
