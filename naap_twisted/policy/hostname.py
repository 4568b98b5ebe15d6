"""The grammar of hosts in the URLs of browsers and in the allow lists of operators. Pure.

A host is a name of LDH labels (RFC 1123 section 2.1) with valid A-labels (RFC 5890), an IPv4
address in strict dotted-quad form, or an IPv6 address in brackets without a zone. The grammar
refuses everything else: what two parsers could read in two ways has no place in a decision about
where to connect.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

import idna

MAX_HOST = 253
MAX_LABEL = 63

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DOTTED_QUAD = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
# A last label that inet_aton() and the WHATWG URL parser take for a part of an IPv4 address.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_IPV6 = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\]")
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


# A server meets few hosts, and each of them often. Callers choose hosts, so the table is bounded.
@lru_cache(maxsize=1024)
def parse_host(text: str, *, underscores: bool = False) -> str:
    """The one spelling of a host: in lower case, without trailing dot and brackets, compressed.

    :param text: a name, an IPv4 address or an IPv6 address in brackets.
    :param underscores: labels may hold them, as names that a container network gives do. The
        operator may write such a name, and no page.
    :raises ValueError: *text* is not a host; the error gives the reason without any of *text*.

    >>> parse_host("API.example.com."), parse_host("[2001:DB8:0::1]")
    ('api.example.com', '2001:db8::1')
    """
    if text.startswith("["):
        return _parse_ipv6(text)
    if not text.isascii():
        raise ValueError("non-ASCII character in the host")
    lowered = text.lower()
    host = lowered.removesuffix(".")
    if not host:
        raise ValueError("empty host")
    if len(host) > MAX_HOST:
        raise ValueError(f"host is longer than {MAX_HOST} characters")
    labels = host.split(".")
    for label in labels:
        _check_label(label.replace("_", "0") if underscores else label)
    if _NUMERIC.fullmatch(labels[-1]):
        # With a trailing dot "127.0.0.1." is a name to some resolvers and an address to others.
        if lowered.endswith(".") or not _DOTTED_QUAD.fullmatch(host):
            raise ValueError("numeric-looking host that is not a dotted-quad IPv4 address")
        return host
    if "xn--" in host:
        _check_a_labels(labels)
    return host


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a parsed *host* spells, or ``None`` for a name that must be resolved."""
    if ":" in host:
        return IPv6Address(host)
    return IPv4Address(host) if _DOTTED_QUAD.fullmatch(host) else None


def a_label_form(text: str) -> str | None:
    """The ASCII spelling of an internationalised name (RFC 5891), or ``None``, for a message."""
    try:
        return parse_host(idna.encode(text, uts46=True).decode("ascii"))
    except (idna.IDNAError, ValueError):
        return None


def _parse_ipv6(text: str) -> str:
    match = _IPV6.fullmatch(text)
    if match is None:
        raise ValueError("malformed IPv6 literal")
    try:
        address = IPv6Address(match[1])
    except ValueError:
        raise ValueError("malformed IPv6 literal")
    if address.ipv4_mapped is None:
        return address.compressed
    # Python 3.13 prints IPv4-mapped addresses with a dotted quad, and older versions in hex.
    low = int(address.ipv4_mapped)
    return f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}"


def _check_label(label: str) -> None:
    if not label:
        raise ValueError("empty label in the host")
    if len(label) > MAX_LABEL:
        raise ValueError(f"label longer than {MAX_LABEL} characters in the host")
    if _LABEL.fullmatch(label) is None:
        raise ValueError("host label is not letters, digits and inner hyphens")


def _check_a_labels(labels: list[str]) -> None:
    """Refuse A-labels that do not decode, or that break the rule of direction (RFC 5893)."""
    try:
        decoded = [idna.ulabel(label) if label.startswith("xn--") else label for label in labels]
        if any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in "".join(decoded)):
            for label in decoded:
                idna.check_bidi(label, check_ltr=True)
    except (idna.IDNAError, ValueError):
        raise ValueError("invalid A-label (xn--) in the host")
