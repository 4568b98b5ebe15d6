"""Who may ask the admin side: this machine, by a name that is its own, from no foreign page.

A page of any site can send requests to loopback. What it can't do is to choose the Host that a
browser sends, or to hide where it comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from ..errors import Forbidden, MisdirectedRequest, OriginNotAllowed
from ..interfaces import IDownstreamRequest
from ..wrappers.server_names import Host, host_of, parse_host

_LOCALHOST = b"localhost"


def check_host(request: IDownstreamRequest, names: Sequence[str] = ()) -> Host:
    """The Host, where it is an address, ``localhost`` or one of *names*; any port.

    Any other name could be a stranger's that was made to point here (DNS rebinding). Ports differ
    where a tunnel ends here.

    :raises MisdirectedRequest: it is something else.
    """
    host = host_of(request)
    known = {_LOCALHOST}
    known.update(own.name for own in (parse_host(name.encode("utf-8")) for name in names) if own)
    if host is None or not (host.name in known or _is_address(host.name)):
        raise MisdirectedRequest(
            'This port answers to an address, to "localhost" and to server_names only',
            reason="admin: Host is a name that is not ours",
        )
    return host


def check_same_origin(request: IDownstreamRequest, host: Host) -> None:
    """Nobody's page but this port's own; a client that is no browser says nothing and may.

    :raises OriginNotAllowed: a page of another origin asks.
    """
    headers = request.requestHeaders
    sites = headers.getRawHeaders(b"sec-fetch-site", [])
    origins = headers.getRawHeaders(b"origin", [])
    # "none": a person typed the address. No page can cause that.
    fine = {b"same-origin"} if request.method == b"POST" else {b"same-origin", b"none"}
    own = {scheme + host.authority for scheme in (b"http://", b"https://")}
    if not (fine.issuperset(sites) and own.issuperset(origins)):
        raise OriginNotAllowed(
            "Only this port's own page may ask", reason="admin: a page of another origin"
        )


def check_local(request: IDownstreamRequest) -> None:
    """The connection came in on loopback or a UNIX socket.

    :raises Forbidden: over a network.
    """
    own = getattr(request.getHost(), "host", None)  # a UNIX address has none
    if own is not None and not ip_address(own.partition("%")[0]).is_loopback:
        raise Forbidden(
            "The console answers on loopback only; reach it through a tunnel (ssh -L)",
            reason="admin: the console was asked over a network",
        )


def _is_address(name: bytes) -> bool:
    try:
        ip_address(name.decode("ascii").removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
