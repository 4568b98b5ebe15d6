"""A route over its provider: what each says, where the key goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.model import UserKeyHeader
from naap_twisted.options.code import read_route
from naap_twisted.options.provider import parse_provider, provider_names, provider_text
from naap_twisted.options.route import RouteOptions
from naap_twisted.options.values import Surroundings
from naap_twisted.secret import Secret

KEY = "sk-canary-4f81"


class ProvidedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def own(self, text: str) -> str:
        self.folder.joinpath("acme.toml").write_text(text)
        return "./acme.toml"

    def route(self, **given: Any) -> RouteOptions:
        return read_route(given, Surroundings(self.folder, {}))

    def refused(self, **given: Any) -> list[str]:
        with self.assertRaises(ConfigError) as caught:
            self.route(**given)
        return [*caught.exception.problems]

    def key_in(self, route: RouteOptions, name: str) -> bytes:
        assert not callable(route.forward_headers)
        value = route.forward_headers[name]
        assert isinstance(value, Secret)
        return value.reveal()

    def test_defaults(self) -> None:
        """The provider's where the route does not say; the route's own first."""
        route = self.route(provider="anthropic", key=KEY)
        self.assertEqual(route.target.written, "https://api.anthropic.com")
        self.assertEqual((route.timeout, route.body_limit), (600.0, 32 * 1024 * 1024))
        self.assertEqual(self.key_in(route, "x-api-key"), KEY.encode())
        own = self.route(provider="anthropic", timeout="5s", target="https://a.example")
        self.assertEqual((own.timeout, own.target.written), (5.0, "https://a.example"))
        self.assertEqual(own.body_limit, 32 * 1024 * 1024)

    def test_not_a_providers_to_say(self) -> None:
        """A file of somebody's reads no secret, imports no code, and lets nobody in."""
        base = 'target = "https://a.example"'
        for line, name in (
            ('path = "/other"', "path"),
            ('provider = "openai"', "provider"),
            ('provider = "./acme.toml"', "provider"),
            ('authorize = "anyone"', "authorize"),
            ('authorize = "os:getcwd"', "authorize"),
            ('key = "${env:HOME}"', "key"),
            ('forward_headers = { X-Stolen = "${env:HOME}" }', "forward_headers"),
            ('forward_query = { stolen = "${env:HOME}" }', "forward_query"),
            ('client_key = "client.key"', "client_key"),
            ('oauth2 = { token_url = "https://a.example" }', "oauth2"),
        ):
            (problem,) = self.refused(provider=self.own(f"[route]\n{base}\n{line}"), key=KEY)
            words = f"./acme.toml: route.{name}: is for a route to say, not for a provider"
            self.assertIn(words, problem)
        name = self.own("[route]\ntarget = 'https://a.example/${env:HOME}'")
        self.assertIn("route.target: is for a route to say", self.refused(provider=name)[0])

    def test_models_are_waited_for(self) -> None:
        """A model may think for minutes before its first byte, and pause while it streams."""
        for name in provider_names():
            known = parse_provider(name, provider_text(name))
            if not known.limits:
                continue  # no model
            with self.subTest(name=name):
                route = self.route(provider=name, key=KEY, target="https://a.example")
                self.assertGreaterEqual(route.timeout, 300.0)
                self.assertGreaterEqual(route.idle_timeout or 300.0, 300.0)
                self.assertIsNone(route.total_timeout)

    def test_models_take_their_time(self) -> None:
        """A call that is paid by the token is waited for as long as its clients do (case C4)."""
        slow = [
            name
            for name in provider_names()
            if parse_provider(name, provider_text(name)).usage.output
        ]
        self.assertIn("openai", slow)
        for name in slow:
            route = self.route(provider=name, target="https://api.example.com")
            self.assertGreaterEqual(route.timeout, 600, name)
            self.assertIsNone(route.total_timeout, name)

    def test_headers_add_up(self) -> None:
        """The provider's names are among the usual ones: an option adds, and takes out."""
        given = {"pass_headers": ["X-A", "!anthropic-beta"], "response_headers": ["!request-id"]}
        route = self.route(provider="anthropic", **given)
        self.assertIn("anthropic-version", route.passed_headers)
        self.assertIn("X-A", route.passed_headers)
        self.assertNotIn("anthropic-beta", route.passed_headers)
        self.assertIn("anthropic-*", route.relayed_headers)
        self.assertNotIn("request-id", route.relayed_headers)

    def test_passed_headers_add_up(self) -> None:
        """To those that the provider's own route names, too."""
        place = {"provider": "supabase", "target": "https://a.supabase.co"}
        for given, named in (
            ([], ("Authorization",)),
            (["X-A"], ("Authorization", "X-A")),
            (["!authorization", "X-A"], ("!authorization", "X-A")),
        ):
            route = self.route(**place, pass_headers=given)
            self.assertEqual(route.pass_headers, named)
            self.assertIs("Authorization" in route.passed_headers, "Authorization" in named)

    def test_the_page_names_the_url(self) -> None:
        """With allowed_hosts the provider pins nothing."""
        route = self.route(provider="openai", allowed_hosts=["api.openai.com"])
        self.assertIsNone(route.target)
        self.assertEqual(route.timeout, 600.0)

    def test_either(self) -> None:
        """A header names the URL, or a base is pinned: what the route says makes the other void."""
        route = self.route(provider="whip", allowed_hosts=["media.example.com"])
        self.assertEqual((route.target, route.header), (None, "X-WHIP-URL"))
        route = self.route(provider="whip", target="https://media.example.com/whip")
        self.assertIsNone(route.target_url_header)
        (line,) = self.refused(provider="whip")
        self.assertIn('target: is missing: WHIP needs it; such as "https://<your', line)

    def test_key(self) -> None:
        """Text around it as the provider says; a secret, a user's own; beside other headers."""
        route = self.route(provider="openai", key=Secret(KEY), forward_headers={"X-B": "b"})
        self.assertEqual(self.key_in(route, "Authorization"), b"Bearer " + KEY.encode())
        self.assertEqual(self.key_in(route, "X-B"), b"b")
        route = self.route(provider="openai", key="${user_key:openai}")
        assert not callable(route.forward_headers)
        expected = UserKeyHeader("openai", "Bearer ")
        self.assertEqual(route.forward_headers["Authorization"], expected)

    def test_key_in_the_query(self) -> None:
        """Beside other parameters and a callable; a key whatever its parameter's name is."""
        name = self.own("[route]\ntarget = 'https://maps.example'\n[key]\nquery = 'k'")
        given = {"forward_headers": lambda request: {}, "forward_query": {"v": "2"}}
        route = self.route(provider=name, key=KEY, **given)
        self.assertEqual(route.forward_query["k"].reveal(), KEY.encode())
        self.assertEqual([*route.keys.query_keys], ["k"])
        (line,) = self.refused(provider=name, key=KEY, forward_query={"K": "1"})
        self.assertIn("key: sets k, as forward_query does", line)
        (line,) = self.refused(provider=name, key="${user_key:maps}")
        self.assertIn("key: is a user's own, which only a header takes", line)

    def test_key_twice(self) -> None:
        """Where the provider says so, Authorization has it, too."""
        place = {"provider": "supabase", "target": "https://a.supabase.co"}
        route = self.route(**place, key=KEY)
        self.assertEqual(self.key_in(route, "apikey"), KEY.encode())
        self.assertEqual(self.key_in(route, "Authorization"), b"Bearer " + KEY.encode())
        lines = self.refused(**place, key=KEY, forward_headers={"Authorization": "x-y-z-1-2-3"})
        self.assertEqual(len(lines), 1)
        self.assertIn("key: sets Authorization, as forward_headers does", lines[0])

    def test_key_refused(self) -> None:
        """Without a provider, behind its own prefix, beside the same header."""
        self.assertIn("key: has no meaning without", self.refused(target="https://a", key=KEY)[0])
        (line,) = self.refused(provider="openai", key=f"bearer {KEY}")
        self.assertEqual(line, 'key: begins with "Bearer ", which the provider puts there')
        headers = {"authorization": KEY}
        (line,) = self.refused(provider="openai", key=KEY, forward_headers=headers)
        self.assertIn("key: sets Authorization, as forward_headers does", line)
        (line,) = self.refused(provider="anthropic", key=KEY, forward_headers={"X_API_Key": KEY})
        self.assertIn("key: sets x-api-key, as forward_headers does", line)
        (line,) = self.refused(provider="openai", key=KEY, forward_headers=lambda request: {})
        self.assertIn("key: has no meaning beside a callable", line)

    def test_a_file_of_ones_own(self) -> None:
        """Its options of a route are judged as a route's; its key's place counts."""
        name = self.own("[route]\ntarget = 'https://acme.example'\n[key]\nheader = 'X-K'")
        route = self.route(provider=name, key=KEY)
        self.assertEqual(self.key_in(route, "X-K"), b"Bearer " + KEY.encode())
        name = self.own("[route]\ntimeuot = 3\nbody_limit = 'x'\npath = 3")
        lines = self.refused(provider=name, target="https://a.example")
        self.assertIn('./acme.toml: route.timeuot: unknown key; did you mean "timeout"?', lines[0])
        self.assertEqual(len(lines), 3)

    def test_needs(self) -> None:
        """What only the owner knows is asked for, with an example."""
        name = self.own("title = 'Acme'\n[needs]\ntarget = '\"https://x.acme.example\"'")
        lines = self.refused(provider=name)
        wanted = 'target: is missing: Acme needs it; such as "https://x.acme.example"'
        self.assertIn(wanted, lines)
        self.route(provider=name, target="https://y.acme.example")
