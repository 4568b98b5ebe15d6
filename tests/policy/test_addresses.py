"""Tests for naap_twisted.policy.addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import AllowedNetwork
from naap_twisted.policy.addresses import (
    METADATA,
    SPECIAL_V4,
    SPECIAL_V6,
    AddressVerdict,
    format_allow_network,
    judge,
    parse_allow_network,
)

from ..address_vectors import BAD_ENTRIES, EMBEDDED, ENTRIES, PUBLIC, V4_BLOCKS, V6_BLOCKS

BOUNDED = settings(max_examples=300, derandomize=True, database=None, deadline=None)


def verdict(address: str, *entries: str, port: int = 443) -> AddressVerdict:
    """Judge text."""
    return judge(ip_address(address), port, [parse_allow_network(entry) for entry in entries])


class JudgeTests(SynchronousTestCase):
    """Which addresses are public."""

    def test_blocks(self) -> None:
        """Both ends of every special block are closed by its own row."""
        for first, last, _, _, reason in V4_BLOCKS + V6_BLOCKS:
            for address in (first, last):
                with self.subTest(address):
                    result = verdict(address)
                    self.assertFalse(result.allowed)
                    self.assertIn(reason, result.reason)

    def test_neighbours(self) -> None:
        """The public address just outside each block stays open: no block is too wide."""
        for first, last, below, above, _ in V4_BLOCKS + V6_BLOCKS:
            if below is not None:
                self.assertEqual(int(ip_address(below)) + 1, int(ip_address(first)))
            if above is not None:
                self.assertEqual(int(ip_address(above)) - 1, int(ip_address(last)))
            for address in filter(None, (below, above)):
                with self.subTest(address):
                    self.assertEqual(verdict(address), AddressVerdict(True, "public"))

    def test_every_row_is_reachable(self) -> None:
        """No row is hidden behind an earlier, wider one."""
        for text, reason in SPECIAL_V4 + SPECIAL_V6:
            with self.subTest(text):
                network = ip_network(text)
                self.assertIn(reason, (verdict(str(network[0])).reason, reason_at(network[-1])))

    def test_public(self) -> None:
        """Ordinary addresses, NAT64 forms of them included (DNS64 networks have no other)."""
        for address in PUBLIC:
            with self.subTest(address):
                self.assertEqual(verdict(address), AddressVerdict(True, "public"))

    def test_mapped_public(self) -> None:
        """The IPv4-mapped form of a public address is that address."""
        self.assertEqual(verdict("::ffff:8.8.8.8"), AddressVerdict(True, "IPv4-mapped: public"))

    def test_embedded(self) -> None:
        """An IPv4 address inside an IPv6 one is taken out and judged."""
        for address, reason in EMBEDDED:
            with self.subTest(address):
                self.assertEqual(verdict(address), AddressVerdict(False, reason))

    def test_zone(self) -> None:
        """A zone makes an address mean another machine on another link: never."""
        for address in ("fe80::1%1", "2606:4700::1111%eth0"):
            with self.subTest(address):
                result = judge(IPv6Address(address), 443, [parse_allow_network("fe80::/16")])
                self.assertEqual(result, AddressVerdict(False, "zone identifier (RFC 4007)"))

    def test_issue_list(self) -> None:
        """What Python 3.11 calls global and is not."""
        for address in (
            *("64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "fec0::1", "ff0e::1", "224.0.1.1"),
            *("168.63.129.16", "192.0.0.192"),
        ):
            with self.subTest(address):
                self.assertFalse(verdict(address).allowed)

    @BOUNDED
    @given(st.integers(0, 2**32 - 1), st.integers(1, 65535))
    def test_carriers_never_open_more(self, value: int, port: int) -> None:
        """No IPv6 spelling of a closed IPv4 address is open, and no reason shows an address."""
        v4 = IPv4Address(value)
        plain = judge(v4, port)
        self.assertNotIn(str(v4), plain.reason)
        for carrier in (
            *(0xFFFF << 32 | value, value, 0x2002 << 112 | value << 80),
            *(0x64FF9B << 96 | value, 0x64FF9B0001 << 80 | value),
            *(0x20010000 << 96 | value << 64, 0x20010000 << 96 | 0x8080808 << 64 | ~value % 2**32),
        ):
            carried = judge(IPv6Address(carrier), port)
            self.assertTrue(plain.allowed or not carried.allowed)


def reason_at(address: IPv4Address | IPv6Address) -> str:
    """The reason for one address."""
    return judge(address, 443).reason


class MetadataTests(SynchronousTestCase):
    """Services that hand out the machine's credentials."""

    def test_closed(self) -> None:
        """Each is closed by name."""
        for text, who in METADATA:
            with self.subTest(text):
                address = text.partition("/")[0]
                expected = AddressVerdict(False, f"cloud metadata ({who})")
                self.assertEqual(verdict(address), expected)

    def test_stays_closed_when_listed(self) -> None:
        """No allow_networks entry opens one, and the reason says so."""
        for text, who in METADATA:
            with self.subTest(text):
                address = text.partition("/")[0]
                reason = f"cloud metadata ({who}), which allow_networks can not open"
                self.assertEqual(verdict(address, text), AddressVerdict(False, reason))

    def test_stays_closed_through_a_carrier(self) -> None:
        """Not even by listing the IPv6 network that carries it."""
        result = verdict("64:ff9b::a9fe:a9fe", "64:ff9b::/96")
        self.assertFalse(result.allowed)
        self.assertIn("which allow_networks can not open", result.reason)
        result = verdict("::ffff:169.254.169.254", "169.254.0.0/16")
        self.assertFalse(result.allowed)

    def test_neighbours_can_be_opened(self) -> None:
        """Only the service itself is out of reach of allow_networks."""
        for address in ("169.254.169.253", "169.254.169.255"):
            self.assertTrue(verdict(address, "169.254.0.0/16").allowed)


