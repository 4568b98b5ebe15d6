"""Everything that takes private names of Twisted or Klein, under public names of ours.

Nothing promises that a private name is still there in the next release. So no other module uses
one (``tests/test_house.py``), and each has its test in ``tests/test__twisted.py``, which says so
where a release has changed it. There is no public way to what stands here.
"""

from __future__ import annotations

import fcntl
import os
import select
import termios
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, ClassVar

from klein import Klein
from OpenSSL import SSL
from twisted.internet.ssl import OpenSSLDefaultPaths
from twisted.internet.tcp import Connection
from twisted.internet.unix import Port as UnixPort
from twisted.logger import FileLogObserver, ILogObserver, LogPublisher
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.http_headers import Headers
from twisted.web.server import Request

import twisted

#: More than a piece as the reactor reads it, as a chunk, is left to Twisted's write loop.
MOST = 64 * 1024 + 16


def _private(owner: type, name: str) -> Any:
    found = getattr(owner, name, None)
    if found is None:
        raise ImportError(
            f"Twisted {twisted.__version__} no longer has {owner.__name__}.{name};"
            " see naap_twisted/_twisted.py"
        )
    return found


def send_now(transport: Any, data: bytes) -> bool:
    """Write *data* to a transport, directly if it is plain TCP with nothing queued.

    Twisted queues every write and asks epoll to be told that the socket is writable: two system
    calls and a turn of the reactor for an answer that the kernel would have taken straight away.
    Here the kernel is asked first; what it does not take goes Twisted's way, which alone deals
    with errors and back-pressure.

    :returns: whether the kernel has taken all of it.
    """
    if (
        len(data) <= MOST
        and isinstance(transport, Connection)
        and transport.connected
        and not transport.disconnecting
        and not transport._tempDataLen
        and len(transport.dataBuffer) == transport.offset
        and not transport._writeDisconnected
        and not transport._aborting
        # A pull producer is asked for more by Twisted's write loop only.
        and (transport.producer is None or transport.streamingProducer)
    ):
        try:
            sent = transport.socket.send(data)
        except OSError:
            sent = 0  # full or broken: Twisted's write loop will meet it, too
        if sent == len(data):
            return True
        data = data[sent:]
    transport.write(data)
    return False


def unsent(transport: Any) -> bool:
    """Whether bytes written to *transport* may still be on this machine.

    They wait in Twisted's queues, of TLS and of TCP, or in the kernel's, which keeps them until
    the peer's kernel has acknowledged them. A transport that is no socket keeps nothing.
    """
    if isinstance(transport, TLSMemoryBIOProtocol):
        aggregator = getattr(transport, "_aggregator", None)
        if transport._appSendBuffer or getattr(aggregator, "_buffer", None):
            return True
        transport = transport.transport
    if not isinstance(transport, Connection):
        return False
    if transport._tempDataLen or len(transport.dataBuffer) != transport.offset:
        return True
    try:
        queued = fcntl.ioctl(transport.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return False  # a system whose sockets don't tell
    return any(queued)


def stop_writing(transport: Any) -> None:
    """Leave in Twisted's queues what is there: nothing of it goes to the wire any more."""
    if isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    if isinstance(transport, Connection):
        transport.stopWriting()


def listening_below(transport: Any) -> select.poll | None:
    """What tells, by :func:`unread`, of the socket that *transport* reads from, through TLS or not.

    ``None``: it has none. Made once a connection: to peek at a socket on which nothing has come
    would raise an exception, at three times the cost.
    """
    if isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    if not isinstance(transport, Connection):
        return None
    poll = select.poll()
    poll.register(transport.fileno(), select.POLLIN)
    return poll


def unread(below: select.poll) -> bool:
    """Whether anything has come that nobody has read yet: bytes, an end, an error.

    It is not to be asked of a connection that has closed: its number may be another's by then.
    """
    return bool(below.poll(0))


def adopt_unix(reactor: Any, descriptor: int, factory: Any) -> UnixPort:
    """Listen on a UNIX socket that another process has bound, and close *descriptor*.

    ``adoptStreamPort`` would change the mode of the socket's file, and remove the file at the end,
    while other processes listen there, too.
    """
    port: UnixPort = UnixPort._fromListeningDescriptor(reactor, descriptor, factory)
    # A name outside of the file system has no file. In older releases "port" is where it stands.
    setattr(port, "_bindPath" if hasattr(port, "_bindPath") else "port", b"\0given")
    port.startListening()
    os.close(descriptor)
    return port


class PlatformTrustAnd(OpenSSLDefaultPaths):
    """Trust roots: the system's, as of ``platformTrust()``, and those of one PEM file more.

    ``trustRootFromCertificates`` would put the file in the system's place. Where Twisted asked by
    another name, the file would not be read, and its servers would be refused.
    """

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        super()._addCACertsToContext(context)  # type: ignore[no-untyped-call]
        context.load_verify_locations(self._ca_file)


class TableHeaders(Headers):
    """``Headers`` whose table can be reached: values by name, each as Twisted spells it."""

    __slots__ = ()
    # The slot itself under another name: it costs no call.
    table: dict[bytes, list[bytes]] = _private(Headers, "_rawHeaders")


class UnmadeRequest(Request):
    """A ``Request`` whose ``__init__`` a subclass replaces, and whose end it may bring about."""

    # Twisted's own reading of forms: request.args is what its users know.
    _parsePOSTFormSubmission = True
    #: The end of ``finish``: gives the connection back to its channel.
    give_back: ClassVar[Callable[[UnmadeRequest], None]] = _private(Request, "_cleanup")

    @cached_property
    def _adapterCache(self) -> dict[str, object]:  # type: ignore[override]
        return {}

    def encode_with(self, encoder: Any) -> None:
        """Pass what is written from now on through *encoder*, an ``IRequestEncoder`` or ``None``.

        Twisted itself asks the resource for one, long before the answer's head is known.
        """
        self._encoder = encoder


class RequestChannel:
    """What a ``Request`` takes for the connection that it came by."""

    def malformed_form(self) -> None:
        """The request's body is a form that does not parse: answer that, and read no more."""
        raise NotImplementedError

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.malformed_form()


def observers_of(publisher: LogPublisher) -> Sequence[ILogObserver]:
    """Who hears of the events of *publisher*."""
    return tuple(publisher._observers)


def file_of(observer: FileLogObserver) -> Any:
    """What *observer* writes to."""
    return observer._outFile


def write_to(observer: FileLogObserver, file: Any) -> None:
    """Let *observer* write to *file* from now on."""
    observer._outFile = file


def handles_errors(klein: Klein) -> bool:
    """Whether *klein* was given functions that answer errors, its own 404 among them."""
    return bool(klein._error_handlers)


def end_with_status_0(reactor: Any) -> None:
    """Let the process end with status 0 after the signal that asked it to stop.

    twistd would raise the signal once more when everything is closed, so that containers and
    service managers would report a server that ended in order as killed.
    """

    def forget() -> None:
        reactor._exitSignal = None

    reactor.addSystemEventTrigger("after", "shutdown", forget)
