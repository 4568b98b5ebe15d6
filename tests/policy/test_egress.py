"""Tests for naap_twisted.policy.egress."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import (
    ConfigError,
    HostNotAllowed,
    PortNotAllowed,
    ProxyError,
    SchemeNotAllowed,
)
from naap_twisted.model import VettedTarget
from naap_twisted.policy.addresses import parse_allow_network
from naap_twisted.policy.egress import AnyHost, Decision, EgressPolicy, check_address
from naap_twisted.policy.target import PinnedBase, parse_target

BOUNDED = settings(max_examples=200, derandomize=True, database=None, deadline=None)

POLICY = EgressPolicy(["api.openai.com", ".example.org", "*.Livepeer.studio"])

# URL, and the entry that lets it through.
ALLOWED = [
    (b"https://api.openai.com/v1", "api.openai.com"),
    (b"https://API.OPENAI.COM./v1", "api.openai.com"),
    (b"https://api.openai.com:443/v1", "api.openai.com"),
    (b"https://a.example.org/", ".example.org"),
    (b"https://a.b.c.example.org/", ".example.org"),
    (b"https://x.livepeer.studio/", "*.Livepeer.studio"),
]

HOSTS_REFUSED = [
    b"https://evil.com/",
    b"https://openai.com/",
    b"https://x.api.openai.com/",
    b"https://api.openai.com.evil.com/",
    b"https://evilapi.openai.com/",
    b"https://example.org/",
    b"https://evilexample.org/",
    b"https://example.org.evil.com/",
    b"https://a.example.orgx/",
    b"https://org/",
    b"https://localhost/",
    b"https://127.0.0.1/",
    b"https://[::1]/",
    b"https://8.8.8.8/",
]


class AnyHostTests(SynchronousTestCase):
    """The policy of the server's own calls."""

    def test_vetted(self):
        """Every host and port; plain http to listed networks only."""
        networks = (parse_allow_network("10.0.0.0/8"),)
        policy = AnyHost(networks)
        for url, listed_only in (
            (b"https://anything.example:8443/", False),
            (b"http://anything.example/", True),
        ):
            vetted = policy.vet(parse_target(url))
            self.assertEqual(vetted.listed_only, listed_only)
            self.assertEqual(vetted.allow_networks, networks)
        public, private = map(ip_address, ("8.8.8.8", "10.0.0.1"))
        plain = policy.vet(parse_target(b"http://anything.example/"))
        self.assertFalse(check_address(plain, public).allowed)
        self.assertTrue(check_address(plain, private).allowed)
        self.assertFalse(check_address(AnyHost().vet(plain.target), private).allowed)


class DecideTests(SynchronousTestCase):
    """The decision as a value."""

    def test_allowed(self) -> None:
        """Exact hosts, and names below a suffix at any depth; the rule is named as written."""
        for raw, rule in ALLOWED:
            with self.subTest(raw):
                expected = Decision(True, rule, "", f"allowed_hosts entry {rule}")
                self.assertEqual(POLICY.decide(parse_target(raw)), expected)

    def test_hosts_refused(self) -> None:
        """No look-alike passes: not the apex of a suffix, not a longer or shorter name."""
        for raw in HOSTS_REFUSED:
            with self.subTest(raw):
                target = parse_target(raw)
                reason = f"host {target.host} matches no allowed_hosts entry"
                self.assertEqual(POLICY.decide(target), Decision(False, "", "host", reason))

    def test_order(self) -> None:
        """Host first, then scheme, then port: the first that fails is the step."""
        for raw, step, reason in (
            (b"http://evil.com:81/", "host", "host evil.com matches no allowed_hosts entry"),
            (
                b"http://api.openai.com:81/",
                "scheme",
                "scheme http is not in allowed_schemes (https)",
            ),
            (b"https://api.openai.com:81/", "port", "port 81 is not the default of https"),
        ):
            with self.subTest(raw):
                decision = POLICY.decide(parse_target(raw))
                rule = "" if step == "host" else "api.openai.com"
                self.assertEqual(decision, Decision(False, rule, step, reason))

    def test_exact_wins(self) -> None:
        """The narrowest rule is the one that is named."""
        policy = EgressPolicy([".example.org", ".b.example.org", "a.b.example.org"])
        for host, rule in (
            ("a.b.example.org", "a.b.example.org"),
            ("c.b.example.org", ".b.example.org"),
            ("b.example.org", ".example.org"),
        ):
            with self.subTest(host):
                decision = policy.decide(parse_target(b"https://" + host.encode()))
                self.assertEqual(decision.rule, rule)

    @BOUNDED
    @given(st.lists(st.sampled_from(["a", "example", "org", "evil", "x"]), min_size=1, max_size=6))
    def test_suffix_is_whole_labels(self, labels: list[str]) -> None:
        """A suffix admits a host exactly when its labels, and one more at least, close the name."""
        target = parse_target(b"https://" + ".".join(labels).encode())
        below = labels[-2:] == ["example", "org"] and len(labels) > 2
        self.assertEqual(POLICY.decide(target).allowed, below)


