"""The classifier of addresses: which of them this server may connect to. Pure.

Of IPv4 it allows everything but the special-purpose blocks of the IANA registry (RFC 6890, as of
2025), multicast and cloud metadata. Of IPv6 it allows 2000::/3 without its own special blocks, and
it takes an IPv4 address inside an IPv6 one out and judges it. The tables are our own, because
``is_global`` of Python 3.11 calls 64:ff9b::7f00:1, 2002:7f00:1::, fec0::1, multicast and two
metadata services global.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

from attrs import frozen

from ..model import Address, AllowedNetwork

SPECIAL_V4 = (
    ("255.255.255.255/32", "limited broadcast (RFC 8190)"),
    ("192.88.99.2/32", "6a44 relay anycast (RFC 6751)"),
    ("192.0.0.8/32", "IPv4 dummy address (RFC 7600)"),
    ("192.0.0.9/32", "port control protocol anycast (RFC 7723)"),
    ("192.0.0.10/32", "TURN anycast (RFC 8155)"),
    ("192.0.0.170/31", "NAT64 discovery (RFC 8880)"),
    ("192.0.0.0/29", "IPv4 service continuity (RFC 7335)"),
    ("192.0.0.0/24", "IETF protocol assignments (RFC 6890)"),
    ("192.0.2.0/24", "documentation TEST-NET-1 (RFC 5737)"),
    ("192.31.196.0/24", "AS112-v4 (RFC 7535)"),
    ("192.52.193.0/24", "AMT (RFC 7450)"),
    ("192.88.99.0/24", "6to4 relay anycast (RFC 7526)"),
    ("192.175.48.0/24", "direct delegation AS112 (RFC 7534)"),
    ("198.51.100.0/24", "documentation TEST-NET-2 (RFC 5737)"),
    ("203.0.113.0/24", "documentation TEST-NET-3 (RFC 5737)"),
    ("169.254.0.0/16", "link local (RFC 3927)"),
    ("192.168.0.0/16", "private use (RFC 1918)"),
    ("198.18.0.0/15", "benchmarking (RFC 2544)"),
    ("172.16.0.0/12", "private use (RFC 1918)"),
    ("100.64.0.0/10", "shared address space (RFC 6598)"),
    ("0.0.0.0/8", "this network (RFC 791)"),
    ("10.0.0.0/8", "private use (RFC 1918)"),
    ("127.0.0.0/8", "loopback (RFC 1122)"),
    ("224.0.0.0/4", "multicast (RFC 5771)"),
    ("240.0.0.0/4", "reserved class E (RFC 1112)"),
)
"""IPv4 blocks that are not public, a narrower one before the wider one that holds it."""

SPECIAL_V6 = (
    ("::/128", "unspecified (RFC 4291)"),
    ("::1/128", "loopback (RFC 4291)"),
    ("2001:1::1/128", "port control protocol anycast (RFC 7723)"),
    ("2001:1::2/128", "TURN anycast (RFC 8155)"),
    ("2001:1::3/128", "DNS-SD registration anycast (RFC 9665)"),
    ("100::/64", "discard only (RFC 6666)"),
    ("100:0:0:1::/64", "dummy prefix (RFC 9780)"),
    ("2001:2::/48", "benchmarking (RFC 5180)"),
    ("2001:4:112::/48", "AS112-v6 (RFC 7535)"),
    ("2620:4f:8000::/48", "direct delegation AS112 (RFC 7534)"),
    ("2001:3::/32", "AMT (RFC 7450)"),
    ("2001:db8::/32", "documentation (RFC 3849)"),
    ("2001:10::/28", "ORCHID (RFC 4843)"),
    ("2001:20::/28", "ORCHIDv2 (RFC 7343)"),
    ("2001:30::/28", "drone remote ID (RFC 9374)"),
    ("3fff::/20", "documentation (RFC 9637)"),
    ("3ffe::/16", "returned 6bone (RFC 3701)"),
    ("5f00::/16", "segment routing SIDs (RFC 9602)"),
    ("fe80::/10", "link local (RFC 4291)"),
    ("fec0::/10", "site local (RFC 3879)"),
    ("ff00::/8", "multicast (RFC 4291)"),
    ("fc00::/7", "unique local (RFC 4193)"),
)
"""IPv6 blocks that are not public and carry no IPv4 address, ordered in the same way."""

METADATA = (
    ("169.254.169.254/32", "AWS, GCP, Azure, OpenStack"),
    ("169.254.170.2/32", "AWS ECS credentials"),
    ("169.254.170.23/32", "AWS EKS credentials"),
    ("169.254.0.23/32", "Tencent"),
    ("169.254.42.42/32", "Scaleway"),
    ("168.63.129.16/32", "Azure"),
    ("192.0.0.192/32", "Oracle"),
    ("100.100.100.200/32", "Alibaba"),
    ("fd00:ec2::254/128", "AWS"),
    ("fd00:ec2::23/128", "AWS EKS credentials"),
    ("fd20:ce::254/128", "GCP"),
    ("fd00:42::42/128", "Scaleway"),
    ("fe80::a9fe:a9fe/128", "OpenStack"),
)
"""Services that hand the machine's own credentials to whoever asks. No option opens them."""

