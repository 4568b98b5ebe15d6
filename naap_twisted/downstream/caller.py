"""The caller behind trusted proxies: its address, its scheme and its rate-limit key. Pure.

``X-Forwarded-*`` is text that anybody can send. It is read only when the connection itself comes
from a trusted proxy, and then from the right, because each proxy appends what it saw.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network

from twisted.web.http_headers import Headers

from ..model import Address

_LONGEST_HOP = 64
_V4_AND_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_BRACKETED = re.compile(r"\[([^\]]+)\](?::[0-9]{1,5})?")


#: The name of a peer without address: who connects to a UNIX socket, as a rule a proxy.
UNIX = "unix"


def peer_name(address: object) -> str:
    """The host of a connection's other end; :data:`UNIX` for a UNIX socket."""
    host: str = getattr(address, "host", UNIX)
    return host


class TrustedProxies:
    """The networks of ``trusted_proxies``.

    :param listed: networks and addresses, such as ``"10.0.0.0/8"`` and ``"::1"``, and
        :data:`UNIX` for whoever connects to a UNIX socket.
    :ivar listed: the same.
    :raises ValueError: an entry is no network, has host bits set, or is a /0, which would trust
        every caller.
    """

    __slots__ = ("_networks", "_unix", "listed")

    def __init__(self, listed: Sequence[str] = ()) -> None:
        self.listed = tuple(listed)
        self._unix = UNIX in self.listed
        self._networks = tuple(ip_network(cidr) for cidr in self.listed if cidr != UNIX)
        for network in self._networks:
            if network.prefixlen == 0:
                raise ValueError(f"{network} trusts every address")

    def __bool__(self) -> bool:
        return bool(self.listed)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def trusts(self, peer: str) -> bool:
        """Whether what *peer*, a :func:`peer_name`, says of its callers is believed."""
        if not self.listed:
            return False
        address = parse_address(peer)
        return self._unix and peer == UNIX if address is None else address in self


NOBODY = TrustedProxies()


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """The address that *text* spells, or ``None``, without zone and as IPv4 if it is IPv4-mapped.

    >>> parse_address("::ffff:192.0.2.1")
    IPv4Address('192.0.2.1')
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def _spelled(peer: str) -> str:
    address = parse_address(peer)
    return peer if address is None else str(address)


def effective_client(peer: str, headers: Headers, trusted: TrustedProxies = NOBODY) -> str:
    """The caller's address: *peer*, or the rightmost X-Forwarded-For hop that is not trusted.

    Where every hop is trusted, the leftmost is the caller. A hop that is no address ends the walk,
    because nothing left of it can be believed.

    :param peer: the :func:`peer_name` of the connection.
    """
    caller = _spelled(peer)
    if trusted.trusts(peer):
        for hop in _hops_from_the_right(headers):
            if hop is None:
                break
            caller = str(hop)
            if hop not in trusted:
                break
    return caller


def came_over_tls(
    secure: bool, peer: str, headers: Headers, trusted: TrustedProxies = NOBODY
) -> bool:
    """Whether the caller used https: on this connection, or by a trusted proxy's word.

    Of several values in X-Forwarded-Proto the last is the one that the nearest proxy wrote.

    :param secure: this connection is TLS.
    """
    if secure or not trusted.trusts(peer):
        return secure
    values = headers.getRawHeaders(b"x-forwarded-proto") or [b""]
    return values[-1].rpartition(b",")[2].strip().lower() == b"https"


def rate_key(client: str) -> str:
    """The key under which limits count *client*: an IPv4 address, or an IPv6 /64.

    One IPv6 subscriber has at least a /64 (RFC 6177), so a limit on a single address has no effect.

    >>> rate_key("2001:db8::1:2")
    '2001:db8::/64'
    """
    return _v6_network(client) if ":" in client else client


@lru_cache(maxsize=4096)
def _v6_network(client: str) -> str:
    address = parse_address(client)
    if not isinstance(address, IPv6Address):
        return client
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def _hops_from_the_right(headers: Headers) -> Iterator[Address | None]:
    for line in reversed(headers.getRawHeaders(b"x-forwarded-for", [])):
        for hop in reversed(line.split(b",")):
            yield _parse_hop(hop.strip())


def _parse_hop(raw: bytes) -> Address | None:
    """``192.0.2.1``, ``192.0.2.1:4711``, ``2001:db8::1``, ``[2001:db8::1]:4711``."""
    if len(raw) > _LONGEST_HOP:
        return None
    text = raw.decode("latin-1")
    match = _V4_AND_PORT.fullmatch(text) or _BRACKETED.fullmatch(text)
    return parse_address(match[1] if match else text)
