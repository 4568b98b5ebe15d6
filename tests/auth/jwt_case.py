"""The stage of the tests of tokens: claims, a fixed clock, and what being refused means."""

import base64
import json

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.jwt import JwtAuthenticator, JwtOptions
from naap_twisted.errors import InvalidToken
from naap_twisted.model import User
from tests.keypairs import SECRET, pem
from tests.support import FakeRequest

NOW = 1_800_000_000
CLAIMS = {"sub": "ada", "email": "ada@example.org", "roles": ["admin"], "exp": NOW + 600}
ADA = User("ada", "ada@example.org", ("admin",))


def now():
    return NOW


def b64(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_secret(*algorithms, **options):
    return JwtAuthenticator.from_secret(
        SECRET, algorithms or ("HS256",), JwtOptions(**options), now=now
    )


def by_public(key, *algorithms):
    return JwtAuthenticator.from_public_key(pem(key), algorithms, now=now)


def ask(authenticator, token, method=b"POST"):
    headers = {"Authorization": f"Bearer {token}"}
    return authenticator.authenticate(FakeRequest(method, headers=headers))


class JwtCase(SynchronousTestCase):
    def refused(self, token, authenticator=None, because=""):
        error = self.assertRaises(InvalidToken, ask, authenticator or by_secret(), token)
        self.assertEqual(error.message, "Missing or invalid authorization token")
        self.assertIn(because, error.reason)
        self.assertLess(len(error.reason), 200)
        return error
