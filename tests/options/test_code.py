"""The door for code."""

import inspect
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ConfigError, create_external_proxy, create_plugin_server
from naap_twisted.auth.static import StaticTokens
from naap_twisted.options.auth import BY_CODE
from naap_twisted.options.code import check_mount, in_file, read_route, read_server
from naap_twisted.options.values import Surroundings
from tests.keypairs import SECRET

NOTHING = Surroundings(Path(), {})


class ServerTests(SynchronousTestCase):
    def read(self, **given):
        return read_server({"name": "x", **given}, NOTHING)

    def test_where_it_listens(self) -> None:
        """``listen``, else host and port; a host that is none is told by its name."""
        for given, listen in (
            ({}, "tcp:4000:interface=127.0.0.1"),
            ({"port": 0}, "tcp:0:interface=127.0.0.1"),
            ({"host": "::1", "port": 80}, "tcp:80:interface=\\:\\:1"),
            ({"listen": ["tcp:9"], "port": 80}, "tcp:9"),
            ({"listen": ()}, "tcp:4000:interface=127.0.0.1"),
        ):
            (found,) = self.read(**given).server.listen
            self.assertEqual(found.description, listen)
        error = self.assertRaises(ConfigError, self.read, host="example.org")
        self.assertEqual(error.problems, ("host: interface must be an IP address",))

    def test_who_calls(self) -> None:
        """Code names no mode: what it gave, else the environment, else nobody."""
        someone = StaticTokens({})
        around = Surroundings(Path(), {"JWT_SECRET": SECRET})
        for given, environment, mode, required in (
            ({"authenticator": someone}, NOTHING, BY_CODE, True),
            ({"authenticator": someone, "require_auth": False}, NOTHING, BY_CODE, False),
            ({"jwt_secret": SECRET}, NOTHING, "jwt", True),
            ({"jwt_secret": SECRET, "require_auth": False}, NOTHING, "jwt", False),
            ({}, around, "jwt", True),
            ({}, NOTHING, BY_CODE, True),
            ({"require_auth": False}, around, "none", False),
        ):
            auth = read_server({"name": "x", **given}, environment).auth
            self.assertEqual((auth.mode, auth.is_required), (mode, required), given)

    def test_names(self) -> None:
        """What a file has elsewhere is told by its keyword, and a part's line in a file's words."""
        error = self.assertRaises(ConfigError, self.read, redis_url="h", master_key="k")
        self.assertEqual(
            [line.partition(":")[0] for line in error.problems], ["redis_url", "master_key"]
        )
        for line, place in (
            ("redis_url: x", "redis.url: x"),
            ("master_key: x", "keys.master_key: x"),
            ("state_dir: x", "server.state_dir: x"),
            ("dns_servers[0]: x", "upstream.dns_servers[0]: x"),
            ("jwt_secret: x", "auth.secret: x"),
            ("server.listen[0]: x", "server.listen[0]: x"),
            ("a line of its own", "a line of its own"),
        ):
            self.assertEqual(in_file(line), place)


class RouteTests(SynchronousTestCase):
    def test_references(self) -> None:
        """Values may refer to the environment, as in a file."""
        around = Surroundings(Path(), {"KEY": "sk-1234567890"})
        given = {"allowed_hosts": ["a.example.com"], "forward_headers": {"X-Key": "${env:KEY}"}}
        headers = read_route(given, around).forward_headers
        self.assertEqual(headers["X-Key"].source, "env:KEY")
        self.assertRaises(ConfigError, read_route, given, NOTHING)

    def test_an_address_waits_for_its_server(self) -> None:
        """Whether its network is open is known where it is mounted."""
        route = read_route({"allowed_hosts": ["127.0.0.1"]}, NOTHING)
        closed = read_server({"name": "x"}, NOTHING)
        opened = read_server({"name": "x", "allow_networks": ["127.0.0.1/32"]}, NOTHING)
        error = self.assertRaises(ConfigError, check_mount, closed, "/a", route)
        self.assertTrue(error.problems[0].startswith("allowed_hosts[0]: "))
        check_mount(opened, "/a", route)
        error = self.assertRaises(ConfigError, check_mount, opened, "/a/", route)
        self.assertTrue(error.problems[0].startswith("path: "))

    def test_usage(self) -> None:
        """Budgets are told at /usage, where no other mount stands then: in either order."""
        server = read_server({"name": "x"}, NOTHING)
        hosts = {"allowed_hosts": ["api.example.com"]}
        plain = read_route(hosts, NOTHING)
        counted = read_route({**hosts, "budget": [{"requests": 5, "per": "day"}]}, NOTHING)
        check_mount(server, "/usage", plain, [("/a", plain), ("/b", None)])
        for path, route, beside, place in (
            ("/usage", plain, [("/a", counted)], "path: "),
            ("/usage", None, [("/a", counted)], "path: "),
            ("/usage", counted, [], "path: "),
            ("/a", counted, [("/usage", None)], "budget: "),
        ):
            error = self.assertRaises(ConfigError, check_mount, server, path, route, beside)
            self.assertEqual([line[: len(place)] for line in error.problems], [place])


class HelpTests(SynchronousTestCase):
    def test_signature(self) -> None:
        """Every keyword with its default and its type; its sentence in the docstring."""
        for door in (create_plugin_server, create_external_proxy):
            for name, parameter in inspect.signature(door).parameters.items():
                self.assertIsNot(parameter.annotation, parameter.empty, name)
                if name != "reactor":
                    self.assertIn(f":param {name}: ", door.__doc__)
