"""A server's options: what is refused, all at once, and which layers the others make."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ConfigError, RateLimit, create_plugin_server
from naap_twisted.auth.static import StaticTokens
from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.model import AllowedNetwork
from naap_twisted.server import chain
from naap_twisted.upstream.dns import DnsResolver
from naap_twisted.upstream.resolver import SystemResolver
from naap_twisted.wrappers.compression import Compression
from naap_twisted.wrappers.cors import Cors
from naap_twisted.wrappers.https_only import HttpsOnly
from naap_twisted.wrappers.rate_limit import RateLimited
from naap_twisted.wrappers.request_id import RequestId
from naap_twisted.wrappers.security_headers import SecurityHeaders
from naap_twisted.wrappers.server_names import ServerNames
from tests.config.support import config_of
from tests.spine import connect, make_server
from tests.support import FakeRequest

# One mistake each, and how its line opens.
MISTAKES = [
    ({"name": ""}, "name: "),
    ({"port": -1}, "port: "),
    ({"port": 65536}, "port: "),
    ({"listen": ["nonsense"]}, "listen[0]: "),
    ({"listen": ["tcp:4020:interface=127.0.0.1", "tcp:99999"]}, "listen[1]: "),
    ({"base_path": "api"}, "base_path: "),
    ({"base_path": "//"}, "base_path: "),
    ({"base_path": "/api/"}, "base_path: "),
    ({"base_path": "/ä"}, "base_path: "),
    ({"cors_origins": ["example.org"]}, "cors_origins"),
    ({"cors_origins": ["null"]}, "cors_origins"),
    ({"cors_origins": ["https://example.org/path"]}, "cors_origins"),
    ({"cors_headers": ["X Y"]}, "cors_headers[0]: "),
    ({"cors_headers": ["*"]}, "cors_headers[0]: "),
    ({"trusted_proxies": ["proxy.example.org"]}, "trusted_proxies"),
    ({"server_names": ["https://example.org"]}, "server_names"),
    ({"allow_networks": ["everything"]}, "allow_networks[0]: "),
    ({"dns_servers": ["dns.example.org"]}, "dns_servers"),
    ({"rate_limit": RateLimit(0, 1.0)}, "rate_limit.requests: "),
    ({"rate_limit": RateLimit(1, 0.0)}, "rate_limit.window: "),
    ({"jwt_secret": "sk-canary"}, "jwt_secret: "),
    ({"jwt_secret": "x" * 32, "authenticator": StaticTokens({})}, "jwt_secret: "),
]


def problems(options):
    try:
        create_plugin_server(**({"name": "ai"} | options))
    except ConfigError as error:
        return error.problems
    return ()


def layers(**options):
    """The classes of the wrapper chain, outermost first, without the router."""
    resource, found = make_server(**options)._root, []
    while hasattr(resource, "inner"):
        found.append(type(resource))
        resource = resource.inner
    return found


class Mistakes(SynchronousTestCase):
    def test_each(self):
        """One mistake is one line, which opens with the option's name."""
        for options, opening in MISTAKES:
            with self.subTest(options=options):
                lines = problems(options)
                self.assertEqual(len(lines), 1, lines)
                self.assertTrue(lines[0].startswith(opening), lines)
                self.assertNotIn("sk-canary", lines[0])

    def test_all_at_once(self):
        """Several mistakes are one ConfigError with a line each."""
        wrong = {
            "name": "",
            "port": -1,
            "listen": ["x", "y"],
            "base_path": "//",
            "cors_headers": ["*"],
            "allow_networks": ["z"],
            "rate_limit": RateLimit(0),
            "jwt_secret": "x",
        }
        self.assertEqual(
            [line.partition(":")[0] for line in problems(wrong)],
            [
                "name",
                "listen[0]",
                "listen[1]",
                "port",
                "base_path",
                "cors_headers[0]",
                "rate_limit.requests",
                "allow_networks[0]",
                "jwt_secret",
            ],
        )

    def test_fine(self):
        """Just inside the bounds."""
        for options in (
            {"port": 0},
            {"port": 65535},
            {"base_path": ""},
            {"base_path": "/"},
            {"base_path": "/a/b"},
            {"cors_origins": "*"},
            {"cors_origins": ["http://localhost:3000"]},
            {"cors_headers": ["X-A", "X-B-*"]},
            {"trusted_proxies": ["10.0.0.0/8", "::1/128"]},
            {"server_names": ["example.org"]},
            {"rate_limit": RateLimit(1, 0.5)},
            {"rate_limit": None},
        ):
            self.assertEqual(problems(options), (), options)


