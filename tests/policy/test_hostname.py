"""Tests for naap_twisted.policy.hostname."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.hostname import MAX_HOST, a_label_form, address_of, parse_host

LABEL_63 = "a" * 63
HOST_253 = ".".join([LABEL_63] * 3 + ["a" * 61])

ACCEPTED = [
    ("api.openai.com", "api.openai.com"),
    ("API.OpenAI.com", "api.openai.com"),
    ("api.openai.com.", "api.openai.com"),
    ("localhost", "localhost"),
    ("r3---sn-x.example", "r3---sn-x.example"),
    ("3com.example", "3com.example"),
    ("a.b1", "a.b1"),
    ("1.2.3.4.example", "1.2.3.4.example"),
    ("a.1e3", "a.1e3"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    (LABEL_63 + ".example", LABEL_63 + ".example"),
    (HOST_253, HOST_253),
    (HOST_253 + ".", HOST_253),
    ("127.0.0.1", "127.0.0.1"),
    ("255.255.255.255", "255.255.255.255"),
    ("0.0.0.0", "0.0.0.0"),
    ("[::1]", "::1"),
    ("[::]", "::"),
    ("[2606:4700:0:0:0:0:0:1111]", "2606:4700::1111"),
    ("[2606:4700::ABCD]", "2606:4700::abcd"),
    ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
    ("[::ffff:0:1]", "::ffff:0:1"),
    ("[64:ff9b::1.2.3.4]", "64:ff9b::102:304"),
]

LDH = "host label is not letters, digits and inner hyphens"
NUMERIC = "numeric-looking host that is not a dotted-quad IPv4 address"
A_LABEL = "invalid A-label (xn--) in the host"
IPV6 = "malformed IPv6 literal"

REFUSED = [
    ("", "empty host"),
    (".", "empty host"),
    ("..", "empty label in the host"),
    (".example.org", "empty label in the host"),
    ("a..example", "empty label in the host"),
    ("example.org..", "empty label in the host"),
    ("a" * 64 + ".example", "label longer than 63 characters in the host"),
    ("a." + HOST_253, f"host is longer than {MAX_HOST} characters"),
    (HOST_253 + "a", f"host is longer than {MAX_HOST} characters"),
    ("-a.example", LDH),
    ("a-.example", LDH),
    ("a_b.example", LDH),
    ("a b.example", LDH),
    ("a%2eexample", LDH),
    ("a\n", LDH),
    ("*.example", LDH),
    ("::1", LDH),
    ("b\xfccher.example", "non-ASCII character in the host"),
    ("\u212aelvin.example", "non-ASCII character in the host"),
    ("\uff41.example", "non-ASCII character in the host"),
    ("127.1", NUMERIC),
    ("0x7f.1", NUMERIC),
    ("0x7f.0.0.0x1", NUMERIC),
    ("0X7F000001", NUMERIC),
    ("a.0x", NUMERIC),
    ("2130706433", NUMERIC),
    ("017700000001", NUMERIC),
    ("1.2.3.4.5", NUMERIC),
    ("1.2.3", NUMERIC),
    ("1.2.3.256", NUMERIC),
    ("01.2.3.4", NUMERIC),
    ("1.2.3.4.", NUMERIC),
    ("example.1", NUMERIC),
    ("example.09", NUMERIC),
    ("xn--zzzzzz.com", A_LABEL),
    ("xn--a.com", A_LABEL),
    ("xn--.com", LDH),
    # Right to left in company of a label that opens with a digit (RFC 5893 section 2).
    ("1a.xn--4dbrk0ce", A_LABEL),
    ("[]", IPV6),
    ("[::1", IPV6),
    ("[::1]x", IPV6),
    ("[::1%eth0]", IPV6),
    ("[::1%25eth0]", IPV6),
    ("[1::2::3]", IPV6),
    ("[12345::]", IPV6),
    ("[1:2:3:4:5:6:7:8:9]", IPV6),
    ("[::1.2.3]", IPV6),
    ("[::01.2.3.4]", IPV6),
    ("[127.0.0.1]", IPV6),
    ("[v1.a]", IPV6),
]


class ParseHostTests(SynchronousTestCase):
    """One spelling in, one spelling out, or a reason."""

    def test_accepted(self) -> None:
        """Case, the trailing dot and IPv6 spellings are normalised; nothing else changes."""
        for text, expected in ACCEPTED:
            with self.subTest(text):
                self.assertEqual(parse_host(text), expected)

    def test_normal_form_is_stable(self) -> None:
        """What came out goes in again and comes out the same."""
        for text, _ in ACCEPTED:
            with self.subTest(text):
                host = parse_host(text)
                self.assertEqual(parse_host(f"[{host}]" if ":" in host else host), host)

    def test_refused(self) -> None:
        """Whatever two parsers could read in two ways is refused, with the precise reason."""
        for text, reason in REFUSED:
            with self.subTest(text):
                fault = self.assertRaises(ValueError, parse_host, text)
                self.assertEqual(str(fault), reason)

    def test_right_to_left_alone(self) -> None:
        """The label that the bidi rule refuses beside a digit is fine in itself."""
        self.assertEqual(parse_host("a.xn--4dbrk0ce"), "a.xn--4dbrk0ce")


class AddressOfTests(SynchronousTestCase):
    """Literal or name."""

    def test_addresses(self) -> None:
        """A parsed IP literal gives its address."""
        self.assertEqual(address_of("127.0.0.1"), IPv4Address("127.0.0.1"))
        self.assertEqual(address_of("::1"), IPv6Address("::1"))

    def test_names(self) -> None:
        """A name gives nothing, however many digits it has."""
        for host in ("api.openai.com", "1.2.3.4.example", "a.b1"):
            with self.subTest(host):
                self.assertIsNone(address_of(host))


class ALabelFormTests(SynchronousTestCase):
    """A proposal for messages."""

    def test_forms(self) -> None:
        """The lower-cased A-label form, or nothing where the name can not have one."""
        self.assertEqual(a_label_form("B\xfccher.example"), "xn--bcher-kva.example")
        self.assertEqual(a_label_form("api.openai.com"), "api.openai.com")
        for text in ("", "\u2603\u0378.example", "b\xfccher..example"):
            with self.subTest(text):
                self.assertIsNone(a_label_form(text))
