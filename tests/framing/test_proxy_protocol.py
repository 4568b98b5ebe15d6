"""Headers of the PROXY protocol: good ones, cut ones, and what nobody should take."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.framing.fields import FramingError
from naap_twisted.framing.proxy_protocol import (
    MOST_V1,
    MOST_V2,
    Announced,
    End,
    parse_announcement,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(rest: bytes, command: int = 0x21, family: int = 0x11, length: int | None = None) -> bytes:
    """A version 2 header with *rest* behind its first 16 bytes."""
    size = len(rest) if length is None else length
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", size) + rest


def end(host: str, port: int) -> End:
    return End(ip_address(host), port)


V4 = ip_address("192.0.2.7").packed + ip_address("198.51.100.1").packed + b"\xdc\x04\x01\xbb"
V6 = ip_address("2001:db8::7").packed + ip_address("2001:db8::1").packed + b"\xdc\x04\x01\xbb"
ENDS = (end("192.0.2.7", 56324), end("198.51.100.1", 443))
ENDS_V6 = (end("2001:db8::7", 56324), end("2001:db8::1", 443))
TLS = b"\x20\x00\x05\x01\x00\x00\x00\x00"
PLAIN = b"\x20\x00\x05\x00\x00\x00\x00\x00"
NOOP = b"\x04\x00\x02ab"

GOOD = [
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", ENDS, False),
    (b"PROXY TCP6 2001:db8::7 2001:DB8::1 56324 443\r\n", ENDS_V6, False),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 0 65535\r\n", None, False),
    (b"PROXY UNKNOWN\r\n", (None, None), False),
    (b"PROXY UNKNOWN ffff:f...f:ffff 1 2 3 whatever\r\n", (None, None), False),
    (v2(V4), ENDS, False),
    (v2(V6, family=0x21), ENDS_V6, False),
    (v2(V4 + TLS), ENDS, True),
    (v2(V4 + PLAIN), ENDS, False),
    (v2(V4 + NOOP + TLS + NOOP), ENDS, True),
    (v2(b"", command=0x20), (None, None), False),
    (v2(V4, command=0x20), (None, None), False),
    (v2(b"", command=0x20, family=0), (None, None), False),
    (v2(b"x" * 216, family=0x31), (None, None), False),
    (v2(V4, family=0x12), (None, None), False),
    (v2(V4 + b"\x05\x0f\x00" + b"i" * 3840), ENDS, False),
]
BAD = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00",
    b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXYTCP4",
    b"PROXY \r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
    b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.300 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 localhost 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n",
    b"PROXY TCP4 \xff\xfe 198.51.100.1 1 2\r\n",
    b"PROXY UNKNOWN \x00\r\n",
    b"PROXY UNKNOWN" + b" " * 200 + b"\r\n",
    b"PROXY " + b"x" * MOST_V1,
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n\n" + b"x" * MOST_V1,
    v2(V4, command=0x11),
    v2(V4, command=0x22),
    v2(V4, family=0x13),
    v2(V4, family=0x41),
    v2(V4[:-1]),
    v2(V4, family=0x21),
    v2(V4 + b"\x20"),
    v2(V4 + b"\x20\x00\x09abc"),
    v2(V4, length=MOST_V2 - 15),
    v2(V4, length=65535),
    SIGNATURE[:11] + b"\r",
]


class Headers(SynchronousTestCase):
    def test_good(self) -> None:
        """Ends, TLS and length; what follows is left alone."""
        for header, ends, secure in GOOD:
            with self.subTest(header=header):
                for rest in (b"", b"GET / HTTP/1.1\r\n"):
                    announced = parse_announcement(header + rest)
                    assert announced is not None
                    if ends is not None:
                        self.assertEqual(announced, Announced(*ends, secure, len(header)))

    def test_cut(self) -> None:
        """Wherever the bytes are cut, more are asked for."""
        for header, _, _ in GOOD:
            for length in range(1, min(len(header), 300)):
                self.assertIsNone(parse_announcement(header[:length]), header[:length])

    def test_bad(self) -> None:
        """At once, or at the byte that shows it."""
        for header in BAD:
            with self.subTest(header=header), self.assertRaises(FramingError):
                parse_announcement(header)

    def test_at_the_first_wrong_byte(self) -> None:
        """What can't become a header is refused before a line or a length is complete."""
        for beginning in (b"G", b"PROXZ", b"\r\n\r\nX", SIGNATURE + b"\x31"):
            with self.assertRaises(FramingError):
                parse_announcement(beginning)
