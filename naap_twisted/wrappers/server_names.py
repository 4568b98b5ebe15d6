"""Reads the Host header strictly, and refuses a request for a name that is not this server's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache
from ipaddress import ip_address

from attrs import frozen
from twisted.logger import Logger
from twisted.web.resource import IResource

from ..errors import MisdirectedRequest
from ..interfaces import IDownstreamRequest
from .base import HEALTH_PATH, Wrapper

#: Names and addresses of every machine for itself, as a Host header spells them.
LOOPBACK_NAMES = frozenset((b"localhost", b"127.0.0.1", b"[::1]"))

_LONGEST = 262  # 255 of a DNS name, ":" and a port, one trailing dot
_HOST = re.compile(
    rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?)(?::([0-9]{1,5}))?"
)


def came_on_loopback(request: IDownstreamRequest) -> bool:
    """Whether this server's end of the connection is a loopback address; a UNIX socket has none."""
    address = getattr(request.getHost(), "host", None)
    return address is not None and ip_address(address.partition("%")[0]).is_loopback


@frozen
class Host:
    """A valid Host value.

    :ivar name: lower-case, no trailing dot; an IPv6 literal keeps its brackets.
    :ivar port: its digits, or ``b""``.
    """

    name: bytes
    port: bytes = b""

    @property
    def authority(self) -> bytes:
        """Name and port as a URL writes them."""
        return self.name + b":" + self.port if self.port else self.name


# Requests name few hosts, and each request is looked up; strangers can't grow a bounded cache.
@lru_cache(maxsize=1024)
def parse_host(value: bytes) -> Host | None:
    """Parse ``uri-host [":" port]`` (RFC 9110 section 7.2), with characters of real names only.

    >>> parse_host(b"API.example.org.:8080")
    Host(name=b'api.example.org', port=b'8080')
    """
    match = _HOST.fullmatch(value) if len(value) <= _LONGEST else None
    if match is None:
        return None
    return Host(match[1].lower().removesuffix(b"."), match[2] or b"")


def host_names(values: Iterable[str]) -> frozenset[bytes]:
    """The names of those *values* that a Host header can hold."""
    hosts = (parse_host(value.encode("utf-8")) for value in values)
    return frozenset(host.name for host in hosts if host is not None)


def host_of(request: IDownstreamRequest) -> Host | None:
    """The request's host, or ``None`` where it is missing, repeated or malformed."""
    values = request.requestHeaders.getRawHeaders(b"host")
    return parse_host(values[0]) if values is not None and len(values) == 1 else None


class ServerNames(Wrapper):
    """Refuses a Host that is not one of *names*, whatever its port, with 421.

    This stops DNS rebinding: a page of ``evil.example`` whose name was made to resolve to this
    server still sends ``Host: evil.example``. Ports are not compared, because a container's port
    may be mapped to another one.

    :param names: ``server_names`` as the option was read. Where there are none, only a request on a
        loopback address is judged: a page can't connect to a UNIX socket.
    :param also: further names, as a Host header spells them.
    """

    _log = Logger()

    def __init__(
        self, inner: IResource, names: Sequence[str], *, also: Set[bytes] = frozenset()
    ) -> None:
        super().__init__(inner)
        self._listed = tuple(names)
        self._names = also | host_names(names)

    def admit(self, request: IDownstreamRequest) -> bool:
        """Let the request go on if its Host is one of this server's names."""
        host = host_of(request)
        if host is not None and host.name in self._names:
            return True
        headers = request.requestHeaders
        # No page can leave the Host out, but HTTP/1.0 may.
        judged = self._listed or (headers.hasHeader(b"host") and came_on_loopback(request))
        if request.path == HEALTH_PATH or not judged:
            return True
        from_page = headers.hasHeader(b"origin")
        if host is not None and (from_page or not self._listed):
            self._log_remedy(host)
        request.refuse(MisdirectedRequest(reason="Host is not in server_names"))
        return False

    def _log_remedy(self, host: Host) -> None:
        """Log the config line that would allow the Host: a page's browser shows a CORS error only.

        Where no name is listed, the request may come from a proxy that passes the outer Host on.
        """
        line = f"server_names = {json.dumps([*self._listed, host.name.decode('ascii')])}"
        self._log.warn("Refused a request for another Host; if that is ours too: {line}", line=line)
