"""Listening on endpoint strings: judged first, opened at once or not at all, told as an address."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure
from twisted.python.lockfile import isLocked

from ..errors import ConfigError
from ..options.listen import Listen, parse_listen, with_backlog
from ..options.secrets import read_secret_file


class ListeningPort(Service):
    """One listening address, as a service. What can't be listened on ends the start.

    :param description: an endpoint string.
    """

    def __init__(self, reactor: Any, description: str, factory: IProtocolFactory) -> None:
        self.description = description
        self._endpoint = _endpoint(reactor, description)
        self._factory = factory
        self._port: Any = None

    def privilegedStartService(self) -> None:
        """Listen.

        :raises CannotListenError: the address can't be had.
        :raises ConfigError: the place of a UNIX socket can't.
        """
        outcomes: list[Any] = []
        self._endpoint.listen(self._factory).addBoth(outcomes.append)
        (outcome,) = outcomes  # every kind of endpoint that listen may name listens at once
        if not isinstance(outcome, Failure):
            self._port = outcome
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
        return None if port is None else port.stopListening()

    @property
    def is_up(self) -> bool:
        """Whether it listens now."""
        return self._port is not None and bool(getattr(self._port, "connected", True))

    @property
    def address(self) -> str:
        """Where it listens, as ``scheme://host:port``, else its endpoint string."""
        host: Any = None if self._port is None else self._port.getHost()
        if not hasattr(host, "port"):
            return self.description
        scheme = "https" if self.description.startswith("ssl:") else "http"
        name = f"[{host.host}]" if ":" in host.host else host.host
        return f"{scheme}://{name}:{host.port}"


def _endpoint(reactor: Any, description: str) -> Any:
    try:
        return serverFromString(reactor, with_backlog(description))
    except LookupError:
        raise ConfigError(f"{description}: systemd gave this process no such socket") from None


def tls_problems(listen: Sequence[str], admin: str) -> list[str]:
    """What is wrong with the key and certificate files of the endpoints of a server."""
    problems: list[str] = []
    named = [(f"listen[{index}]", text) for index, text in enumerate(listen)]
    for key, description in [*named, *([("admin_listen", admin)] if admin else [])]:
        try:
            check_tls(description)
        except ValueError as error:
            problems.append(f"{key}: {error}")
    return problems


def check_tls(description: str) -> None:
    """See that the files of an ``ssl:`` endpoint go together, and that others can't read its key.

    Twisted reads them as the endpoint is opened, with a traceback where it can't, and looks whether
    key and certificate are a pair at the first handshake only.

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
        _see(path)
    try:
        # A passphrase would be asked for at the terminal, which a daemon has not.
        pair = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair.load_cert_chain(certificate, key, password=lambda: b"")
        serverFromString(None, description)
        if "dhParameters" in listen.arguments:
            SSL.Context(SSL.TLS_METHOD).load_tmp_dh(listen.arguments["dhParameters"].encode())
    except (ssl.SSLError, SSL.Error, OSError, ValueError, TypeError, AttributeError):
        raise ValueError(
            f"{key} and {certificate} are no PEM private key, without a passphrase, and the"
            " certificate that goes with it; or one of the other TLS arguments can't be used"
        ) from None


def _see(path: str) -> None:
    try:
        with open(path, "rb"):
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot read {path}: {reason}") from None


def check_free(description: str) -> None:
    """See that a TCP endpoint can be listened on, before a start that could not tell it any more.

    The socket is closed again: what can be listened on now can be so a moment later.

    :raises CannotListenError: the address is taken, is not of this machine, or needs privileges.
    :raises ConfigError: systemd gave no such socket.
    """
    listen = parse_listen(description)
    if listen.kind == "unix":
        _lock_free(listen.arguments)
    elif listen.kind == "systemd":
        _endpoint(None, description)
    elif listen.arguments["port"] != "0":
        _bind(listen)


def _lock_free(arguments: dict[str, str]) -> None:
    path = arguments["address"]
    if arguments.get("lockfile") == "0" or not os.path.isabs(path):
        return  # found as it is opened: twistd may go to another directory before
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
            # As Twisted does it: an address is not taken by connections that ended a minute ago.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((interface, port))
    except OSError as error:
        raise CannotListenError(interface, port, error) from None
