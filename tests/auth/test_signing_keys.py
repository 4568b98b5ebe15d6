"""Which key is one, and for what."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.signing_keys import (
    PUBLIC_ALGORITHMS,
    SECRET_ALGORITHMS,
    check_algorithms,
    fits,
    public_key,
    published_key,
    secret_key,
)
from naap_twisted.secret import Secret
from tests.keypairs import SECRET, ec, oct_key, okp, pem, public, rsa


class Algorithms(SynchronousTestCase):
    def test_names(self):
        """Some of a known list; "none" is in no list."""
        check_algorithms(["HS256"], SECRET_ALGORITHMS)
        check_algorithms(("RS256", "EdDSA"), PUBLIC_ALGORITHMS)
        for bad in ([], "HS256", ["none"], ["None"], ["HS256", "RS256"], ["hs256"], [""]):
            self.assertRaises(ValueError, check_algorithms, bad, SECRET_ALGORITHMS)
        self.assertEqual(set(SECRET_ALGORITHMS) & set(PUBLIC_ALGORITHMS), set())
        self.assertNotIn("none", SECRET_ALGORITHMS + PUBLIC_ALGORITHMS)

    def test_fits(self):
        """A key counts for algorithms of its kind and curve."""
        for key, names in [
            (oct_key(), set(SECRET_ALGORITHMS)),
            (rsa(), {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
            (ec("P-256"), {"ES256"}),
            (ec("P-384"), {"ES384"}),
            (ec("P-521"), {"ES512"}),
            (okp(), {"EdDSA", "Ed25519"}),
            (okp("X25519"), set()),
            (okp("Ed448"), set()),
        ]:
            found = {name for name in SECRET_ALGORITHMS + PUBLIC_ALGORITHMS if fits(key, name)}
            self.assertEqual(found, names)
        self.assertFalse(fits(oct_key(), "none"))

    def test_reserved(self):
        """A published key that names its algorithm is for that one."""
        key = published_key(public(rsa(), alg="RS512"))
        self.assertTrue(fits(key, "RS512"))
        self.assertFalse(fits(key, "RS256"))


class Secrets(SynchronousTestCase):
    def test_length(self):
        """RFC 7518 section 3.2: as long as the hash; the longest of several decides."""
        for algorithms, shortest in (
            (("HS256",), 32),
            (("HS384",), 48),
            (("HS512",), 64),
            (("HS512", "HS256"), 64),
        ):
            self.assertTrue(fits(secret_key(Secret("x" * shortest), algorithms), algorithms[0]))
            short = Secret("x" * (shortest - 1), source="env:S")
            error = self.assertRaises(ValueError, secret_key, short, algorithms)
            self.assertIn(f"under the {shortest} bytes that {algorithms[0]} asks for", str(error))

    def test_mistakes(self):
        """A variable's name is no secret, however long it is."""
        for bad in ("$" + "NAME_" * 20, "'" + "x" * 64 + "'"):
            self.assertRaises(ValueError, secret_key, Secret(bad))

    def test_short(self):
        """The source is told, the secret is not."""
        error = self.assertRaises(ValueError, secret_key, Secret("x" * 31, source="env:S"))
        self.assertIn("env:S", str(error))
        self.assertNotIn("xxx", str(error))

    def test_public_key_as_secret(self):
        """Everybody has it: half of every RS/HS confusion. A Secret takes no line breaks either."""
        one_line = pem(rsa()).replace(b"\n", b" ")
        self.assertRaises(ValueError, secret_key, Secret(one_line))


class Pem(SynchronousTestCase):
    def test_taken(self):
        """RSA, EC and Ed25519."""
        for key, name in ((rsa(), "RS256"), (ec(), "ES256"), (okp(), "EdDSA")):
            self.assertTrue(fits(public_key(pem(key)), name))

    def test_refused(self):
        """Private, weak, or none."""
        for bad in (
            rsa().as_pem(private=True),
            pem(rsa("weak", 1024)),
            SECRET.encode(),
            b"",
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            b"-----BEGIN NOTHING-----",
        ):
            with self.subTest(bad=bad[:40]):
                self.assertRaises(ValueError, public_key, bad)


class Published(SynchronousTestCase):
    def test_taken(self):
        """Public keys for signatures, with or without a use."""
        for key in (rsa(), ec(), okp()):
            self.assertEqual(published_key(public(key)).kid, key.kid)
        for more in ({"use": "sig"}, {"key_ops": ["verify"]}, {"alg": "RS256"}, {"x-odd": 1}):
            self.assertIsNotNone(published_key(public(rsa(), **more)), more)

    def test_left_out(self):
        """Other uses, secrets, private halves, broken ones."""
        for bad in (
            *(None, 3, "x", [], {}, {"kty": "oct", "k": "AAAA"}, {"kty": "AKP"}, {"kty": ["RSA"]}),
            *({"kty": "RSA"}, {"kty": "RSA", "n": "!", "e": "AQAB"}, {"kty": "EC", "crv": "P-1"}),
            public(rsa(), use="enc"),
            public(rsa(), key_ops=["encrypt"]),
            public(rsa(), kid=3),
            rsa().as_dict(private=True),
            public(ec(), x="AAAA"),
        ):
            with self.subTest(bad=bad):
                self.assertIsNone(published_key(bad))

    def test_weak(self):
        """For signatures, but not for any algorithm's: a reason that can be logged."""
        for bad, reason in (
            (public(rsa("weak", 1024)), "RSA key under 2048 bits"),
            (public(ec("secp256k1")), "curve"),
            (public(okp("Ed448")), "curve"),
            (public(okp("X25519")), "curve"),
            (public(ec("P-384"), alg="ES256"), "curve"),
        ):
            with self.subTest(bad=bad):
                error = self.assertRaises(ValueError, published_key, bad)
                self.assertIn(reason, str(error))
