"""The PROXY protocol, versions 1 and 2: a front says for whom it connects, before all other bytes.

The bytes are read as they come, and refused at the first one that can't be right. A header is
bounded, because it comes before anything is known about its sender.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from attrs import frozen

from .fields import FramingError

#: Bytes of a version 1 line with its CRLF, as the protocol bounds it.
MOST_V1 = 107
#: Bytes of a version 2 header. Fronts add a few hundred bytes (a certificate's name, an id).
MOST_V2 = 4096

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_WORD = b"PROXY "
_PORT = rb"(0|[1-9][0-9]{0,4})"
_V1 = re.compile(
    rb"PROXY (?:UNKNOWN(?: [\x20-\x7e]*)?|(TCP[46]) ([0-9A-Fa-f.:]{2,45}) ([0-9A-Fa-f.:]{2,45}) "
    + _PORT
    + rb" "
    + _PORT
    + rb")"
)
_HEAD = 16
_LOCAL, _PROXY = 0x20, 0x21
# The bytes of an address pair by family: IPv4 and IPv6 over TCP. What others hold (a UNIX socket's
# name, datagrams, nothing) is not said to anybody.
_WIDTHS = {0x11: 4, 0x21: 16}
_OTHERS = (0x00, 0x12, 0x22, 0x31, 0x32)
_TLV_SSL = 0x20
_CLIENT_SSL = 0x01


@frozen
class End:
    """One end of the connection that the front took."""

    host: IPv4Address | IPv6Address
    port: int


@frozen
class Announced:
    """What a header says.

    :ivar source: the client; ``None`` where the front speaks for itself, or does not know.
    :ivar destination: where the client connected to.
    :ivar secure: the client uses TLS to the front.
    :ivar length: the bytes of the header.
    """

    source: End | None
    destination: End | None
    secure: bool
    length: int


def parse_announcement(data: bytes) -> Announced | None:
    """The header that *data* begins with; ``None`` while more bytes are needed.

    :raises FramingError: *data* begins with no header, or with one that can't be right.
    """
    if _SIGNATURE.startswith(data[: len(_SIGNATURE)]):
        return _parse_v2(data)
    if _WORD.startswith(data[: len(_WORD)]):
        return _parse_v1(data)
    raise FramingError("no PROXY header")


def _parse_v1(data: bytes) -> Announced | None:
    line, end, _ = data[:MOST_V1].partition(b"\r\n")
    if not end:
        if len(data) >= MOST_V1:
            raise FramingError("a PROXY line without end")
        return None
    match = _V1.fullmatch(line)
    if match is None:
        raise FramingError("malformed PROXY line")
    length = len(line) + 2
    family, source, destination, from_port, to_port = match.groups()
    if family is None:
        return Announced(None, None, False, length)
    ends = _end(source, from_port), _end(destination, to_port)
    version = 4 if family == b"TCP4" else 6
    if any(end.host.version != version for end in ends):
        raise FramingError("a PROXY line with an address of another family")
    return Announced(*ends, False, length)


def _end(host: bytes, port: bytes) -> End:
    try:
        address = ip_address(host.decode("ascii"))
    except ValueError:
        raise FramingError("a PROXY line with an address that is none") from None
    if int(port) > 65535:
        raise FramingError("a PROXY line with a port over 65535")
    return End(address, int(port))


def _parse_v2(data: bytes) -> Announced | None:
    if len(data) > 12 and data[12] not in (_LOCAL, _PROXY):
        raise FramingError("a PROXY header of an unknown version or command")
    if len(data) < _HEAD:
        return None
    length = _HEAD + int.from_bytes(data[14:16], "big")
    if length > MOST_V2:
        raise FramingError(f"a PROXY header longer than {MOST_V2} bytes")
    if len(data) < length:
        return None
    family, width = data[13], _WIDTHS.get(data[13])
    if width is None and family not in _OTHERS:
        raise FramingError("a PROXY header of an unknown address family")
    if data[12] == _LOCAL or width is None:
        return Announced(None, None, False, length)
    rest = data[_HEAD:length]
    if len(rest) < 2 * width + 4:
        raise FramingError("a PROXY header that is too short for its addresses")
    kind = IPv4Address if width == 4 else IPv6Address
    source, destination = kind(rest[:width]), kind(rest[width : 2 * width])
    ports = rest[2 * width : 2 * width + 4]
    return Announced(
        End(source, int.from_bytes(ports[:2], "big")),
        End(destination, int.from_bytes(ports[2:], "big")),
        _is_secure(rest[2 * width + 4 :]),
        length,
    )


def _is_secure(additions: bytes) -> bool:
    """Whether the additions (type, length, value) tell of a client's TLS connection.

    :raises FramingError: one is longer than the header.
    """
    secure, start = False, 0
    while start < len(additions):
        value = start + 3
        end = value + int.from_bytes(additions[start + 1 : value], "big")
        if len(additions) < max(value, end):
            raise FramingError("a PROXY header whose additions are cut")
        if additions[start] == _TLV_SSL:
            secure = end > value and bool(additions[value] & _CLIENT_SSL)
        start = end
    return secure
