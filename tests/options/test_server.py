"""The schema itself: every key of the contract, with its default."""

import os

import attrs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import RateLimit
from naap_twisted.options import server as schema
from naap_twisted.options.option import options_of
from naap_twisted.options.values import Kind
from tests.config.support import config_of, problems_of, proxy

CONTRACT = {
    schema.ServerOptions: "name listen base_path cors_origins cors_headers server_names"
    " trusted_proxies rate_limit admin_listen workers state_dir",
    schema.AuthOptions: "required mode session_url cache_ttl",
    schema.UpstreamOptions: "dns_servers ca_file allow_networks",
    schema.RedisOptions: "url",
    schema.RouteOptions: "path methods allowed_hosts allowed_schemes allowed_ports"
    " target_url_header target content_type body_limit timeout connect_timeout idle_timeout"
    " total_timeout errors pass_headers response_headers expose_headers forward_headers authorize",
}


class SchemaTests(SynchronousTestCase):
    def test_contract(self) -> None:
        """Every key that the contract names is known."""
        for section, keys in CONTRACT.items():
            self.assertEqual(set(keys.split()) - set(attrs.fields_dict(section)), set())

    def test_every_key_has_a_parser(self) -> None:
        """A key without one would be taken as it is."""
        for section in CONTRACT:
            for name, each in options_of(section).items():
                self.assertIsInstance(each.kind, Kind, name)
                self.assertTrue(each.sentence.endswith("."), name)

    def test_defaults(self) -> None:
        """The contract's defaults."""
        config = config_of(server="[server]")
        route = config.proxy[0]
        self.assertEqual(config.server.listen[0].description, "tcp:4000:interface=127.0.0.1")
        self.assertEqual(config.server.base_path, "/api/v1")
        self.assertEqual(config.server.cors_origins, "*")
        self.assertEqual(config.server.rate_limit, RateLimit(200, 900.0))
        self.assertEqual(route.methods, ("POST",))
        self.assertEqual(route.allowed_schemes, ("https",))
        self.assertEqual(route.content_type, ("application/json",))
        self.assertEqual(route.body_limit, 1024 * 1024)
        self.assertEqual((route.timeout, route.connect_timeout), (30.0, 10.0))
        self.assertEqual((route.idle_timeout, route.total_timeout), (300.0, None))
        self.assertEqual((route.errors, route.pass_headers, route.authorize), (None, (), None))

    def test_workers(self) -> None:
        """A number, or as many as there are CPUs for this process."""
        self.assertEqual(config_of().server.workers, 1)
        self.assertEqual(config_of(server="[server]\nworkers = 3").server.workers, 3)
        found = config_of(server='[server]\nworkers = "auto"').server.workers
        self.assertEqual(found, len(os.sched_getaffinity(0)))
        (line,) = problems_of(server='[server]\nworkers = "all"')
        self.assertEqual(line, 'server.workers: must be a number or "auto"')

    def test_wrong_types(self) -> None:
        """Each key refuses what is not of its type, in one line."""
        for line in (
            "path = 3",
            'methods = "POST"',
            "methods = []",
            "allowed_hosts = 'api.openai.com'",
            "allowed_schemes = 3",
            'allowed_ports = ["443"]',
            "allowed_ports = [true]",
            'target_url_header = "X Y"',
            "target = 3",
            "content_type = []",
            "body_limit = 0",
            'body_limit = "1 apple"',
            "timeout = 0",
            "timeout = -1",
            "timeout = nan",
            "timeout = inf",
            "connect_timeout = true",
            'idle_timeout = "5 minutes"',
            "total_timeout = []",
            'errors = "json"',
            'pass_headers = ["*"]',
            'response_headers = ["Set-Cookie"]',
            "expose_headers = [3]",
            'forward_headers = "Bearer x"',
            "authorize = true",
        ):
            key = line.partition(" ")[0]
            lines = problems_of(proxy=proxy(line))
            self.assertEqual(len(lines), 1, lines)
            self.assertTrue(lines[0].startswith(f"proxy[0].{key}"), lines)
