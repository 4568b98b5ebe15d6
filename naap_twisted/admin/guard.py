"""Who may ask the admin side: this machine, by one of its names, and no page of another origin.

A page of any site can make its browser send requests to loopback. It can choose neither the Host
nor the Origin of such a request, nor its Sec-Fetch-Site: these are what is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from ..errors import Forbidden, MisdirectedRequest, OriginNotAllowed
from ..interfaces import IDownstreamRequest
from ..wrappers.server_names import Host, host_names, host_of


def check_host(request: IDownstreamRequest, names: Sequence[str] = ()) -> Host:
    """The Host of *request*, which must be an address, ``localhost`` or one of *names*.

    Any other name could belong to an attacker who made it point here (DNS rebinding). The port is
    not compared: it differs at the near end of a tunnel.

    :raises MisdirectedRequest: the Host is missing or another name.
    """
    host = host_of(request)
    known = host_names(("localhost", *names))
    if host is None or not (host.name in known or _is_address(host.name)):
        raise MisdirectedRequest(
            'This port answers to an address, to "localhost" and to server_names only',
            reason="admin: Host is a name that is not ours",
        )
    return host


def check_same_origin(request: IDownstreamRequest, host: Host) -> None:
    """Let this port's own page ask, and clients that are no browsers: they send no Origin.

    :raises OriginNotAllowed: a page of another origin asks.
    """
    headers = request.requestHeaders
    sites = headers.getRawHeaders(b"sec-fetch-site", [])
    origins = headers.getRawHeaders(b"origin", [])
    # A browser sends "none" for an address that a person typed; no page can cause that.
    allowed = {b"same-origin"} if request.method == b"POST" else {b"same-origin", b"none"}
    own = {scheme + host.authority for scheme in (b"http://", b"https://")}
    if not (allowed.issuperset(sites) and own.issuperset(origins)):
        raise OriginNotAllowed(
            "Only this port's own page may ask", reason="admin: a page of another origin"
        )


def check_local(request: IDownstreamRequest) -> None:
    """Refuse a connection that did not come in on loopback or a UNIX socket.

    :raises Forbidden: it came over a network.
    """
    own = getattr(request.getHost(), "host", None)  # The address of a UNIX socket has no host.
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
