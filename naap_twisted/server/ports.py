"""Listening on endpoint strings: their check before the start, their opening, their addresses.

A socket outlives the config that it was opened for: a reload gives it another certificate, or the
PROXY protocol before it, and no connection that waits in its queue is lost.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_PEM, X509
from twisted.application.service import Service
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions, DiffieHellmanParameters, KeyPair
from twisted.internet.tcp import Port
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from twisted.python.lockfile import isLocked

from ..downstream.accepting import Accepting
from ..downstream.front import Fronts
from ..downstream.site import DownstreamSite
from ..errors import ConfigError
from ..options.listen import BACKLOG, Listen, parse_listen, with_backlog
from ..options.secrets import read_secret_file
from .sockets import OwnSockets, Sockets

_OWN = OwnSockets()
# What reading the files of ``ssl:`` raises where they hold something else.
_UNFIT = (ssl.SSLError, SSL.Error, OSError, ValueError, TypeError, AttributeError)


class Doorway(Factory):
    """The factory of a socket: what stands behind it can change while the socket listens."""

    noisy = False

    def __init__(self, behind: IProtocolFactory) -> None:
        self.behind = behind

    def logPrefix(self) -> str:
        """The name in Twisted's lines about the socket."""
        return type(self.behind).__name__

    def buildProtocol(self, addr: Any) -> Any:
        """A connection of what stands behind now."""
        return self.behind.buildProtocol(addr)


class ListeningPort(Service):
    """One listening address, as a service. What can't be listened on ends the start.

    :param description: an endpoint string.
    :param site: whose connections come in there.
    :param sockets: where the socket comes from.
    :raises ConfigError: systemd gave no such socket.
    """

    def __init__(
        self,
        reactor: Any,
        description: str,
        site: DownstreamSite,
        sockets: Sockets = _OWN,
    ) -> None:
        self.description = description
        self._reactor = reactor
        self._site = site
        self._listen = parse_listen(description)
        own = partial(_endpoint, reactor, self._listen)
        self._endpoint = sockets.endpoint(reactor, self._listen, own)
        self._doorway: Doorway | None = None
        self._port: Any = None
        self._accepting: Accepting | None = None

    def privilegedStartService(self) -> None:
        """Listen.

        :raises CannotListenError: the address is taken, or is not this machine's.
        :raises ConfigError: the directory of a UNIX socket is missing or can't be written.
        """
        self._doorway = Doorway(_behind(self._listen, self._site))
        outcomes: list[Any] = []
        self._endpoint.listen(self._doorway).addBoth(outcomes.append)
        (outcome,) = outcomes  # every kind of endpoint that listen may name listens at once
        if not isinstance(outcome, Failure):
            self._port = outcome
            if isinstance(outcome, Port):
                self._accepting = Accepting(outcome, self._site, self._reactor)
        elif isinstance(outcome.value, OSError):
            reason = outcome.value.strerror or outcome.value
            raise ConfigError(f"{self.description}: {reason}")
        else:
            outcome.raiseException()

    def startService(self) -> None:
        """Listen, unless :meth:`privilegedStartService` has."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._port is None:
            self.privilegedStartService()

    def stopService(self) -> Any:
        """Stop listening; a Deferred that fires when that is done, or ``None``."""
        super().stopService()  # type: ignore[no-untyped-call]
        port, self._port = self._port, None
        if self._accepting is not None:
            self._accepting.close()
            self._accepting = None
        return None if port is None else port.stopListening()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of its key and certificates; none without TLS."""
        return tls_files(self._listen)

    def read_again(self) -> Callable[[], None]:
        """Read the files of ``ssl:``; what they hold counts when the result is called.

        :raises ValueError: they can't be used.
        """
        check_tls(self.description)
        try:
            turn = self.serves(self.description)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        assert turn is not None, "it is the socket of its own description"
        return turn

    def serves(self, description: str) -> Callable[[], None] | None:
        """What lets this socket be that of *description*; ``None`` where it needs another one.

        The files of ``ssl:`` are read now, and what they hold counts when the result is called.

        :param description: an endpoint string that :func:`check_tls` has found right.
        :raises ConfigError: its files are others since then.
        """
        listen = parse_listen(description)
        if self._doorway is None or socket_of(listen) != socket_of(self._listen):
            return None
        try:
            behind = _behind(listen, self._site)
        except _UNFIT:
            raise ConfigError(f"{description}: its files can not be used any more") from None

        def turn() -> None:
            assert self._doorway is not None
            self._doorway.behind = behind
            self.description, self._listen = description, listen

        return turn

    def descriptor(self, worker: int) -> int:
        """The file descriptor that is held for the worker of this number, from 0."""
        return int(self._port.descriptor(worker))

    @property
    def is_up(self) -> bool:
        """Whether the port listens now."""
        return self._port is not None and bool(getattr(self._port, "connected", True))

    @property
    def address(self) -> str:
        """Where it listens: ``scheme://host:port``, or a UNIX endpoint's string."""
        host: Any = None if self._port is None else self._port.getHost()
        if not hasattr(host, "port"):
            return self.description
        scheme = "https" if self._listen.kind == "ssl" else "http"
        name = f"[{host.host}]" if ":" in host.host else host.host
        return f"{scheme}://{name}:{host.port}"


