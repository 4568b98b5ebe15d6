"""A route's access token among its other headers, and under its guard."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.credentials.oauth2 import ClientCredentials
from naap_twisted.route.access_token import AccessToken
from naap_twisted.route.scrub import Guard
from naap_twisted.secret import Secret

FIXED = ((b"X-Key", Secret("key-of-eight")), (b"authorization", Secret("of a callable")))


class Source:
    def __init__(self):
        self.client = ClientCredentials("https://id/", Secret("me"), Secret("client-secret"))
        self.present = Secret("Bearer token-one", parts=(b"token-one",))

    def held(self):
        return self.present


class AccessTokenTests(SynchronousTestCase):
    def setUp(self):
        self.source = Source()
        self.access = AccessToken(self.source)
        self.guard = Guard(FIXED)

    def beside(self, injected=FIXED):
        return self.successResultOf(
            Deferred.fromCoroutine(self.access.beside(injected, self.guard))
        )

    def test_headers(self):
        """It takes the place of another Authorization."""
        injected, _, token = self.beside()
        self.assertEqual(injected, (FIXED[0], (b"Authorization", self.source.present)))
        self.assertIs(token, self.source.present)

    def test_made_once(self):
        """The same headers, token and guard are the same objects, which know their needles."""
        injected, guard, _ = self.beside()
        again = self.beside()
        self.assertIs(again[0], injected)
        self.assertIs(again[1], guard)
        self.assertIsNot(self.beside(injected=FIXED[:1])[0], injected)

    def test_guarded(self):
        """The token, the one before it, the client's secret, and what was guarded before."""
        self.beside()
        self.source.present = Secret("Bearer token-two", parts=(b"token-two",))
        _, guard, _ = self.beside()
        for secret in (b"token-one", b"token-two", b"client-secret", b"key-of-eight"):
            self.assertEqual(guard.clean(b"<%s>" % secret), b"<[redacted]>")
        self.assertFalse(self.guard.holds(b"token-two"))