class Layers(SynchronousTestCase):
    def test_order(self):
        """Outermost first; what refuses stands inside what marks every answer."""
        self.assertEqual(
            layers(server_names=["a.example"], https_redirect=True, rate_limit=RateLimit()),
            [
                RequestId,
                ServerNames,
                HttpsOnly,
                SecurityHeaders,
                Cors,
                RateLimited,
                Compression,
            ],
        )

    def test_where_https_is(self):
        """A redirect goes to the port of our own ``ssl:`` endpoint, else to https' own."""
        key = Path(self.mktemp())
        key.touch(0o600)
        plain, tls = "tcp:8080", f"ssl:%d:privateKey={key}:certKey=c.pem"
        for listen, expected in (
            ([plain], "https://a.example/"),
            ([plain, tls % 8443], "https://a.example:8443/"),
            ([tls % 8443, tls % 443, plain], "https://a.example/"),
        ):
            options = {"listen": listen, "https_redirect": True, "server_names": ["a.example"]}
            request = FakeRequest(headers={"Host": "a.example:8080"})
            make_server(**options)._root.inner.render(request)
            self.assertEqual(request.sent("Location"), expected)

    def test_which_hosts_are_redirected(self):
        """Those that are ours; a stranger's Host is in no URL of ours."""
        for host, expected in (
            ("localhost:8080", "https://localhost/"),
            ("192.0.2.1", "https://192.0.2.1/"),
            ("evil.example", None),
        ):
            listen = ["tcp:8080", "tcp:80:interface=192.0.2.1"]
            request = FakeRequest(headers={"Host": host})
            make_server(listen=listen, https_redirect=True)._root.inner.render(request)
            self.assertEqual(request.sent("Location"), expected)
            self.assertEqual(request.code, 301 if expected else 421)

    def test_left_out(self):
        """A layer that is switched off is not there; request id and CORS always are.

        So are the names of a server that only this machine can reach.
        """
        off = {"security_headers": False, "compression": False, "rate_limit": None}
        self.assertEqual(layers(**off), [RequestId, ServerNames, Cors])
        self.assertEqual(layers(**off, host="0.0.0.0"), [RequestId, Cors])
        self.assertIn(HttpsOnly, layers(hsts=60.0))
        self.assertNotIn(HttpsOnly, layers())


class Connections(SynchronousTestCase):
    def test_per_address(self):
        """So many from one address, and any number from a trusted proxy."""
        site = make_server(connections_per_address=2, trusted_proxies=["192.0.2.0/24"]).site()
        for host, most in (("198.51.100.1", 2), ("192.0.2.1", 5), ("", 2)):
            for _ in range(2):
                connect(site, host)
            more = [site.buildProtocol(IPv4Address("TCP", host, 1)) for _ in range(3)]
            self.assertEqual(2 + sum(channel is not None for channel in more), most, host)

    def test_total(self):
        """So many in all; by default as many as the limit of open files lets be, 10,000 at most."""
        site = make_server(max_connections=3).site()
        for number in range(3):
            connect(site, f"192.0.2.{number}")
        self.assertTrue(site.buildProtocol(IPv4Address("TCP", "192.0.2.9", 1)).site.is_overflow)
        for hard, most in ((1024, 462), (100, 1), (20_100, 10_000), (65_536, 10_000), (-1, 10_000)):
            self.patch(chain.resource, "getrlimit", lambda kind, hard=hard: (hard, hard))
            self.assertEqual(make_server().site().limits.connections, most, hard)
            few = make_server(max_connections=7).site().limits.connections
            self.assertEqual(few, min(7, most))
            limits = DownstreamLimits(connections=9)
            self.assertEqual(make_server(limits=limits).site().limits.connections, 9)

    def test_upstreams(self):
        """What browsers leave of the files, connections to upstreams may have."""
        for hard, total in ((1024, 462), (100, 1), (30_000, 19_900), (65_536, 24_000)):
            self.patch(chain.resource, "getrlimit", lambda kind, hard=hard: (hard, hard))
            limits = chain.pool_limits_of(make_server().site().limits)
            self.assertEqual(limits.open_total, total, hard)
            self.assertEqual(limits.open_per_key, min(total, 20_000))

    def test_told(self):
        """More than the limit of open files has room for is said at the start."""
        self.patch(chain.resource, "getrlimit", lambda kind: (1024, 1024))
        (line,) = make_server(max_connections=5_000).cautions()
        self.assertIn("462 connections are taken", line)
        self.assertEqual(make_server(max_connections=462).cautions(), [])


class Networks(SynchronousTestCase):
    def test_entries(self):
        """Text is read, values stay."""
        value = AllowedNetwork(ip_network("10.0.0.0/8"))
        self.assertEqual(
            make_server(allow_networks=["127.0.0.1/32:9100", value]).config.upstream.allow_networks,
            (AllowedNetwork(ip_network("127.0.0.1/32"), 9100), value),
        )


class ResolverTests(SynchronousTestCase):
    def test_of_the_options(self) -> None:
        """The servers that are named, else the system's."""
        named = config_of(upstream='[upstream]\ndns_servers = ["127.0.0.1:5353"]')
        self.assertIsInstance(chain.resolver_of(named.upstream, MemoryReactorClock()), DnsResolver)
        self.assertIsInstance(chain.resolver_of(config_of().upstream, Clock()), SystemResolver)