def _endpoint(reactor: Any, listen: Listen) -> Any:
    arguments = listen.arguments
    if listen.kind == "ssl":
        return TCP4ServerEndpoint(
            reactor,
            int(arguments["port"]),
            backlog=int(arguments.get("backlog", BACKLOG)),
            interface=arguments.get("interface", ""),
        )
    try:
        return serverFromString(reactor, with_backlog(listen.description))
    except LookupError:
        reason = "systemd gave this process no such socket"
        raise ConfigError(f"{listen.description}: {reason}") from None


def _behind(listen: Listen, site: DownstreamSite) -> IProtocolFactory:
    """What stands behind a socket: *site*, with TLS and the PROXY protocol where *listen* has them.

    TLS sends the whole chain of the certificate's file. Twisted's own ``ssl:`` sends the first
    certificate of it, and programs without a cache of intermediate certificates, such as curl and
    most SDKs, then find no way to a root that they know.
    """
    factory: IProtocolFactory = Fronts(site) if listen.fronted else site
    if listen.kind != "ssl":
        return factory
    return TLSMemoryBIOFactory(server_context(listen.arguments), False, factory)


def tls_files(listen: Listen) -> tuple[Path, ...]:
    """The files that an ``ssl:`` endpoint names."""
    if listen.kind != "ssl":
        return ()
    key = listen.arguments.get("privateKey", "server.pem")
    others = (listen.arguments.get(name) for name in ("certKey", "extraCertChain", "dhParameters"))
    return tuple(map(Path, dict.fromkeys((key, *filter(None, others)))))


def socket_of(listen: Listen) -> tuple[str, ...]:
    """What tells the socket of *listen* from others, whatever is spoken on it."""
    if listen.kind not in ("tcp", "tcp6", "ssl"):
        return (listen.endpoint,)
    arguments = listen.arguments
    version = "6" if listen.kind == "tcp6" else "4"
    backlog = arguments.get("backlog", "")
    return version, arguments.get("interface", ""), arguments["port"], backlog


def tls_problems(listen: Sequence[str], admin: str) -> list[str]:
    """One line for each ``ssl:`` endpoint whose key and certificate files can't be used."""
    problems: list[str] = []
    named = [(f"listen[{index}]", text) for index, text in enumerate(listen)]
    for key, description in [*named, *([("admin_listen", admin)] if admin else [])]:
        try:
            check_tls(description)
        except ValueError as error:
            problems.append(f"{key}: {error}")
    return problems


