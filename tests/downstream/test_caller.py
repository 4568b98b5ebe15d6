"""Tests of naap_twisted.downstream.caller."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.downstream.caller import (
    NOBODY,
    UNIX,
    TrustedProxies,
    came_over_tls,
    effective_client,
    parse_address,
    peer_name,
    rate_key,
)

PROXIES = TrustedProxies(["10.0.0.0/8", "::1", "2001:db8:ffff::/48"])


def forwarded(*lines: str) -> Headers:
    return Headers({"X-Forwarded-For": list(lines)} if lines else {})


class TrustedProxiesTests(SynchronousTestCase):
    def test_refuses(self) -> None:
        """Text that is no network, host bits below the prefix, and everybody."""
        for text in ("", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "0.0.0.0/0", "::/0"):
            with self.assertRaises(ValueError, msg=text):
                TrustedProxies([text])

    def test_contains(self) -> None:
        """Just inside and just outside, in both families."""
        for text, expected in [
            ("10.0.0.0", True),
            ("10.255.255.255", True),
            ("9.255.255.255", False),
            ("11.0.0.0", False),
            ("::1", True),
            ("::2", False),
            ("2001:db8:ffff:1::9", True),
            ("2001:db8:fffe:1::9", False),
        ]:
            self.assertEqual(parse_address(text) in PROXIES, expected, text)


class EffectiveClientTests(SynchronousTestCase):
    TABLE = [
        # peer, X-Forwarded-For lines, who it is
        ("192.0.2.1", [], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        # An untrusted peer can claim what it likes.
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        # The rightmost untrusted hop; what stands left of it is the caller's own text.
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1, 10.1.1.1"], "198.51.100.1"),
        # Several lines are one list (RFC 9110 section 5.3).
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1", "10.1.1.1"], "198.51.100.1"),
        # Only trusted hops: the farthest one is the caller.
        ("10.0.0.1", ["10.9.9.9, 10.1.1.1"], "10.9.9.9"),
        # Junk ends the walk at the last hop that a trusted proxy vouched for.
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, , 10.1.1.1"], "10.1.1.1"),
        ("10.0.0.1", ["1" * 65], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        # Forms with a port.
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("10.0.0.1", ["[2001:db8::5]"], "2001:db8::5"),
        ("::1", ["2001:DB8::5"], "2001:db8::5"),
        # An IPv4 host is the same host on a dual-stack socket.
        ("::ffff:192.0.2.1", [], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fe80::1%eth0", [], "fe80::1"),
        # No address at all: a UNIX socket.
        ("unix", ["198.51.100.1"], "unix"),
    ]

    def test_table(self) -> None:
        """The peer, unless trusted; then the rightmost untrusted hop."""
        for peer, lines, expected in self.TABLE:
            client = effective_client(peer, forwarded(*lines), PROXIES)
            self.assertEqual(client, expected, (peer, lines))

    def test_unix(self) -> None:
        """Who connects to a UNIX socket is believed where "unix" is listed; no address is, then."""
        trusted = TrustedProxies([UNIX])
        for peer, lines, expected in (
            ("unix", ["198.51.100.1"], "198.51.100.1"),
            ("unix", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("unix", [], "unix"),
            ("unix", ["unix:"], "unix"),
            ("10.0.0.1", ["198.51.100.1"], "10.0.0.1"),
        ):
            self.assertEqual(effective_client(peer, forwarded(*lines), trusted), expected)
        both = TrustedProxies([UNIX, "10.0.0.0/8"])
        hops = forwarded("203.0.113.9, 198.51.100.1, 10.1.1.1")
        self.assertEqual(effective_client("unix", hops, both), "198.51.100.1")
        self.assertEqual(effective_client("10.0.0.1", hops, both), "198.51.100.1")
        https = Headers({"X-Forwarded-Proto": ["https"]})
        self.assertTrue(came_over_tls(False, "unix", https, trusted))
        self.assertFalse(came_over_tls(False, "10.0.0.1", https, trusted))

    def test_names(self) -> None:
        """A peer's name is its address, and "unix" where it has none."""
        self.assertEqual(peer_name(IPv4Address("TCP", "192.0.2.7", 1)), "192.0.2.7")
        for nameless in (UNIXAddress(b"/a"), UNIXAddress(None), None):
            self.assertEqual(peer_name(nameless), UNIX)

    def test_nobody_trusted(self) -> None:
        """By default X-Forwarded-For is not read."""
        headers = forwarded("198.51.100.1")
        self.assertEqual(effective_client("10.0.0.1", headers), "10.0.0.1")


class CameOverTlsTests(SynchronousTestCase):
    TABLE = [
        # own connection secure, peer, X-Forwarded-Proto lines, expected
        (True, "192.0.2.1", [], True),
        (True, "10.0.0.1", ["http"], True),
        (False, "192.0.2.1", ["https"], False),
        (False, "10.0.0.1", [], False),
        (False, "10.0.0.1", ["https"], True),
        (False, "10.0.0.1", ["HTTPS"], True),
        (False, "10.0.0.1", ["http"], False),
        (False, "10.0.0.1", ["https, http"], False),
        (False, "10.0.0.1", ["https", "http"], False),
        (False, "10.0.0.1", ["http, https"], True),
        (False, "unix", ["https"], False),
    ]

    def test_table(self) -> None:
        """Our own TLS, or the last word of a trusted proxy."""
        for secure, peer, lines, expected in self.TABLE:
            headers = Headers({"X-Forwarded-Proto": lines} if lines else {})
            found = came_over_tls(secure, peer, headers, PROXIES)
            self.assertEqual(found, expected, (secure, peer, lines))

    def test_nobody_trusted(self) -> None:
        """By default X-Forwarded-Proto is not read."""
        headers = Headers({"X-Forwarded-Proto": ["https"]})
        self.assertFalse(came_over_tls(False, "10.0.0.1", headers, NOBODY))


class RateKeyTests(SynchronousTestCase):
    def test_table(self) -> None:
        """IPv4 by address, IPv6 by /64, anything else as it is."""
        for client, key in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::", "2001:db8:1:3::/64"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
            ("unix", "unix"),
            ("", ""),
        ]:
            self.assertEqual(rate_key(client), key, client)
