"""JSON Web Tokens over real sockets: a secret, the environment's, a key set that changes."""

import os

from twisted.internet.task import Clock

from naap_twisted.auth.jwks import JwksKeys
from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.testing import ScriptedUpstream
from tests.keypairs import SECRET, public, rsa, sign

from .auth_case import AuthTestCase, says
from .support import OK

FOREVER = 2**40


class JwtTests(AuthTestCase):
    def token(self, *arguments, **claims):
        return sign({"sub": "ada", "exp": FOREVER, **claims}, *arguments)

    async def test_secret(self):
        """jwt_secret= in code: good tokens in, all others out."""
        self.start_with(None, OK, server={"jwt_secret": SECRET})
        answer = await self.post(Authorization=f"Bearer {self.token()}")
        self.assertEqual(answer.status, 200)
        for token in (self.token(exp=1), self.token()[:-2], "x"):
            answer = await self.post(Authorization=f"Bearer {token}")
            self.assert_refused(answer, 401, "INVALID_TOKEN")
        self.assertEqual(len(self.upstream.requests), 1)

    async def test_environment(self):
        """Without a word in code, as in the seed: the secret of the environment."""
        self.patch(os, "environ", {"NEXTAUTH_SECRET": SECRET})
        self.start_with(None)
        self.assertEqual(await self.me(self.token()), "ada")
        self.assertEqual(await self.me("x"), 401)

    async def test_nobody(self):
        """No secret anywhere: everything that needs a user is 401."""
        self.patch(os, "environ", {})
        self.start_with(None)
        await self.refused(401, "UNAUTHORIZED", Authorization=f"Bearer {self.token()}")

    async def test_key_set(self):
        """Keys from a URL; a new one is found when a token names it."""
        clock = Clock()
        one, two = rsa("one"), rsa("two")
        self.service = ScriptedUpstream(self, says({"keys": [public(one)]}))
        keys = JwksKeys(self.service.origin + "/jwks", now=clock.seconds)
        self.start_with(JwtAuthenticator(keys.find, ("RS256",)))

        def by(key):
            return sign({"sub": "ada", "exp": FOREVER}, key, "RS256", kid=key.kid)

        self.assertEqual(await self.me(by(one)), "ada")
        self.assertEqual(await self.me(by(two)), 401)
        self.service.steps = (says({"keys": [public(one), public(two)]}),)
        clock.advance(10.0)
        self.assertEqual(await self.me(by(two)), "ada")
        self.assertEqual(self.service.connections, 2)

    async def test_key_set_down(self):
        """Nobody is let in, and nobody is called a liar."""
        self.service = ScriptedUpstream(self)
        await self.service.stop()
        keys = JwksKeys(self.service.origin + "/jwks")
        self.start_with(JwtAuthenticator(keys.find, ("RS256",)))
        token = sign({"sub": "ada", "exp": FOREVER}, rsa("one"), "RS256", kid="one")
        await self.refused(503, "UNAVAILABLE", Authorization=f"Bearer {token}")
