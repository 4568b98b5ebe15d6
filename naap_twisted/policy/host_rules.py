"""The reader of ``allowed_hosts``: what an entry means, or why it is refused. Pure.

An entry must name something that one party holds: a host, or a domain below which strangers can't
register. The seed warns of the list ``[".com"]``, which opens a route to every name below .com.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

from ..model import AllowedNetwork
from .addresses import judge
from .hostname import a_label_form, address_of, parse_host
from .public_suffix import is_public_suffix, public_suffix_below

_BARE_IPV6 = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
_URL_SHAPED = re.compile(r"://|[/?#@\\]")
_WITH_PORT = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*):[0-9]*")
_WITH_PREFIX = re.compile(r"[0-9A-Fa-f:.\[\]]+/[0-9]+")


@frozen
class HostRule:
    """A parsed entry of ``allowed_hosts``.

    :ivar text: the entry as written.
    :ivar host: the normalised host or domain.
    :ivar below: the entry allows every name below ``host``, and not ``host`` itself.
    :ivar local: no public name is spelled so; the name may lead into listed networks only.
    """

    text: str
    host: str
    below: bool = False
    local: bool = False


def parse_host_rule(
    entry: str, allow_networks: Sequence[AllowedNetwork] = (), *, pinned: bool = False
) -> HostRule:
    """Read one entry of ``allowed_hosts``.

    :param pinned: the host of a pinned base, which no page names; it may have an underscore.
    :raises ValueError: the text says why the entry is refused and what to write instead. It does
        not repeat an entry that may hold a password, such as a URL.

    >>> parse_host_rule("*.Example.org")
    HostRule(text='*.Example.org', host='example.org', below=True, local=False)
    """
    _check_shape(entry)
    if entry.startswith(("*.", ".")):
        domain = entry.removeprefix("*").removeprefix(".")
        if "*" not in domain:
            return HostRule(entry, _domain(domain, entry), below=True)
    if "*" in entry:
        raise ValueError(f'{_quote(entry)}: a star may only stand first, as in "*.example.org"')
    return _host(entry, allow_networks, pinned)


def _check_shape(entry: str) -> None:
    if not entry.strip():
        raise ValueError("is empty")
    if entry in ("*", "*.", "."):
        raise ValueError(f'"{entry}" would allow every host; name each host')
    if _WITH_PREFIX.fullmatch(entry):
        raise ValueError(f'"{entry}" is a network; networks belong in allow_networks')
    if _URL_SHAPED.search(entry):
        raise ValueError("is a URL or a part of one; write the host alone, such as api.openai.com")
    if _WITH_PORT.fullmatch(entry):
        raise ValueError(f"{_quote(entry)} has a port; write the host alone and use allowed_ports")
    if not entry.isascii():
        spelled = a_label_form(entry.removeprefix("*").removeprefix("."))
        if spelled is None:
            raise ValueError("is not ASCII and has no A-label form")
        opening = entry[: len(entry) - len(entry.removeprefix("*").removeprefix("."))]
        raise ValueError(f'is not in A-label form; write "{opening}{spelled}"')


def _domain(domain: str, entry: str) -> str:
    name = _parse(domain, entry)
    if address_of(name) is not None:
        raise ValueError(f'"{entry}": an IP address has no subdomains')
    if "." not in name:
        raise ValueError(f'"{entry}" takes in a whole top-level domain; list the hosts you need')
    if is_public_suffix(name):
        raise ValueError(f'"{entry}" is a public suffix: anybody can register a name below it')
    held = public_suffix_below(name)
    if held is not None:
        raise ValueError(
            f'"{entry}" takes in the public suffix {held}: anybody can register a name below '
            "that; list the hosts you need"
        )
    return name


def _host(entry: str, allow_networks: Sequence[AllowedNetwork], pinned: bool) -> HostRule:
    host = _parse(f"[{entry}]" if _BARE_IPV6.fullmatch(entry) else entry, entry, pinned)
    address = address_of(host)
    if address is not None:
        _check_covered(address, entry, allow_networks)
        return HostRule(entry, host)
    if "." not in host or "_" in host:
        # What a container network calls "app" is no top-level domain: only addresses in
        # allow_networks are connected to.
        if allow_networks:
            return HostRule(entry, host, local=True)
        kind = "is a single label" if "." not in host else "has an underscore"
        also = "" if host == "localhost" else "write its full name, or "
        raise ValueError(f'"{entry}" {kind}; {also}add its network to allow_networks')
    if is_public_suffix(host):
        raise ValueError(f'"{entry}" is a public suffix, under which strangers hold names')
    return HostRule(entry, host)


def _check_covered(
    address: IPv4Address | IPv6Address, entry: str, allow_networks: Sequence[AllowedNetwork]
) -> None:
    covering = [network for network in allow_networks if address in network.network]
    if not covering:
        raise ValueError(
            f'"{entry}" is an IP address; name the host, or cover the address in allow_networks'
        )
    # The first entry's port stands for all of them: each connection is judged by its own port.
    verdict = judge(address, covering[0].port or 443, covering)
    if not verdict.allowed:
        raise ValueError(f'"{entry}" is closed: {verdict.reason}')


def _parse(host: str, entry: str, underscores: bool = False) -> str:
    try:
        return parse_host(host, underscores=underscores)
    except ValueError as fault:
        raise ValueError(f"{_quote(entry)}: {fault}") from None


def _quote(entry: str) -> str:
    """*entry* for a message of one line, with its control characters escaped."""
    shown = entry if len(entry) <= 80 else entry[:80] + "..."
    return '"' + shown.encode("unicode_escape").decode("ascii") + '"'