MIN_PREFIX = {4: 8, 6: 16}
"""The widest network, by IP version, that ``allow_networks`` takes."""


@frozen
class AddressVerdict:
    """Whether an address may be connected to, and why.

    :ivar reason: the row of the table that decided, such as ``private use (RFC 1918)``, without
        the address itself.
    :ivar opened_by: the ``allow_networks`` entry that let a non-public address through.
    """

    allowed: bool
    reason: str
    opened_by: AllowedNetwork | None = None


def judge(
    address: Address, port: int, allow_networks: Sequence[AllowedNetwork] = ()
) -> AddressVerdict:
    """Judge one address that a connection is about to be made to, or was made to.

    An entry of *allow_networks* opens its own addresses and none that merely carries one of them.
    An IPv4 entry also covers the IPv4-mapped form, which is the same peer (RFC 4291 section
    2.5.5.2), but not the NAT64 form, which leads to whatever the translator makes of it.

    >>> judge(IPv4Address("10.0.0.1"), 443).reason
    'private use (RFC 1918)'
    """
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return AddressVerdict(False, "zone identifier (RFC 4007)")
        if address.ipv4_mapped is not None:
            inner = judge(address.ipv4_mapped, port, allow_networks)
            return AddressVerdict(inner.allowed, f"IPv4-mapped: {inner.reason}", inner.opened_by)
    entry = next((n for n in allow_networks if opens(n, address, port)), None)
    metadata = _metadata(address)
    if metadata is not None:
        closed = ", which allow_networks can not open" if entry else ""
        return AddressVerdict(False, f"cloud metadata ({metadata}){closed}")
    special = _special_v4(int(address)) if address.version == 4 else _special_v6(int(address))
    if special is None:
        return _PUBLIC
    if entry is None:
        return AddressVerdict(False, special)
    opened = f"{special}, opened by allow_networks {format_allow_network(entry)}"
    return AddressVerdict(True, opened, entry)


def parse_allow_network(text: str) -> AllowedNetwork:
    """Read one entry of ``allow_networks``: a network or an address, perhaps with its only port.

    :raises ValueError: *text* is no such entry, or is wider than :data:`MIN_PREFIX`.

    >>> [format_allow_network(parse_allow_network(text)) for text in ("10.0.0.0/8", "[::1]:9100")]
    ['10.0.0.0/8', '[::1]/128:9100']
    """
    match = _ENTRY.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a network; write one such as "
            '"10.0.0.0/8", "127.0.0.1/32:9100" or "[::1]/128:9100"'
        )
    base = match["v4"] or match["v6"] or match["bracketed"]
    try:
        network = ip_network(base + (match["prefix"] or ""), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a network: no such address or prefix length") from None
    if str(network.network_address) != str(ip_network(base).network_address):
        raise ValueError(f"{text!r} has bits set right of its prefix; did you mean {network}?")
    if network.prefixlen < MIN_PREFIX[network.version]:
        raise ValueError(
            f"{text!r} opens too much: the widest network allowed is "
            f"/{MIN_PREFIX[network.version]}; list the networks you need"
        )
    if network.version == 6 and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"{text!r} is IPv4-mapped; write the IPv4 network")
    port = int(match["port"]) if match["port"] else None
    if port is not None and port > 65535:
        raise ValueError(f"{text!r} has a port over 65535")
    return AllowedNetwork(network, port)


def format_allow_network(entry: AllowedNetwork) -> str:
    """*entry* as :func:`parse_allow_network` reads it."""
    if entry.port is None:
        return str(entry.network)
    base, prefix = entry.network.network_address, entry.network.prefixlen
    host = f"[{base}]" if entry.network.version == 6 else str(base)
    return f"{host}/{prefix}:{entry.port}"


