"""Tokens written down beforehand."""

import os

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from naap_twisted.auth.static import StaticTokens, parse_pairs
from naap_twisted.errors import ConfigError, InvalidToken
from naap_twisted.interfaces import IAuthenticator
from naap_twisted.model import User
from tests.support import verify_protocol

ADA, BOB = User("ada"), User("bob")


def request_with(*values):
    request = DummyRequest([b""])
    if values:
        request.requestHeaders.setRawHeaders(b"authorization", list(values))
    return request


class Authenticate(SynchronousTestCase):
    def setUp(self):
        self.tokens = StaticTokens({"token-a": ADA, "token-b": BOB})

    def test_interface(self):
        """It is an IAuthenticator."""
        verify_protocol(IAuthenticator, self.tokens)

    def test_known(self):
        """The token's own user; the scheme's case does not count (RFC 9110 section 11.1)."""
        for value, user in [
            (b"Bearer token-a", ADA),
            (b"Bearer token-b", BOB),
            (b"bearer  token-b ", BOB),
        ]:
            self.assertEqual(self.tokens.authenticate(request_with(value)), user)

    def test_no_credentials(self):
        """Without the header there is no user, and no error."""
        self.assertIsNone(self.tokens.authenticate(request_with()))

    def test_refused(self):
        """Whatever does not verify is InvalidToken, and the token is not repeated."""
        for values in [
            (b"Bearer token-c",),
            (b"Bearer token-",),
            (b"Bearer token-aa",),
            (b"Bearer",),
            (b"",),
            (b"token-a",),
            (b"Basic token-a",),
            (b"Bearer token-a", b"Bearer token-a"),
            (b"Bearer \xff",),
        ]:
            with self.assertRaises(InvalidToken) as caught:
                self.tokens.authenticate(request_with(*values))
            self.assertNotIn("token-", f"{caught.exception!r} {caught.exception.reason}")

    def test_keeps_no_token(self):
        """Only digests stay in memory."""
        self.assertNotIn("token-a", repr(vars(self.tokens)))

    def test_no_user(self):
        """A name is not a User: said when it is written, not when somebody calls."""
        self.assertRaises(ValueError, StaticTokens, {"token-c": "ada"})

    def test_unusable_token(self):
        """A token that could never be sent is refused at once."""
        for token in ("", " ", "a\r\nb"):
            with self.assertRaises(ValueError):
                StaticTokens({token: ADA})


class FromEnvironment(SynchronousTestCase):
    def load(self, text):
        self.patch(os, "environ", {} if text is None else {"TOKENS": text})
        return StaticTokens.from_env("TOKENS")

    def test_users(self):
        """``token=userid`` pairs, comma between."""
        tokens = self.load("token-a=ada, token-b=bob")
        self.assertEqual(tokens.authenticate(request_with(b"Bearer token-b")), BOB)

    def test_problems(self):
        """Each mistake is one line that opens with the variable's name and shows no token."""
        for text, said in [
            (None, "is not set"),
            ("", "it is empty"),
            (" , ", "it is empty"),
            ("secret-token", "part 1 is not"),
            ("secret-token=a,=b", "part 2 is not"),
            ("secret-token=a,secret-token=b", "part 2 repeats"),
        ]:
            with self.assertRaises(ConfigError) as caught:
                self.load(text)
            (problem,) = caught.exception.problems
            self.assertTrue(problem.startswith("TOKENS: "), problem)
            self.assertIn(said, problem)
            self.assertIn('set it to "token=userid', problem)
            self.assertNotIn("secret-token", problem)


class ParsePairs(SynchronousTestCase):
    def test_first_equals_sign_splits(self):
        """A base64 value may end in equals signs."""
        self.assertEqual(parse_pairs("a=b==, c = d "), {"a": "b==", "c": "d"})