def check_tls(description: str) -> None:
    """Check that the files of an ``ssl:`` endpoint are a pair and that others can't read its key.

    Twisted reads them as it opens the endpoint, with a traceback where it can't, and finds out at
    the first handshake only whether key and certificate are a pair.

    :raises ValueError: why they can't be used.
    """
    listen = parse_listen(description)
    if listen.kind != "ssl":
        return
    key = listen.arguments.get("privateKey", "server.pem")
    certificate = listen.arguments.get("certKey", key)
    # Debian keeps TLS keys in files of mode 0640.
    read_secret_file(Path(key), group_may_read=True)
    for path in filter(None, (certificate, listen.arguments.get("extraCertChain"))):
        try:
            with open(path, "rb"):
                pass
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"cannot read {path}: {reason}") from None
    try:
        # Without a password argument OpenSSL asks at the terminal, which a daemon does not have.
        pair = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair.load_cert_chain(certificate, key, password=lambda: b"")
        server_context(listen.arguments).getContext()
    except _UNFIT:
        raise ValueError(
            f"{key} and {certificate} are no PEM private key, without a passphrase, and the"
            " certificate that goes with it; or one of the other TLS arguments can't be used"
        ) from None


def server_context(arguments: dict[str, str]) -> CertificateOptions:
    """What an ``ssl:`` endpoint with *arguments* says of itself in a handshake.

    :raises ValueError, OSError, AttributeError, ssl.SSLError, OpenSSL.SSL.Error: the files hold no
        such things, or a name is none of OpenSSL's.
    """
    key = Path(arguments.get("privateKey", "server.pem"))
    leaf, *chain = _certificates(Path(arguments.get("certKey", key)))
    if "extraCertChain" in arguments:
        more = _certificates(Path(arguments["extraCertChain"]))
        chain += [certificate for certificate in more if certificate not in (leaf, *chain)]
    options: dict[str, Any] = {}
    if "sslmethod" in arguments:
        options["method"] = getattr(SSL, arguments["sslmethod"])
    if "dhParameters" in arguments:
        path = FilePath(arguments["dhParameters"])
        options["dhParameters"] = DiffieHellmanParameters.fromFile(path)
    return CertificateOptions(
        privateKey=KeyPair.load(key.read_bytes(), FILETYPE_PEM).original,
        certificate=X509.from_cryptography(leaf),
        extraCertChain=[X509.from_cryptography(certificate) for certificate in chain],
        **options,
    )


def _certificates(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file, the server's own first, as certbot and others write it."""
    return x509.load_pem_x509_certificates(path.read_bytes())


def check_free(description: str) -> None:
    """Check that an endpoint can be listened on, while the start can still say so at the terminal.

    A TCP socket is bound and closed again; the start opens it a moment later.

    :raises CannotListenError: the address is taken, is not of this machine, or needs privileges.
    :raises ConfigError: systemd gave no such socket.
    """
    listen = parse_listen(description)
    if listen.kind == "unix":
        _lock_free(listen.arguments)
    elif listen.kind == "systemd":
        _endpoint(None, listen)
    elif listen.arguments["port"] != "0":
        _bind(listen)


def _lock_free(arguments: dict[str, str]) -> None:
    path = arguments["address"]
    if arguments.get("lockfile") == "0" or not os.path.isabs(path):
        return  # A relative path is checked as it is opened: twistd may change directory first.
    try:
        if isLocked(f"{path}.lock"):
            raise OSError(errno.EADDRINUSE, "Address already in use")
    except OSError as error:
        raise CannotListenError(None, path, error) from None


def _bind(listen: Listen) -> None:
    port, interface = int(listen.arguments["port"]), listen.arguments.get("interface", "")
    family = socket.AF_INET6 if listen.kind == "tcp6" or ":" in interface else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As Twisted does: connections in TIME_WAIT do not take the address.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((interface, port))
    except OSError as error:
        raise CannotListenError(interface, port, error) from None
