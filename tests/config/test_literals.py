"""Keys that stand in a config file which others can read."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config import load_config
from naap_twisted.config.literals import literal_keys
from naap_twisted.errors import ConfigError
from naap_twisted.keys.vault import new_master_key
from tests.config.support import ENVIRON, config_of, proxy, text_of
from tests.keypairs import SECRET

HEADERS = (
    'forward_headers = { Authorization = "Bearer sk-canary", x-api-key = "sk-canary",'
    ' X-Auth-Token = "sk-canary", anthropic-version = "2023-06-01" }'
)


class LiteralTests(SynchronousTestCase):
    def test_which(self) -> None:
        """Secrets of every section; a header that only tells a version is none, nor is a URL."""
        config = config_of(
            server='[server]\nstate_dir = "s"',
            auth=f'[auth]\nmode = "jwt"\nsecret = "{SECRET}"',
            redis='[redis]\nurl = "redis://:sk-canary@h"',
            proxy=proxy(HEADERS),
            more=f'[keys]\nmaster_key = "{new_master_key()}"',
        )
        headers = ("Authorization", "x-api-key", "X-Auth-Token")
        self.assertEqual(
            list(literal_keys(config)),
            ["auth.secret", "keys.master_key", "redis.url"]
            + [f"proxy[0].forward_headers.{name}" for name in headers],
        )
        guest = (
            f'[auth]\nmode = "guest"\n[auth.guest]\nkeys = "{SECRET}"\n'
            f'verify_url = "https://a.example/v"\nverify_secret = "{SECRET}"'
        )
        self.assertEqual(
            list(literal_keys(config_of(auth=guest, proxy=proxy('authorize = "user"')))),
            ["auth.guest.keys", "auth.guest.verify_secret"],
        )
        kept = config_of(
            server='[server]\ndatabase_url = "postgresql://user@h/d"',
            redis='[redis]\nurl = "redis://h"',
            proxy=proxy('forward_headers = { Authorization = "Bearer ${env:KEY}" }'),
        )
        self.assertEqual(list(literal_keys(kept)), [])

    def test_query(self) -> None:
        """A parameter that a key's name has; a version is plain text."""
        written = 'forward_query = { key = "sk-canary", api-version = "2024-10-21", v = "1" }'
        config = config_of(proxy=proxy(written))
        self.assertEqual(list(literal_keys(config)), ["proxy[0].forward_query.key"])
        kept = config_of(proxy=proxy('forward_query = { key = "${env:KEY}" }'))
        self.assertEqual(list(literal_keys(kept)), [])

    def test_hosts(self) -> None:
        """Of a single host."""
        written = 'hosts = { "a.example.com" = { forward_headers = { X-Api-Key = "sk-canary" } } }'
        config = config_of(proxy=proxy('allowed_hosts = ["a.example.com"]', written))
        self.assertEqual(
            list(literal_keys(config)), ['proxy[0].hosts."a.example.com".forward_headers.X-Api-Key']
        )

    def test_key(self) -> None:
        """The option ``key`` by its own name, once; from the environment it is none."""
        more = 'forward_headers = { X-Auth-Token = "sk-canary" }'
        route = '[[proxy]]\npath = "/a"\nprovider = "anthropic"\nkey = "%s"\n' + more
        own = Path(self.mktemp())
        own.mkdir()
        acme = own.resolve() / "acme.toml"
        acme.write_text("[route]\ntarget = 'https://acme.example'\n[key]\nquery = 'access_token'")
        for provider in ("anthropic", str(acme)):
            written = route.replace("anthropic", provider)
            for key, expected in (("sk-canary", ["proxy[0].key"]), ("${env:KEY}", [])):
                found = list(literal_keys(config_of(proxy=written % key)))
                self.assertEqual(found, [*expected, "proxy[0].forward_headers.X-Auth-Token"])

    def test_file(self) -> None:
        """Refused where others can read it, with the command that mends it; never the key."""
        path = Path(self.mktemp())
        path.write_text(text_of(proxy=proxy(HEADERS)))
        for mode in (0o644, 0o604):
            path.chmod(mode)
            error = self.assertRaises(ConfigError, load_config, path, ENVIRON)
            self.assertEqual(len(error.problems), 3)
            for line in error.problems:
                self.assertIn(f"chmod o-r {path}", line)
                self.assertNotIn("canary", line)
        for mode in (0o600, 0o640):
            path.chmod(mode)
            self.assertEqual(load_config(path, ENVIRON).server.name, "ai")
