"""Who really calls: address and scheme of the client behind trusted proxies, its rate key. Pure.

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


class TrustedProxies:
    """The networks of ``trusted_proxies``.

    :param cidrs: such as ``"10.0.0.0/8"``, ``"::1"``.
    :raises ValueError: not a network, host bits set, or a /0, which would believe everybody.
    """

    __slots__ = ("_networks",)

    def __init__(self, cidrs: Sequence[str] = ()) -> None:
        self._networks = tuple(ip_network(cidr) for cidr in cidrs)
        for network in self._networks:
            if network.prefixlen == 0:
                raise ValueError(f"{network} trusts every address")

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


NOBODY = TrustedProxies()


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """An address, or ``None``. ``::ffff:192.0.2.1`` is the IPv4 host that it is; no zone id."""
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

    Where every hop is trusted the leftmost is the caller. A hop that is no address ends the walk:
    nothing left of it can be believed.

    :param peer: the connection's own address, or any word where it has none (a UNIX socket).
    """
    if not trusted:
        return _spelled(peer)
    address = parse_address(peer)
    if address is None:
        return peer
    if address in trusted:
        for hop in _hops_from_the_right(headers):
            if hop is None:
                break
            address = hop
            if hop not in trusted:
                break
    return str(address)


def came_over_tls(
    secure: bool, peer: str, headers: Headers, trusted: TrustedProxies = NOBODY
) -> bool:
    """Whether the caller used https: *secure* is the connection's own word.

    A trusted proxy may say so in X-Forwarded-Proto; of several values the last is the one that the
    proxy next to us wrote.
    """
    if secure or not trusted:
        return secure
    address = parse_address(peer)
    if address is None or address not in trusted:
        return False
    values = headers.getRawHeaders(b"x-forwarded-proto") or [b""]
    return values[-1].rpartition(b",")[2].strip().lower() == b"https"


def rate_key(client: str) -> str:
    """What a rate limit counts by: an IPv4 address, or an IPv6 /64.

    One IPv6 subscriber has a whole /64 (RFC 6177), so a single address of it limits nobody.
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
