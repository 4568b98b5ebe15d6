"""Which authenticator a server gets, and what it says of it."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.auth.static import StaticTokens
from naap_twisted.errors import ConfigError
from naap_twisted.model import User
from naap_twisted.options.code import read_server
from naap_twisted.options.values import Surroundings
from naap_twisted.secret import Secret
from naap_twisted.server.authentication import NOBODY, auth_in_words, authenticator_of
from tests.keypairs import SECRET

STATIC = StaticTokens({"t": User("ada")})
SET = {"NEXTAUTH_SECRET": SECRET}


def chosen(given, secret, environ, **options):
    """The authenticator of a server that was made in code."""
    around = Surroundings(Path(), environ)
    given = {"authenticator": given, "jwt_secret": secret, **options}
    return authenticator_of(read_server({"name": "x", **given}, around).auth, "")


class Choosing(SynchronousTestCase):
    def test_table(self):
        """What is given comes first; the environment only where auth is required."""
        for given, secret, required, environ, kind in [
            (STATIC, None, True, SET, StaticTokens),
            (STATIC, None, False, {}, StaticTokens),
            (None, SECRET, True, {}, JwtAuthenticator),
            (None, Secret(SECRET), False, {}, JwtAuthenticator),
            (None, None, True, SET, JwtAuthenticator),
            (None, None, True, {"JWT_SECRET": SECRET}, JwtAuthenticator),
            (None, None, True, {}, type(None)),
            (None, None, False, SET, type(None)),
        ]:
            made = chosen(given, secret, environ, require_auth=required)
            self.assertIs(type(made), kind)

    def test_mistakes(self):
        """Two at once, and secrets that are none."""
        for given, secret, environ in [
            (STATIC, SECRET, {}),
            (None, "canary", {}),
            (None, "", {}),
            (None, "a\nb" * 20, {}),
            (None, None, {"NEXTAUTH_SECRET": "canary"}),
        ]:
            error = self.assertRaises(ConfigError, chosen, given, secret, environ)
            self.assertNotIn("canary", str(error))
            self.assertRegex(str(error), "^jwt_secret: ")


class Words(SynchronousTestCase):
    def test_table(self):
        """For the start line."""

        class Own:
            """Somebody's."""

        for authenticator, required, words in [
            (None, False, "off"),
            (None, True, "on (but nobody is known)"),
            (STATIC, True, "on (static tokens)"),
            (JwtAuthenticator.from_secret(SECRET), False, "optional (jwt)"),
            (Own(), True, "on (Own)"),
        ]:
            self.assertEqual(auth_in_words(authenticator, required=required), words)
        self.assertIn("NEXTAUTH_SECRET", NOBODY)