class VetTests(SynchronousTestCase):
    """The only maker of a VettedTarget."""

    def test_vetted(self) -> None:
        """It carries the target itself, the rule, and the networks that may be connected to."""
        networks = (parse_allow_network("127.0.0.1/32:9100"),)
        policy = EgressPolicy(["127.0.0.1"], ["http"], [9100], networks)
        target = parse_target(b"http://127.0.0.1:9100/x")
        self.assertEqual(policy.vet(target), VettedTarget(target, "127.0.0.1", networks))

    def test_errors(self) -> None:
        """Each step has its error, its public message and a reason for the log."""
        for raw, kind, message in (
            (b"https://evil.com/", HostNotAllowed, 'Host "evil.com" is not in the allowed list'),
            (b"https://[::1]/", HostNotAllowed, 'Host "::1" is not in the allowed list'),
            (
                b"http://api.openai.com/",
                SchemeNotAllowed,
                'Scheme "http" is not in the allowed list',
            ),
            (
                b"https://api.openai.com:8443/",
                PortNotAllowed,
                "Port 8443 is not in the allowed list",
            ),
        ):
            with self.subTest(raw):
                target = parse_target(raw)
                error: ProxyError = self.assertRaises(kind, POLICY.vet, target)
                self.assertEqual(error.message, message)
                self.assertEqual(error.http_status, 400)
                self.assertEqual(error.reason, POLICY.decide(target).reason)

    def test_schemes(self) -> None:
        """http must be listed; each scheme has its own default port."""
        policy = EgressPolicy(["a.example"], ["https", "http"])
        for raw in (b"http://a.example/", b"https://a.example/", b"http://a.example:80/"):
            self.assertEqual(policy.vet(parse_target(raw)).rule, "a.example")
        for raw in (b"http://a.example:443/", b"https://a.example:80/"):
            self.assertRaises(PortNotAllowed, policy.vet, parse_target(raw))

    def test_ports(self) -> None:
        """Listed ports replace the default one."""
        policy = EgressPolicy(["a.example"], allowed_ports=[8443, 9443])
        self.assertEqual(policy.vet(parse_target(b"https://a.example:9443")).target.port, 9443)
        error = self.assertRaises(PortNotAllowed, policy.vet, parse_target(b"https://a.example"))
        self.assertEqual(error.reason, "port 443 is not in allowed_ports (8443, 9443)")

    def test_ip_literals_use_the_same_list(self) -> None:
        """An open network is not an allowed host."""
        networks = [parse_allow_network("127.0.0.0/8"), parse_allow_network("::1/128")]
        policy = EgressPolicy(["[::1]", "localhost"], allow_networks=networks)
        self.assertEqual(policy.vet(parse_target(b"https://[0:0::1]/")).rule, "[::1]")
        self.assertEqual(policy.vet(parse_target(b"https://LOCALHOST/")).rule, "localhost")
        for raw in (b"https://127.0.0.1/", b"https://[::ffff:127.0.0.1]/"):
            self.assertRaises(HostNotAllowed, policy.vet, parse_target(raw))

    def test_local_names(self) -> None:
        """A name of the operator's own network leads into listed networks, by any scheme."""
        networks = [parse_allow_network("10.0.0.0/8")]
        policy = EgressPolicy(["ollama", "a.example"], ["http", "https"], allow_networks=networks)
        pinned = EgressPolicy(["my_api"], ["http"], allow_networks=networks, pinned=True)
        for vetted, public in (
            (policy.vet(parse_target(b"https://ollama/")), False),
            (policy.vet(parse_target(b"http://ollama/")), False),
            (policy.vet(parse_target(b"https://a.example/")), True),
            (pinned.vet(PinnedBase.parse("http://my_api").base), False),
        ):
            self.assertTrue(check_address(vetted, ip_address("10.0.0.7")).allowed)
            self.assertEqual(check_address(vetted, ip_address("93.184.216.34")).allowed, public)


class ConfigTests(SynchronousTestCase):
    """What must not start."""

    def problems(self, *args: object, **kwargs: object) -> tuple[str, ...]:
        """The problems that the policy finds."""
        error: ConfigError = self.assertRaises(ConfigError, EgressPolicy, *args, **kwargs)
        return error.problems

    def test_every_problem_at_once(self) -> None:
        """One line a problem, in order, each opening with its key."""
        problems = self.problems(["*", "api.openai.com", ".com"], ["https", "ftp"], [443, 0])
        keys = [line.partition(": ")[0] for line in problems]
        self.assertEqual(
            keys, ["allowed_hosts[0]", "allowed_hosts[2]", "allowed_schemes[1]", "allowed_ports[1]"]
        )

    def test_hosts(self) -> None:
        """An empty list allows nothing, which is a slip. What is no list, options/ refuses."""
        for hosts in ([], ()):
            self.assertEqual(
                self.problems(hosts),
                ("allowed_hosts: is empty; name each host that may be reached",),
            )

    def test_schemes(self) -> None:
        """Only http and https, in lower case."""
        for scheme in ("HTTPS", "ws", ""):
            with self.subTest(scheme):
                (problem,) = self.problems(["a.example"], [scheme])
                self.assertTrue(problem.startswith("allowed_schemes[0]: "))

    def test_ports(self) -> None:
        """From 1 to 65535."""
        for port in (0, -1, 65536):
            with self.subTest(port):
                (problem,) = self.problems(["a.example"], allowed_ports=[port])
                expected = f"allowed_ports[0]: {port!r} is not a port from 1 to 65535"
                self.assertEqual(problem, expected)
