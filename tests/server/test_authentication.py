"""Which authenticator a server gets, and what it says of it."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.auth.static import StaticTokens
from naap_twisted.errors import ConfigError
from naap_twisted.model import User
from naap_twisted.options.code import read_server
from naap_twisted.options.values import Surroundings
from naap_twisted.secret import Secret
from naap_twisted.server.authentication import NOBODY, auth_in_words, authenticator_of
from naap_twisted.server.guests import guests_of
from naap_twisted.server.heirlooms import Heirlooms
from tests.keypairs import SECRET
from tests.spine import make_server

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


class Guests(SynchronousTestCase):
    def test_code(self):
        """The option says the mode; beside another authenticator it has no meaning."""
        config = read_server({"name": "x", "guest": {}}, Surroundings(Path(), SET))
        self.assertEqual((config.auth.mode, config.auth.is_required), ("guest", True))
        guests = guests_of(config, Heirlooms())
        self.assertIs(authenticator_of(config.auth, "", guests), guests)
        self.assertEqual(auth_in_words(guests, required=True), "on (guest)")
        for given, secret, name in ((STATIC, None, "guest"), (None, SECRET, "jwt_secret")):
            error = self.assertRaises(ConfigError, chosen, given, secret, {}, guest={})
            self.assertTrue(str(error).startswith(f"{name}: has no meaning"), str(error))

    def test_own_path(self):
        """No mount takes their path; where nobody is a guest it is free."""
        for options, count in (({"guest": {}}, 1), ({"require_auth": False}, 0)):
            server = make_server(**options)
            problems = []
            try:
                server.mount("/guest", Resource())
            except ConfigError as error:
                problems = error.problems
            self.assertEqual(len(problems), count, problems)
            server.mount("/guest/x", Resource())


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
