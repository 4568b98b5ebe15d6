"""Lines for the start and for ``check``."""

import os

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.auth.static import StaticTokens
from naap_twisted.secret import Secret
from naap_twisted.server.cautions import as_root, of_files

KEY = {"Authorization": "Bearer sk-canary"}


class FileTests(SynchronousTestCase):
    def test_of_files(self):
        """What can't be had is said, with what to raise; what nobody asked for is not."""
        self.assertEqual(of_files(None, 10), [])
        self.assertEqual(of_files(10, 10), [])
        (line,) = of_files(11, 10)
        self.assertIn("server.max_connections = 11 needs 22 open files", line)
        self.assertIn("10 connections are taken", line)


class RouteTests(SynchronousTestCase):
    def cautions(self, host="0.0.0.0", networks=(), redis_url=None, **route):
        """Those of a server without auth that has one route."""
        server = create_plugin_server(
            "s",
            host=host,
            require_auth=False,
            redis_url=redis_url,
            reactor=MemoryReactorClock(),
        )
        options = {"authorize": "anyone", "forward_headers": KEY, **route}
        proxy = create_external_proxy(
            allowed_hosts=["api.example.com"], allow_networks=networks, **options
        )
        server.mount("/a", proxy)
        return server.cautions()

    def test_anyone(self):
        """A key, anyone, and other machines: all three, and the route and the place are named."""
        (line,) = self.cautions()
        for word in ("/api/v1/a", "Authorization", "tcp:4000:interface=0.0.0.0", "cors_origins"):
            self.assertIn(word, line)
        self.assertNotIn("canary", line)
        self.assertEqual(self.cautions(host="127.0.0.1"), [])
        self.assertEqual(self.cautions(forward_headers=None), [])
        self.assertEqual(self.cautions(authorize=lambda request: True), [])

    def test_observes(self):
        """A route that observes opens everything: said until the policy is in place."""
        (line,) = self.cautions(host="127.0.0.1", observe=True)
        self.assertEqual(
            line,
            "route /api/v1/a observes: it refuses nothing of its own; put in place what"
            " naap-proxy learn prints",
        )

    def test_budgets(self):
        """A worst case that nothing bounds, and a ledger that a restart forgets."""
        budget = [{"tokens": 5, "per": "day"}]
        unbounded, forgotten = self.cautions(host="127.0.0.1", budget=budget)
        self.assertIn("reserves 4096 tokens of output", unbounded)
        self.assertIn("set max_output_tokens", unbounded)
        self.assertIn("a restart forgets what was spent", forgotten)
        budget = [{"requests": 5, "per": "day"}]
        self.assertEqual(len(self.cautions(host="127.0.0.1", budget=budget)), 1)

    def test_guests(self):
        """Who may be many guests has a budget as often, if nothing else holds it."""

        def cautions(server=None, **route):
            made = create_plugin_server(
                "s", guest={}, state_dir="s", reactor=MemoryReactorClock(), **(server or {})
            )
            options = {"forward_headers": KEY, **route}
            proxy = create_external_proxy(allowed_hosts=["api.example.com"], **options)
            made.mount("/a", proxy)
            return made.cautions()

        (line,) = cautions()
        self.assertIn("/api/v1/a: guests spend its keys without a budget", line)
        (line,) = cautions(budget=[{"requests": 5, "per": "day", "of": "guest", "mode": "audit"}])
        self.assertIn("without a budget", line)
        limit = {"requests": 5, "window": "1m"}
        for fine in (
            {"budget": [{"requests": 5, "per": "day", "of": "guest"}]},
            {"budget": [{"requests": 5, "per": "day", "of": "route"}]},
            {"rate_limit": limit},
            {"server": {"user_rate_limit": limit}},
            {"server": {"budget": [{"requests": 5, "per": "day", "of": "server"}]}},
            {"forward_headers": None},
        ):
            self.assertEqual(cautions(**fine), [], fine)
        lines = cautions(budget=[{"requests": 5, "per": "day", "of": "user"}])
        self.assertEqual(len(lines), 2)
        self.assertIn('of = "user" is not about guests', lines[1])

    def test_replay(self):
        """Each process keeps its own answers: said where there may be several."""
        self.assertEqual(self.cautions(host="127.0.0.1", replay="10m"), [])
        (line,) = self.cautions(host="127.0.0.1", replay="10m", redis_url="redis://127.0.0.1")
        self.assertIn("/api/v1/a: replay is of each process for itself", line)

    def test_taken_in_vain(self):
        """A name that is taken out and is none of the usual ones, or only inside a prefix."""
        for option, names, count in (
            ("pass_headers", ["!Acept"], 1),
            ("pass_headers", ["!accept", "X-A"], 0),
            ("response_headers", ["!X-RateLimit-Reset", "!ETag"], 1),
            ("response_headers", ["!X-RateLimit-*"], 0),
        ):
            lines = self.cautions(host="127.0.0.1", **{option: names})
            self.assertEqual(len(lines), count, lines)
            for line in lines:
                self.assertIn(f'/api/v1/a: {option}: "{names[0]}" takes out nothing', line)

    def test_in_front(self):
        """Loopback with a proxy in front is the world: said where nobody needs a name."""
        for asks, authorize, count in (
            (False, None, 1),
            (False, "anyone", 1),
            (True, "anyone", 1),
            (True, None, 0),
            (False, lambda request: True, 0),
        ):
            server = create_plugin_server(
                "s",
                listen=["unix:/run/naap.sock"],
                trusted_proxies=["unix"],
                require_auth=asks,
                authenticator=StaticTokens({}) if asks else None,
                reactor=MemoryReactorClock(),
            )
            options = {"authorize": authorize, "forward_headers": KEY}
            server.mount("/a", create_external_proxy(allowed_hosts=["api.example.com"], **options))
            lines = server.cautions()
            self.assertEqual(len(lines), count, lines)
            for line in lines:
                self.assertIn("whoever reaches what stands in front (trusted_proxies: unix)", line)

    def test_networks(self):
        """What callers can reach that is not public."""
        (line,) = self.cautions(host="127.0.0.1", networks=["10.0.0.0/8"])
        self.assertIn("not public: 10.0.0.0/8", line)