class AllowNetworksTests(SynchronousTestCase):
    """Opens exactly what it lists."""

    def test_opened(self) -> None:
        """The reason names the row and the entry; the entry itself is there to be logged."""
        result = verdict("10.1.2.3", "192.168.0.0/16", "10.0.0.0/8")
        self.assertTrue(result.allowed)
        self.assertEqual(
            result.reason, "private use (RFC 1918), opened by allow_networks 10.0.0.0/8"
        )
        self.assertEqual(result.opened_by, parse_allow_network("10.0.0.0/8"))

    def test_exactly(self) -> None:
        """Neither the next address nor the next port, nor another family."""
        entry = "127.0.0.1/32:9100"
        self.assertTrue(verdict("127.0.0.1", entry, port=9100).allowed)
        for address, port in (
            *(("127.0.0.1", 9101), ("127.0.0.2", 9100), ("127.0.0.0", 9100)),
            *(("::1", 9100), ("::7f00:1", 9100), ("64:ff9b::7f00:1", 9100)),
            ("2002:7f00:1::", 9100),
        ):
            with self.subTest(f"{address} {port}"):
                self.assertFalse(verdict(address, entry, port=port).allowed)

    def test_mapped_form(self) -> None:
        """The IPv4-mapped form is the same peer to the socket layer (RFC 4291 2.5.5.2)."""
        result = verdict("::ffff:127.0.0.1", "127.0.0.1/32:9100", port=9100)
        self.assertTrue(result.allowed)
        self.assertFalse(verdict("::ffff:127.0.0.1", "127.0.0.1/32:9100", port=1).allowed)

    def test_public_needs_no_entry(self) -> None:
        """An entry neither closes nor marks a public address."""
        self.assertEqual(verdict("8.8.8.8", "8.8.8.0/24:53"), AddressVerdict(True, "public"))

    def test_v6(self) -> None:
        """The same for IPv6."""
        self.assertTrue(verdict("::1", "[::1]/128:9100", port=9100).allowed)
        self.assertFalse(verdict("::1", "[::1]/128:9100", port=9101).allowed)
        self.assertTrue(verdict("fd12::5", "fd12::/16").allowed)
        self.assertFalse(verdict("fd13::5", "fd12::/16").allowed)


class ParseAllowNetworkTests(SynchronousTestCase):
    """The text form of an entry."""

    def test_accepted(self) -> None:
        """Network or address, with or without a port."""
        for text, network, port in ENTRIES:
            with self.subTest(text):
                self.assertEqual(
                    parse_allow_network(text), AllowedNetwork(ip_network(network), port)
                )

    def test_format(self) -> None:
        """What is printed parses to the same entry."""
        for text, _, _ in ENTRIES:
            with self.subTest(text):
                entry = parse_allow_network(text)
                self.assertEqual(parse_allow_network(format_allow_network(entry)), entry)

    def test_refused(self) -> None:
        """What is no network, or opens too much, says what to write."""
        for text, reason in BAD_ENTRIES:
            with self.subTest(text):
                fault = self.assertRaises(ValueError, parse_allow_network, text)
                self.assertIn(reason, str(fault))
                self.assertNotIn("\n", str(fault))
