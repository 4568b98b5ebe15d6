"""[auth]: its keys alone and beside one another."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config import parse_config
from naap_twisted.errors import ConfigError
from naap_twisted.options.rules import effective_authorize
from naap_twisted.start.describe import describe_auth
from tests.config.support import proxy, text_of
from tests.keypairs import SECRET, ec, pem, rsa

URL = "http://localhost:3000/api/v1/auth/me"
SESSION = f'session_url = "{URL}"'
JWT = 'mode = "jwt"'
JWKS = 'jwks_url = "https://id.example/keys"'
PUBLIC = '[server]\nlisten = ["tcp:4020"]'


class AuthCase(SynchronousTestCase):
    environ = {"KEY": "sk-canary-9f2", "SIGN": SECRET, "SHORT": "canary-short"}

    def config(self, *lines, environ=None, **edits):
        auth = "\n".join(("[auth]", *lines))
        return parse_config(
            text_of(auth=auth, **edits), directory=Path(), environ=environ or self.environ
        )

    def problems(self, *lines, environ=None, **edits):
        try:
            self.config(*lines, environ=environ, **edits)
        except ConfigError as error:
            self.assertNotIn("canary", str(error))
            self.assertNotIn(SECRET, str(error))
            return [line.partition(": ")[0] for line in error.problems]
        return []

    def key_file(self, content):
        path = Path(self.mktemp()).absolute()
        path.write_bytes(content)
        return f'public_key_file = "{path}"'


class SessionTests(AuthCase):
    def test_default_mode(self) -> None:
        """A file that says nothing asks for sessions, so it must say where."""
        self.assertEqual(self.problems(), ["auth.session_url"])
        auth = self.config(SESSION).auth
        self.assertEqual((auth.mode, auth.session_url, auth.cache_ttl), ("session", URL, 60.0))
        self.assertEqual(
            (auth.session_cookie, auth.csrf_cookie), ("naap_auth_token", "naap_csrf_token")
        )
        self.assertTrue(auth.is_required)

    def test_urls(self) -> None:
        """http and https; nothing that hides a password, and one line for a bad one."""
        for url in ("https://id.example/me", "http://10.0.0.7:3000/me?x=1"):
            self.assertEqual(self.problems(f'session_url = "{url}"'), [], url)
        for url in ("", "id.example", "ftp://a/", "http://", "https://u:canary@a/", "https://a/#f"):
            self.assertEqual(self.problems(f'session_url = "{url}"'), ["auth.session_url"], url)

    def test_cookies(self) -> None:
        """Names that cookies can have, one each; none for the session turns cookies off."""
        self.assertEqual(self.problems(SESSION, 'session_cookie = ""'), [])
        for lines, wrong in (
            (('session_cookie = "a b"',), "session_cookie"),
            (('csrf_cookie = "a;"',), "csrf_cookie"),
            (('csrf_cookie = ""',), "csrf_cookie"),
            (('csrf_cookie = "x"', 'session_cookie = "x"'), "csrf_cookie"),
        ):
            self.assertEqual(self.problems(SESSION, *lines), [f"auth.{wrong}"])

    def test_keys_of_other_modes(self) -> None:
        """What would have no effect is refused, in every mode."""
        for lines, wrong in (
            ((SESSION, JWKS), "jwks_url"),
            ((SESSION, 'audience = "a"'), "audience"),
            ((SESSION, 'secret = "${env:SIGN}"'), "secret"),
            ((JWT, 'secret = "${env:SIGN}"', SESSION), "session_url"),
            ((JWT, 'secret = "${env:SIGN}"', "cache_ttl = 5"), "cache_ttl"),
            (('mode = "none"', SESSION), "session_url"),
            (('mode = "none"', "leeway = 5"), "leeway"),
        ):
            self.assertEqual(self.problems(*lines), [f"auth.{wrong}"])


class JwtTests(AuthCase):
    def test_secret(self) -> None:
        """From a reference; HS256 unless named; too short is refused."""
        auth = self.config(JWT, 'secret = "${env:SIGN}"').auth
        self.assertEqual(auth.named_algorithms, ("HS256",))
        self.assertNotIn(SECRET, repr(auth))
        self.assertEqual(self.problems(JWT, 'secret = "${env:SHORT}"'), ["auth.secret"])
        self.assertEqual(self.problems(JWT, 'secret = "${env:GONE}"'), ["auth.secret"])

    def test_environment(self) -> None:
        """Without a key the seed's variables are looked at, the first before the second."""
        both = {"NEXTAUTH_SECRET": SECRET, "JWT_SECRET": "other" * 10}
        self.assertEqual(self.config(JWT, environ=both).auth.secret.source, "env:NEXTAUTH_SECRET")
        del both["NEXTAUTH_SECRET"]
        self.assertEqual(self.config(JWT, environ=both).auth.secret.source, "env:JWT_SECRET")
        self.assertEqual(self.problems(JWT), ["auth.secret"])
        self.assertEqual(self.problems(JWT, environ={"JWT_SECRET": "short"})[0], "auth.secret")
        # A broken reference is not papered over by the environment.
        broken = 'secret = "${env:GONE}"'
        self.assertEqual(self.problems(JWT, broken, environ=both), ["auth.secret"])
        self.assertIsNone(self.config(SESSION, environ=both).auth.secret)

    def test_public_key(self) -> None:
        """A PEM file and algorithms of its kind, named."""
        for key, fine, wrong in ((rsa(), "RS256", "ES256"), (ec(), "ES256", "ES384")):
            line = self.key_file(pem(key))
            self.assertEqual(self.problems(JWT, line, f'algorithms = ["{fine}"]'), [])
            for named in (f'algorithms = ["{wrong}"]', 'algorithms = ["HS256"]', 'issuer = "i"'):
                self.assertEqual(self.problems(JWT, line, named), ["auth.algorithms"])

    def test_files_that_are_no_public_key(self) -> None:
        """Absent, something else, or the private one."""
        for content in (b"", b"canary", rsa().as_pem(private=True)):
            line = self.key_file(content)
            self.assertEqual(self.problems(JWT, line), ["auth.public_key_file"])
        gone = 'public_key_file = "gone.pem"'
        self.assertEqual(self.problems(JWT, gone), ["auth.public_key_file"])

    def test_jwks(self) -> None:
        """https, or http to this machine; algorithms are named, and never a shared secret's."""
        named = 'algorithms = ["RS256", "EdDSA"]'
        self.assertEqual(self.problems(JWT, JWKS, named), [])
        self.assertEqual(self.problems(JWT, 'jwks_url = "http://127.0.0.1:9/k"', named), [])
        self.assertEqual(
            self.problems(JWT, 'jwks_url = "http://id.example/k"', named), ["auth.jwks_url"]
        )
        for wrong in ('["HS256"]', '["none"]', '["RS256", "none"]'):
            found = self.problems(JWT, JWKS, f"algorithms = {wrong}")
            self.assertEqual(found, ["auth.algorithms"], wrong)
        self.assertEqual(self.problems(JWT, JWKS), ["auth.algorithms"])

    def test_one_key(self) -> None:
        """Two sources of keys: which one counts would be anybody's guess."""
        found = self.problems(JWT, JWKS, 'secret = "${env:SIGN}"')
        self.assertEqual(found, ["auth.jwks_url"])

    def test_claims(self) -> None:
        """One audience or several, an issuer, a leeway that may be zero and not endless."""
        secret = 'secret = "${env:SIGN}"'
        auth = self.config(JWT, secret, 'audience = "a"', 'issuer = "i"', "leeway = 0").auth
        self.assertEqual((auth.audience, auth.issuer, auth.leeway), (("a",), "i", 0.0))
        for line in ('audience = [""]', 'issuer = ""', 'leeway = "10m"', "leeway = -1"):
            key = line.partition(" ")[0]
            self.assertEqual(len(self.problems(JWT, secret, line)), 1, line)
            self.assertTrue(self.problems(JWT, secret, line)[0].startswith(f"auth.{key}"))


