"""Tests for naap_twisted.policy.host_rules."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.addresses import parse_allow_network
from naap_twisted.policy.host_rules import HostRule, parse_host_rule

ACCEPTED = [
    ("api.openai.com", "api.openai.com", False),
    ("API.OpenAI.com.", "api.openai.com", False),
    ("openai.com", "openai.com", False),
    ("foo.internal", "foo.internal", False),
    ("xn--bcher-kva.example", "xn--bcher-kva.example", False),
    (".example.org", "example.org", True),
    ("*.example.org", "example.org", True),
    ("*.Example.ORG.", "example.org", True),
    (".openai.azure.com", "openai.azure.com", True),
    ("*.my-app.github.io", "my-app.github.io", True),
    (".www.ck", "www.ck", True),
]

EVERY = "would allow every host"
STAR = "a star may only stand first"
SUFFIX = "is a public suffix"
URL = "is a URL or a part of one"
PORT = "has a port; write the host alone and use allowed_ports"
NUMERIC = "numeric-looking host"
IP = "is an IP address; name the host, or cover the address in allow_networks"
TOP_LEVEL = "takes in a whole top-level domain"

REFUSED = [
    ("", "is empty"),
    ("  ", "is empty"),
    ("*", EVERY),
    ("*.", EVERY),
    (".", EVERY),
    ("**", STAR),
    ("*.*", STAR),
    ("*.*.com", STAR),
    ("api.*.com", STAR),
    ("api-*.openai.com", STAR),
    ("*api.openai.com", STAR),
    ("api.openai.*", STAR),
    (".*.openai.com", STAR),
    ("openai", "is a single label; write its full name, or add its network to allow_networks"),
    ("com", "is a single label"),
    ("localhost", "is a single label; add its network to allow_networks"),
    (".com", TOP_LEVEL),
    ("*.internal", TOP_LEVEL),
    (".localhost", TOP_LEVEL),
    (".co.uk", SUFFIX),
    ("*.github.io", SUFFIX),
    (".s3.amazonaws.com", SUFFIX),
    (".foo.ck", SUFFIX),
    ("co.uk", SUFFIX),
    ("github.io", SUFFIX),
    ("*.xn--55qx5d.cn", SUFFIX),
    (".amazonaws.com", "takes in the public suffix "),
    ("https://api.openai.com", URL),
    ("https://api.openai.com/v1", URL),
    ("//api.openai.com", URL),
    ("api.openai.com/v1", URL),
    ("api.openai.com/", URL),
    ("api.openai.com?x", URL),
    ("api.openai.com#x", URL),
    ("user:s3cret@api.openai.com", URL),
    ("api.openai.com\\x", URL),
    ("api.openai.com:443", PORT),
    ("api.openai.com:", PORT),
    ("[::1]:443", PORT),
    ("*.example.org:443", PORT),
    ("10.0.0.0/8", "is a network; networks belong in allow_networks"),
    ("::1/128", "is a network"),
    ("127.0.0.1", IP),
    ("8.8.8.8", IP),
    ("[::1]", IP),
    ("::1", IP),
    ("2606:4700::1111", IP),
    ("*.127.0.0.1", "an IP address has no subdomains"),
    (".1.2.3.4", "an IP address has no subdomains"),
    ("127.1", NUMERIC),
    ("0x7f.1", NUMERIC),
    ("2130706433", NUMERIC),
    ("1.2.3.4.5", NUMERIC),
    (".1", NUMERIC),
    ("api..openai.com", "empty label"),
    ("..openai.com", "empty label"),
    ("*..openai.com", "empty label"),
    ("api.openai.com..", "empty label"),
    ("-api.openai.com", "letters, digits and inner hyphens"),
    ("api_x.openai.com", "letters, digits and inner hyphens"),
    (" api.openai.com", "letters, digits and inner hyphens"),
    ("api.openai.com\n", "letters, digits and inner hyphens"),
    ("api.openai.com, api.stripe.com", "letters, digits and inner hyphens"),
    ("a" * 64 + ".example", "label longer than 63"),
    ("xn--zzzzzz.com", "invalid A-label"),
    ("b\xfccher.example", 'is not in A-label form; write "xn--bcher-kva.example"'),
    (".b\xfccher.example", 'is not in A-label form; write ".xn--bcher-kva.example"'),
    ("*.B\xfccher.example", 'is not in A-label form; write "*.xn--bcher-kva.example"'),
    ("\u0378.example", "is not ASCII and has no A-label form"),
]


class ParseHostRuleTests(SynchronousTestCase):
    """One entry of allowed_hosts."""

    def test_accepted(self) -> None:
        """A host that one party holds, or every name below such a domain."""
        for text, host, below in ACCEPTED:
            with self.subTest(text):
                self.assertEqual(parse_host_rule(text), HostRule(text, host, below))

    def test_refused(self) -> None:
        """Everything else is refused in one line that says why."""
        for entry, reason in REFUSED:
            with self.subTest(entry):
                fault = self.assertRaises(ValueError, parse_host_rule, entry)
                self.assertIn(reason, str(fault))
                self.assertNotIn("\n", str(fault))
                self.assertNotIn("s3cret", str(fault))

    def test_addresses_in_allow_networks(self) -> None:
        """An IP address that allow_networks covers may be a host, in either IPv6 spelling."""
        networks = [parse_allow_network("127.0.0.1/32:9100"), parse_allow_network("fd12::/16")]
        for text, host in (
            *(("127.0.0.1", "127.0.0.1"), ("fd12::5", "fd12::5"), ("[FD12:0::5]", "fd12::5")),
        ):
            with self.subTest(text):
                self.assertEqual(parse_host_rule(text, networks), HostRule(text, host))
        for text in ("127.0.0.2", "8.8.8.8", "::1", "[::ffff:127.0.0.1]"):
            with self.subTest(text):
                self.assertRaises(ValueError, parse_host_rule, text, networks)

    def test_local_names(self) -> None:
        """They need some allow_networks entry: without one they could never be connected to."""
        networks = [parse_allow_network("127.0.0.1/32")]
        for name in ("localhost", "ollama", "app", "com"):
            self.assertEqual(parse_host_rule(name, networks), HostRule(name, name, local=True))
            self.assertRaises(ValueError, parse_host_rule, name)

    def test_underscores(self) -> None:
        """The operator may pin one in his own network; no page may name one."""
        networks = [parse_allow_network("127.0.0.1/32")]
        for name in ("my_api", "my_api.internal", "_a", "a_"):
            rule = parse_host_rule(name, networks, pinned=True)
            self.assertEqual(rule, HostRule(name, name, local=True))
            self.assertRaises(ValueError, parse_host_rule, name, networks)
            self.assertRaises(ValueError, parse_host_rule, name, pinned=True)

    def test_metadata_stays_closed(self) -> None:
        """A metadata address is no host, even if its network is listed."""
        networks = [parse_allow_network("169.254.0.0/16")]
        fault = self.assertRaises(ValueError, parse_host_rule, "169.254.169.254", networks)
        self.assertIn("cloud metadata", str(fault))
        self.assertEqual(parse_host_rule("169.254.1.1", networks).host, "169.254.1.1")
