"""Keys in every place where an API wants them, each before an upstream that gives it away."""

import os
from base64 import b64encode

from tests.adversarial.echo_vectors import answer
from tests.adversarial.oracle import Stage

USER, PASSWORD = "AC0123456789", "canary-pa55-of-the-account"
KEY = "canary-4b7e-of-the-account"
ENVIRON = {"BASIC_USER": USER, "BASIC_PASSWORD": PASSWORD, "PLACED_KEY": KEY}


class PlaceStage(Stage):
    """A route whose key comes from the environment."""

    def setUp(self):
        self.patch(os, "environ", {**os.environ, **ENVIRON})

    async def assert_held(self, *texts, **route):
        """Each of *texts* is taken out of a body, a header and a Location that repeat it."""
        for text in map(str.encode, texts):
            for status, body, line in (
                (401, b"bad key: <" + text + b">", b"X-Plain: 1"),
                (200, b"{}", b"X-Echo: said " + text),
                (302, b"", b"Location: https://other.example/?k=" + text),
            ):
                for errors in ("passthrough", "envelope"):
                    self.start(
                        answer(status, body, line),
                        errors=errors,
                        response_headers=["X-Echo"],
                        **route,
                    )
                    (reply,) = await self.converse(self.request())
                    self.assertEqual(reply.status, status)
                    heard = b"".join(self.heard)
                    self.assertIn(b"[redacted]", heard)
                    self.assertNotIn(text, heard)
                    self.assertNotIn(text.decode(), "\n".join(self.logged))
                    await self.judge(sent=1)


class BasicTests(PlaceStage):
    """``${basic:...}``."""

    async def test_sent(self):
        """The upstream gets the pair in base64."""
        value = "Basic ${basic:env:BASIC_USER:env:BASIC_PASSWORD}"
        self.start(forward_headers={"Authorization": value})
        await self.converse(self.request())
        packed = b64encode(f"{USER}:{PASSWORD}".encode())
        self.assertEqual(self.upstream.requests[0].values("authorization"), [b"Basic " + packed])
        await self.judge(sent=1)

    async def test_echoed(self):
        """The base64, the pair and the password, whether or not "Basic" stands before."""
        pair = f"{USER}:{PASSWORD}"
        for header, scheme in (("Authorization", "Basic "), ("X-Auth", "")):
            value = scheme + "${basic:env:BASIC_USER:env:BASIC_PASSWORD}"
            packed = b64encode(pair.encode()).decode()
            await self.assert_held(packed, pair, PASSWORD, forward_headers={header: value})

    async def test_a_key_without_a_password(self):
        """Stripe's way: the key is the user."""
        packed = b64encode(f"{KEY}:".encode()).decode()
        value = {"Authorization": "Basic ${basic:env:PLACED_KEY:}"}
        await self.assert_held(packed, KEY, forward_headers=value)
