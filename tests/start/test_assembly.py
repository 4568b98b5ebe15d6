"""A config becomes a server: what is mounted, and what is refused only here."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.errors import ConfigError
from naap_twisted.keys.vault import new_master_key
from naap_twisted.model import RateLimit
from naap_twisted.start import assembly
from tests.config.support import config_of, proxy
from tests.keypairs import SECRET, pem, rsa

KEY = 'forward_headers = { Authorization = "Bearer ${env:KEY}" }'
not_callable = "text"


def authorize(request: object) -> bool:
    """A route's ``authorize`` in the configs below."""
    return request is not None


class BuildTests(SynchronousTestCase):
    def test_server(self) -> None:
        """[server] and [auth] become the server's options."""
        server = assembly.build_server(config_of())
        self.assertEqual(server.listen, ("tcp:4020:interface=127.0.0.1",))
        self.assertEqual(server.title, "ai")
        self.assertFalse(server.require_auth)

    def test_auth(self) -> None:
        """Each mode has its authenticator; without auth there is none."""
        public = Path(self.mktemp()).absolute()
        public.write_bytes(pem(rsa()))
        url = "http://localhost:1/x"
        for lines, kind, required in (
            (f'session_url = "{url}"', SessionAuthenticator, True),
            (f'session_url = "{url}"\nrequired = false', SessionAuthenticator, False),
            (f'mode = "jwt"\nsecret = "{SECRET}"', JwtAuthenticator, True),
            (f'mode = "jwt"\njwks_url = "{url}"\nalgorithms = ["RS256"]', JwtAuthenticator, True),
            (
                f'mode = "jwt"\npublic_key_file = "{public}"\nalgorithms = ["RS256"]',
                JwtAuthenticator,
                True,
            ),
            ('mode = "none"', type(None), False),
        ):
            server = assembly.build_server(config_of(auth=f"[auth]\n{lines}"))
            self.assertIs(type(server._authenticator), kind, lines)
            self.assertEqual(server.require_auth, required)

    def test_patience(self) -> None:
        """A session service has its own time, and the callables' deadline does not cut it short."""
        for lines, seconds in (
            ('session_url = "http://localhost:1/x"\nsession_timeout = "30s"', 31.0),
            ('session_url = "http://localhost:1/x"', 10.0),
            (f'mode = "jwt"\nsecret = "{SECRET}"', 10.0),
        ):
            server = assembly.build_server(config_of(auth=f"[auth]\n{lines}"))
            self.assertEqual(server.site().limits.callable_timeout, seconds, lines)

    def test_stores(self) -> None:
        """[keys], [redis] and the limits arrive; a user's key becomes a callable with names."""
        server = assembly.build_server(
            config_of(
                server='[server]\nstate_dir = "s"\nuser_rate_limit = { requests=3, window=9 }',
                auth='[auth]\nsession_url = "http://localhost:1/x"',
                redis='[redis]\nurl = "redis://h"\non_redis_loss = "deny"',
                proxy=proxy(
                    'forward_headers = { Authorization = "Bearer ${user_key:x}", X-A = "plain" }',
                    "rate_limit = { requests = 2, window = 60 }",
                    "count_tokens = true",
                    'content_type = "application/sdp"',
                    'location_ttl = "1h"',
                    "follow_redirects = true",
                ),
                more=f'[keys]\nmaster_key = "{new_master_key()}"',
            )
        )
        options = server.config
        self.assertEqual(options.server.user_rate_limit, RateLimit(3, 9.0))
        self.assertEqual(options.redis.on_redis_loss, "deny")
        proxied = server.routes()[0].proxy
        route, written = proxied.route, proxied.options
        self.assertEqual((written.rate_limit, written.count_tokens), (RateLimit(2, 60.0), True))
        self.assertEqual((route.session_ttl, written.follow_redirects), (3600.0, True))
        self.assertEqual(route.injects, ("Authorization", "X-A"))
        self.assertNotIn("plain", repr(route))

    def test_routes(self) -> None:
        """Each [[proxy]] is mounted below the base path, with its own options."""
        config = config_of(
            proxy=proxy(KEY, 'methods = ["PUT", "PATCH"]', "timeout = 5", "idle_timeout = 6"),
            more=(
                '[[proxy]]\npath = "/b"\ntarget = "https://api.openai.com/v1"\n'
                'errors = "envelope"\ntotal_timeout = "1m"'
            ),
        )
        first, second = assembly.build_server(config).routes()
        self.assertEqual((first.full_path, second.full_path), ("/api/v1/a", "/api/v1/b"))
        self.assertEqual(first.methods, ("PUT", "PATCH"))
        self.assertEqual(first.proxy.route.timeouts.head, 5.0)
        self.assertEqual(first.proxy.route.timeouts.idle, 6.0)
        self.assertEqual(first.proxy.route.injects, ("Authorization",))
        self.assertEqual(second.proxy.route.timeouts.total, 60.0)
        self.assertTrue(second.proxy.route.envelope)
        self.assertEqual(second.proxy.route.pinned.base.host, "api.openai.com")

    def test_target_header(self) -> None:
        """A header of the route's own is what a preflight allows."""
        config = config_of(proxy=proxy('target_url_header = "X-New-URL"'))
        (mount,) = assembly.build_server(config).routes()
        self.assertEqual(mount.proxy.route.cors.allow_headers, ("X-New-URL",))

    def test_authorize(self) -> None:
        """A callable is imported; words and nothing are passed on as they are."""
        session = '[auth]\nsession_url = "http://localhost:1/x"'
        for written, built in (
            (f"{__name__}:authorize", authorize),
            ("anyone", "anyone"),
            ("role:admin", "role:admin"),
        ):
            config = config_of(auth=session, proxy=proxy(f'authorize = "{written}"'))
            self.assertEqual(self.authorizers(config), [built])
        self.assertEqual(self.authorizers(config_of()), [None])

    def authorizers(self, config) -> list[object]:
        return [mount.proxy.route.authorize for mount in assembly.build_server(config).routes()]

    def test_authorize_that_is_none(self) -> None:
        """One line for each that can't be had, with the route's key."""
        routes = "\n".join(
            proxy(f'path = "/{index}"', f'authorize = "{reference}"')
            for index, reference in enumerate(
                (f"{__name__}:nobody", "no_such_module:f", f"{__name__}:not_callable")
            )
        )
        error = self.assertRaises(ConfigError, assembly.build_server, config_of(proxy=routes))
        self.assertEqual(
            [line.partition(": ")[0] for line in error.problems],
            [f"proxy[{index}].authorize" for index in range(3)],
        )

    def test_what_the_parts_refuse(self) -> None:
        """A line of the parts themselves gets the place in the config."""

        def refuse(*args: object, **options: object) -> None:
            raise ConfigError("ca_file: no", "listen[0]: no", "upstream.ca_file: no")

        self.patch(assembly, "make_server", refuse)
        error = self.assertRaises(ConfigError, assembly.checked_server, config_of())
        self.assertEqual(
            error.problems, ("upstream.ca_file: no", "server.listen[0]: no", "upstream.ca_file: no")
        )

    def test_what_a_route_refuses(self) -> None:
        """The same for a route."""

        def refuse(options: object) -> None:
            raise ConfigError("timeout: no")

        self.patch(assembly, "ExternalProxy", refuse)
        error = self.assertRaises(ConfigError, assembly.build_server, config_of())
        self.assertEqual(error.problems, ("proxy[0].timeout: no",))