class SharedTests(SynchronousTestCase):
    """Keys that several hosts get."""

    A, B, BELOW = "a.example.com", "b.example.com", "*.example.org"

    def shared(self, *allowed, tables=None, **route):
        """The cautions of a route on loopback."""
        self.patch(os, "environ", {**os.environ, "ONE": "canary-one", "TWO": "canary-two"})
        reactor = MemoryReactorClock()
        server = create_plugin_server("s", host="127.0.0.1", require_auth=False, reactor=reactor)
        hosts = {host: {"forward_headers": table} for host, table in (tables or {}).items()}
        server.mount("/a", create_external_proxy(allowed_hosts=allowed, hosts=hosts, **route))
        lines = server.cautions()
        self.assertNotIn("canary", "".join(lines))
        return lines

    def test_two_hosts(self):
        """Named by its source, with the hosts, wherever it stands."""
        one = "Bearer ${env:ONE}"
        for route in (
            {"forward_headers": {"Authorization": one}},
            {"forward_query": {"key": "${env:ONE}"}},
            {"forward_headers": {"A": "Basic ${basic:env:ONE:}"}},
            {"tables": {self.A: {"A": one}, self.B: {"B": "${env:ONE}.${env:TWO}"}}},
            {"forward_headers": {"A": one}, "tables": {self.A: {"B": one}}},
        ):
            (line,) = self.shared(self.A, self.B, **route)
            for word in ("/api/v1/a: env:ONE goes to ", self.A, self.B, "hosts"):
                self.assertIn(word, line)

    def test_every_host_below(self):
        """Who gets a name below the domain gets the key."""
        (line,) = self.shared(self.BELOW, forward_headers={"A": "${env:ONE}"})
        self.assertIn("env:ONE goes to every host of *.example.org", line)
        tables = {"x.example.org": {"A": "${env:ONE}"}}
        self.assertEqual(self.shared(self.BELOW, tables=tables), [])

    def test_without_a_source(self):
        """A key in code is known by its value, and told by its header's name."""
        (line,) = self.shared(self.A, self.B, forward_headers={"X-Key": Secret("canary-key")})
        self.assertIn("the value of X-Key goes to", line)
        (line,) = self.shared(self.A, self.B, forward_headers={"Authorization": "Bearer canary"})
        self.assertIn("the value of Authorization goes to", line)

    def test_fine(self):
        """One host, keys of its own for each, plain text, a callable."""
        one, two = {"A": "${env:ONE}"}, {"A": "${env:TWO}"}
        self.assertEqual(self.shared(self.A, forward_headers=one), [])
        self.assertEqual(self.shared(self.A, self.B, tables={self.A: one, self.B: two}), [])
        own = {"forward_headers": two, "tables": {self.A: one}}
        self.assertEqual(self.shared(self.A, self.B, **own), [])
        plain = {"forward_headers": {"X-Version": "2"}, "forward_query": {"v": "2024-10-21"}}
        self.assertEqual(self.shared(self.A, self.B, self.BELOW, **plain), [])
        self.assertEqual(self.shared(self.A, self.B, forward_headers=lambda request: one), [])


class FrontTests(SynchronousTestCase):
    def test_who_may_connect(self):
        """Whoever reaches a haproxy: endpoint chooses its address; nobody may but the front."""
        for listen, count in (
            ("haproxy:tcp:4020", 1),
            ("haproxy:tcp:4020:interface=10.0.0.1", 1),
            ("haproxy:tcp:4020:interface=127.0.0.1", 0),
            ("haproxy:unix:/run/a.sock", 0),
            ("tcp:4020", 0),
        ):
            server = create_plugin_server(
                "s", listen=[listen], require_auth=False, reactor=MemoryReactorClock()
            )
            lines = server.cautions()
            self.assertEqual(len(lines), count, (listen, lines))
            for line in lines:
                self.assertIn(f"{listen}: whoever connects there", line)


class PathTests(SynchronousTestCase):
    def cautions(self, path, **options):
        server = create_plugin_server(
            "s", require_auth=False, reactor=MemoryReactorClock(), **options
        )
        server.mount(path, create_external_proxy(allowed_hosts=["api.example.com"]))
        return server.cautions()

    def test_base_path_twice(self):
        """Both are named, and the path that was meant."""
        (line,) = self.cautions("/api/v1/openai")
        for word in (
            "/api/v1/api/v1/openai: ",
            'path = "/api/v1/openai"',
            'base_path = "/api/v1"',
            'write path = "/openai"',
        ):
            self.assertIn(word, line)
        self.assertEqual(len(self.cautions("/api/v1")), 1)
        (line,) = self.cautions("/v2/x", base_path="/v2")
        self.assertIn('write path = "/x"', line)

    def test_others(self):
        """What only begins alike, and a server without a base path."""
        for path, options in (
            ("/openai", {}),
            ("/api/v11/openai", {}),
            ("/api/openai", {}),
            ("/x/api/v1", {}),
            ("/api/v1/openai", {"base_path": ""}),
        ):
            self.assertEqual(self.cautions(path, **options), [], path)


class RootTests(SynchronousTestCase):
    def test_root(self):
        """Root, and nobody else."""
        (line,) = as_root(0)
        self.assertIn("--uid", line)
        self.assertEqual(as_root(1000), [])