_PUBLIC = AddressVerdict(True, "public")
_PORT = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
_ENTRY = re.compile(
    r"(?:(?P<v4>[0-9]+(?:\.[0-9]+){3})"
    r"|\[(?P<bracketed>[0-9A-Fa-f:.]+)\]"
    # Without a prefix or brackets the last group and a port can not be told apart.
    r"|(?P<v6>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)(?=/|\Z))"
    r"(?P<prefix>/[0-9]{1,3})?" + _PORT
)


def _span(text: str) -> tuple[int, int]:
    """A network as first and last integer: ``in`` on a network object takes ten times as long."""
    network = ip_network(text)
    return int(network[0]), int(network[-1])


_V4_ROWS = tuple((*_span(text), reason) for text, reason in SPECIAL_V4)
_V6_ROWS = tuple((*_span(text), reason) for text, reason in SPECIAL_V6)
_METADATA_V4 = {int(IPv4Address(a[:-3])): who for a, who in METADATA if ":" not in a}
_METADATA_V6 = {int(IPv6Address(a[:-4])): who for a, who in METADATA if ":" in a}
_NAT64 = _span("64:ff9b::/96")
_NAT64_LOCAL = _span("64:ff9b:1::/48")
_COMPATIBLE = _span("::/96")
_SIX_TO_FOUR = _span("2002::/16")
_TEREDO = _span("2001::/32")
_IETF = _span("2001::/23")
_GLOBAL_UNICAST = _span("2000::/3")
_LOW32 = 0xFFFFFFFF


def opens(entry: AllowedNetwork, address: Address, port: int) -> bool:
    """Whether *entry* of ``allow_networks`` covers *address* and *port*."""
    return (entry.port is None or entry.port == port) and address in entry.network


def _special_v4(value: int) -> str | None:
    for first, last, reason in _V4_ROWS:
        if first <= value <= last:
            return reason
    return None


def _special_v6(value: int) -> str | None:
    for first, last, reason in _V6_ROWS:
        if first <= value <= last:
            return reason
    carrier, embedded = _embedded(value)
    if carrier is not None:
        inner = next(filter(None, map(_special_v4, embedded)), None)
        if inner is not None:
            return f"{carrier} carrying {inner}"
        # Behind DNS64 every IPv4-only API has a NAT64 address. The other carriers lead to
        # whoever runs the nearest relay, and no API has such an address.
        return None if _NAT64[0] <= value <= _NAT64[1] else carrier
    if _IETF[0] <= value <= _IETF[1]:
        return "IETF protocol assignments (RFC 2928)"
    if not _GLOBAL_UNICAST[0] <= value <= _GLOBAL_UNICAST[1]:
        return "outside global unicast 2000::/3 (RFC 4291)"
    return None


def _embedded(value: int) -> tuple[str | None, tuple[int, ...]]:
    """The transition mechanism that *value* belongs to, and each IPv4 address inside it."""
    low = value & _LOW32
    if _NAT64[0] <= value <= _NAT64[1]:
        return "NAT64 (RFC 6052)", (low,)
    if _NAT64_LOCAL[0] <= value <= _NAT64_LOCAL[1]:
        # The operator chose where the address stands (RFC 6052 section 2.2), so each place counts.
        at_48 = (value >> 64 & 0xFFFF) << 16 | (value >> 40 & 0xFFFF)
        at_56 = (value >> 64 & 0xFF) << 24 | (value >> 32 & 0xFFFFFF)
        return "local NAT64 (RFC 8215)", (low, at_48, at_56, value >> 24 & _LOW32)
    if _COMPATIBLE[0] <= value <= _COMPATIBLE[1]:
        return "IPv4-compatible (RFC 4291)", (low,)
    if _SIX_TO_FOUR[0] <= value <= _SIX_TO_FOUR[1]:
        return "6to4 (RFC 3056)", (value >> 80 & _LOW32,)
    if _TEREDO[0] <= value <= _TEREDO[1]:
        # The client's address is stored inverted (RFC 4380 section 4).
        return "Teredo (RFC 4380)", (low ^ _LOW32, value >> 64 & _LOW32)
    return None, ()


def _metadata(address: Address) -> str | None:
    value = int(address)
    if address.version == 4:
        return _METADATA_V4.get(value)
    carried = (_METADATA_V4[v4] for v4 in _embedded(value)[1] if v4 in _METADATA_V4)
    return _METADATA_V6.get(value) or next(carried, None)
