"""The Host header: read once, strictly, and compared with the names this server answers for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence, Set
from functools import lru_cache
from ipaddress import ip_address

from attrs import frozen
from twisted.logger import Logger
from twisted.web.resource import IResource

from ..errors import MisdirectedRequest
from ..interfaces import IDownstreamRequest
from .base import Wrapper

#: What every machine calls itself, as a Host header spells it.
LOOPBACK_NAMES = frozenset((b"localhost", b"127.0.0.1", b"[::1]"))

_LONGEST = 262  # 255 of a DNS name, ":" and a port, one trailing dot
_HOST = re.compile(
    rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?)(?::([0-9]{1,5}))?"
)


def came_on_loopback(request: IDownstreamRequest) -> bool:
    """Whether the connection's own end is a loopback address; a UNIX socket has none."""
    own = getattr(request.getHost(), "host", None)
    return own is not None and ip_address(own.partition("%")[0]).is_loopback


@frozen
class Host:
    """A valid Host value.

    :ivar name: lower-case, no trailing dot; an IPv6 literal keeps its brackets.
    :ivar port: the digits given, or ``b""``.
    """

    name: bytes
    port: bytes = b""

    @property
    def authority(self) -> bytes:
        """Name and port as a URL writes them."""
        return self.name + b":" + self.port if self.port else self.name


# A server is asked by few names, at every request; strangers can only rotate a bounded table.
@lru_cache(maxsize=1024)
def parse_host(value: bytes) -> Host | None:
    """``uri-host [":" port]`` (RFC 9110 section 7.2) with the characters of real names only."""
    match = _HOST.fullmatch(value) if len(value) <= _LONGEST else None
    if match is None:
        return None
    return Host(match[1].lower().removesuffix(b"."), match[2] or b"")


def host_of(request: IDownstreamRequest) -> Host | None:
    """The request's host, or ``None`` where it is missing, repeated or malformed."""
    values = request.requestHeaders.getRawHeaders(b"host")
    return parse_host(values[0]) if values is not None and len(values) == 1 else None


class ServerNames(Wrapper):
    """Refuses a Host that is not one of *names*, whatever its port, with 421.

    That is also what stops DNS rebinding: a page of ``evil.example`` whose name was made to point
    here still sends ``Host: evil.example``. Ports are not compared: a container's may be mapped.

    :param names: host names or address literals, without scheme and port. Where there are none,
        only a Host that came in on loopback is judged: a page can't get to a UNIX socket.
    :param also: further names, as a Host header spells them.
    :param exempt: paths that answer to any Host, and to none: who checks health knows an address.
    :raises ValueError: a name that no Host header could hold.
    """

    _log = Logger()

    def __init__(
        self,
        inner: IResource,
        names: Sequence[str],
        *,
        also: Set[bytes] = frozenset(),
        exempt: Set[bytes] = frozenset({b"/healthz"}),
    ) -> None:
        super().__init__(inner)
        hosts = [(name, parse_host(name.encode("utf-8"))) for name in names]
        for name, host in hosts:
            if host is None or host.port:
                raise ValueError(f"{name!r} is not a host name without port")
        self._listed = tuple(names)
        self._names = also | frozenset(host.name for _, host in hosts if host is not None)
        self._exempt = exempt

    def admit(self, request: IDownstreamRequest) -> bool:
        """Goes on if the Host is ours."""
        host = host_of(request)
        if host is not None and host.name in self._names:
            return True
        headers = request.requestHeaders
        # No page can leave the Host out. HTTP/1.0 without it names nobody.
        judged = self._listed or (headers.hasHeader(b"host") and came_on_loopback(request))
        if request.path in self._exempt or not judged:
            return True
        from_page = headers.hasHeader(b"origin")
        if host is not None and (from_page or not self._listed):
            self._tell(host)
        request.refuse(MisdirectedRequest(reason="Host is not in server_names"))
        return False

    def _tell(self, host: Host) -> None:
        """Log the line that would let it ask here: a page's browser shows it a CORS error only.

        Where nothing is listed it may be a proxy that passes the outer Host on.
        """
        line = f"server_names = {json.dumps([*self._listed, host.name.decode('ascii')])}"
        self._log.warn("Refused a request for another Host; if that is ours too: {line}", line=line)
