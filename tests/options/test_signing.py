"""The option ``sign``."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options import signing as module
from naap_twisted.options.signing import signing
from naap_twisted.options.values import Flaws, Surroundings

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "of-the-environment"}
PLACE = {"region": "eu-west-1", "service": "bedrock"}


def around(**environ):
    return Surroundings(Path("/"), environ)


class SigningTests(SynchronousTestCase):
    def test_default_keys(self):
        """The variables that AWS's own tools read; a session token where there is one."""
        options = signing({"aws_sigv4": PLACE}, around(**KEYS))
        self.assertEqual(options.access_key.reveal(), b"AKIDEXAMPLE")
        self.assertEqual(options.secret_key.reveal(), b"of-the-environment")
        self.assertIs(options.session_token, None)
        options = signing({"aws_sigv4": PLACE}, around(**KEYS, AWS_SESSION_TOKEN="token"))
        self.assertEqual(options.session_token.reveal(), b"token")

    def test_own_keys(self):
        """A token of the environment does not go with keys of another place."""
        table = {**PLACE, "access_key": "AKIDOTHER", "secret_key": "${env:S}"}
        options = signing({"aws_sigv4": table}, around(S="secret", AWS_SESSION_TOKEN="token"))
        self.assertEqual(options.secret_key.reveal(), b"secret")
        self.assertIs(options.session_token, None)

    def test_missing(self):
        """Half of a pair of keys, no variables."""
        for table, environ in ((PLACE, {}), ({**PLACE, "access_key": "A"}, KEYS)):
            with self.subTest(table=table), self.assertRaises(Flaws) as caught:
                signing({"aws_sigv4": table}, around(**environ))
            places = {place for place, _ in caught.exception.flaws}
            self.assertIn(".aws_sigv4.secret_key", places)

    def test_callables(self):
        self.assertEqual(signing("package.module:name"), "package.module:name")
        self.assertIs(signing(print), print)
        self.assertIs(signing(None), None)
        for value in ("name", "a b:c", 3, [], ["a:b"]):
            with self.subTest(value=value), self.assertRaises(ValueError):
                signing(value)

    def test_without_botocore(self):
        """The line says what to install; nothing else is imported for it."""
        self.patch(module, "is_installed", lambda: False)
        with self.assertRaises(ValueError) as caught:
            signing({"aws_sigv4": PLACE}, around(**KEYS))
        self.assertIn("pip install 'naap-twisted[aws]'", str(caught.exception))