class RequiredTests(AuthCase):
    def test_optional(self) -> None:
        """required = false: open on loopback, refused beyond it unless the route says."""
        optional = (SESSION, "required = false")
        config = self.config(*optional)
        self.assertFalse(config.auth.is_required)
        self.assertEqual(effective_authorize(config, config.proxy[0]), "anyone")
        keyed = proxy('forward_headers = { Authorization = "${env:SIGN}" }')
        found = self.problems(*optional, server=PUBLIC, proxy=keyed)
        self.assertEqual(found, ["proxy[0].authorize"])
        for rule in ("user", "anyone", "role:admin"):
            edited = proxy(f'authorize = "{rule}"')
            self.assertEqual(self.problems(*optional, server=PUBLIC, proxy=edited), [], rule)

    def test_required(self) -> None:
        """With a mode, "user" is the default everywhere."""
        config = self.config(SESSION, server=PUBLIC)
        self.assertEqual(effective_authorize(config, config.proxy[0]), "user")

    def test_roles_without_users(self) -> None:
        """A role needs somebody who has it."""
        edited = proxy('authorize = "role:admin"')
        self.assertEqual(self.problems('mode = "guest"', proxy=edited), ["proxy[0].authorize"])
        self.assertEqual(self.problems('mode = "none"', proxy=edited), ["proxy[0].authorize"])


class DescribeTests(AuthCase):
    def test_words(self) -> None:
        """What check prints; never a secret."""
        cookie = "from Authorization or cookie naap_auth_token"
        for lines, words in (
            (['mode = "none"'], "off"),
            ([SESSION], f"session asked of {URL}, kept 60s {cookie}"),
            (
                [JWT, 'secret = "${env:SIGN}"', 'session_cookie = ""'],
                "jwt HS256 by the secret from env:SIGN from Authorization only",
            ),
            (
                [JWT, JWKS, 'algorithms = ["RS256", "ES256"]', "required = false"],
                "optional jwt RS256 or ES256 by the keys at https://id.example/keys " + cookie,
            ),
            (
                ['mode = "guest"'],
                "guests, from Authorization or cookie naap_guest, known for 2592000s, new ones of"
                " an address: 20 in 3600s, of an IPv6 /64: 60 in 3600s, without a challenge",
            ),
            (
                [
                    'mode = "guest"',
                    "required = false",
                    'guest = { app_check = "12", verify_secret = "${env:SIGN}", cookie = "g",'
                    ' verify_url = "https://a.example/v?key=canary", ttl = "1h" }',
                ],
                "optional guests, from Authorization or cookie g, known for 3600s, new ones of"
                " an address: 20 in 3600s, of an IPv6 /64: 60 in 3600s,"
                " after a challenge judged by https://a.example/v or App Check of project 12",
            ),
        ):
            self.assertEqual(describe_auth(self.config(*lines).auth), words)

    def test_queries(self) -> None:
        """A key in a URL's query is not printed."""
        for lines in (
            [f'session_url = "{URL}?key=canary"'],
            [JWT, 'jwks_url = "https://id.example/keys?key=canary"', 'algorithms = ["RS256"]'],
        ):
            self.assertNotIn("canary", describe_auth(self.config(*lines).auth))

    def test_in_the_clear(self) -> None:
        """Tokens that would cross the net unencrypted are said aloud."""
        auth = self.config('session_url = "http://10.0.0.7/me"').auth
        self.assertIn("(tokens go there in the clear)", describe_auth(auth))
