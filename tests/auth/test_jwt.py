"""JSON Web Tokens: what lets in, and everything that must not (RFC 8725)."""

import json

from joserfc import jwe
from joserfc.jwk import OctKey
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.jwt import JwtAuthenticator
from naap_twisted.errors import ConfigError, CsrfFailed, InvalidToken, Unavailable
from naap_twisted.model import User
from tests.auth.jwt_case import ADA, CLAIMS, NOW, JwtCase, ask, b64, by_public, by_secret, now
from tests.keypairs import SECRET, ec, oct_key, okp, pem, public, rsa, sign, sign_raw
from tests.support import FakeRequest


class LettingIn(JwtCase):
    def test_secret(self):
        """HS256 and its longer kin where they are named."""
        self.assertEqual(ask(by_secret(), sign(CLAIMS)), ADA)
        for name in ("HS384", "HS512"):
            self.assertEqual(ask(by_secret(name), sign(CLAIMS, alg=name)), ADA)

    def test_public_keys(self):
        """RSA, EC and Edwards."""
        for key, names in (
            (rsa(), ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
            (ec("P-256"), ("ES256",)),
            (ec("P-384"), ("ES384",)),
            (ec("P-521"), ("ES512",)),
            (okp(), ("EdDSA", "Ed25519")),
        ):
            for name in names:
                self.assertEqual(ask(by_public(key, name), sign(CLAIMS, key, name)), ADA, name)

    def test_types(self):
        """JWT in any case, access tokens, or nothing."""
        for kind in ("JWT", "jwt", "at+jwt", "application/at+jwt"):
            self.assertEqual(ask(by_secret(), sign(CLAIMS, typ=kind)), ADA)
        self.assertEqual(
            ask(by_secret(), sign_raw({"alg": "HS256"}, json.dumps(CLAIMS).encode())), ADA
        )

    def test_users(self):
        """The id is sub, or id."""
        self.assertEqual(ask(by_secret(), sign({"id": 7, "exp": NOW + 1})), User("7"))
        for bad in ({}, {"sub": ""}, {"sub": None, "id": "a"}, {"sub": "a\nb"}):
            self.refused(sign({**bad, "exp": NOW + 1}), because="user id")

    def test_nobody(self):
        """Without credentials nobody is refused."""
        self.assertIsNone(by_secret().authenticate(FakeRequest(b"POST")))

    def test_cookie(self):
        """A token from the cookie needs its CSRF token."""
        cookies = f"naap_auth_token={sign(CLAIMS)}; naap_csrf_token=x"
        request = FakeRequest(b"POST", headers={"Cookie": cookies, "X-CSRF-Token": "x"})
        self.assertEqual(by_secret().authenticate(request), ADA)
        request = FakeRequest(b"POST", headers={"Cookie": cookies})
        self.assertRaises(CsrfFailed, by_secret().authenticate, request)
        self.assertIsNone(by_secret(session_cookie="").authenticate(request))


class Signatures(JwtCase):
    def test_none(self):
        """Unsigned, however it is spelled, and whatever stands in the signature's place."""
        for name in ("none", "None", "NONE", "nOnE", ""):
            head, body = b64({"alg": name}), b64(CLAIMS)
            for token in (f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.AAAA"):
                self.refused(token)
        head, body, _ = sign(CLAIMS).split(".")
        self.refused(f"{head}.{body}.")

    def test_rs_hs_confusion(self):
        """A public key as the secret of HS256: the key's kind decides, not the token."""
        key = rsa()
        for secret in (pem(key), pem(key).strip(), json.dumps(public(key)).encode()):
            for name in ("HS256", "HS384"):
                token = sign(CLAIMS, oct_key(secret), name)
                self.refused(token, by_public(key, "RS256"), "does not count")
        # Even where somebody lets both kinds through, the key refuses.
        both = JwtAuthenticator(lambda kid, name: key, ("RS256", "HS256"), now=now)
        self.refused(sign(CLAIMS, oct_key(pem(key))), both, "does not go with")

    def test_other_algorithms(self):
        """Only what is named, with a good signature or not."""
        self.refused(sign(CLAIMS, alg="HS512"))
        self.refused(sign(CLAIMS, rsa(), "RS512"), by_public(rsa(), "RS256"))
        self.refused(sign(CLAIMS, ec("P-384"), "ES384"), by_public(ec(), "ES256"))
        for name in (None, 3, ["HS256"], {"HS256": 1}):
            head, body = b64({"alg": name}), b64(CLAIMS)
            self.refused(f"{head}.{body}.AAAA", because="does not count")

    def test_other_keys(self):
        """A stranger's signature."""
        self.refused(sign(CLAIMS, oct_key("x" * 40)), because="BadSignature")
        self.refused(sign(CLAIMS, rsa("two"), "RS256"), by_public(rsa(), "RS256"))

    def test_tampering(self):
        """Any changed part, any cut, any addition."""
        head, body, signature = sign(CLAIMS).split(".")
        other = b64({**CLAIMS, "sub": "eve"})
        for token in (
            f"{head}.{other}.{signature}",
            f"{b64({'alg': 'HS256'})}.{body}.{signature}",
            f"{head}.{body}.{signature[:-4]}",
            f"{head}.{body}.{signature}AAAA",
            f"{head}.{body}.{signature}.",
            f"{head}.{body}",
            f".{body}.{signature}",
            f"{head}..{signature}",
            f"{head}.{body}.{signature}=",
            f"{head}.{body}={'.'}{signature}",
            "a.b.c",
        ):
            with self.subTest(token=token):
                self.refused(token)

    def test_encrypted(self):
        """Five parts: a JWE, which NextAuth makes by default, is not a JWS."""
        key = OctKey.generate_key(256)
        token = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, json.dumps(CLAIMS), key)
        self.refused(token, because="compact form")

    def test_ecdsa_zero(self):
        """A signature of r = s = 0 (CVE-2022-21449)."""
        head, body, _ = sign(CLAIMS, ec(), "ES256").split(".")
        self.refused(f"{head}.{body}.{b64(bytes(64))}", by_public(ec(), "ES256"))


class Headers(JwtCase):
    def test_keys_of_their_own(self):
        """jwk, jku, x5u and x5c name no key: a good token stays good, a forged one bad."""
        own = {
            "jwk": public(rsa("two")),
            "jku": "https://evil.example/keys",
            "x5u": "https://evil.example/cert",
            "x5c": ["AAAA"],
            "x5t": "AAAA",
            "odd": {"a": 1},
        }
        for name, value in own.items():
            self.assertEqual(ask(by_secret(), sign(CLAIMS, **{name: value})), ADA, name)
            forged = sign(CLAIMS, rsa("two"), "RS256", **{name: value})
            self.refused(forged, by_public(rsa(), "RS256"), "BadSignature")

    def test_extensions(self):
        """crit is never understood here; b64=false, with and without it."""
        payload = json.dumps(CLAIMS).encode()
        head = {"alg": "HS256", "b64": False, "crit": ["b64"]}
        self.refused(sign_raw(head, b64(payload).encode()))
        for more in (
            {"crit": ["x"], "x": 1},
            {"crit": []},
            {"crit": "exp", "exp": 1},
            {"crit": ["exp"], "exp": NOW + 9},
            {"b64": False},
            {"b64": True},
        ):
            token = f"{b64({'alg': 'HS256', **more})}.{b64(payload)}.AAAA"
            self.refused(token, because="extension")

    def test_kid(self):
        """A name and nothing else: paths, injections and other types find no key."""
        asked = []

        def find(kid, algorithm):
            asked.append(kid)
            raise InvalidToken(reason="no such key")

        authenticator = JwtAuthenticator(find, ("HS256",), now=now)
        for kid in ("../../../dev/null", "/etc/passwd", "' OR 1=1", "|id", "a\x00b", "http://e/"):
            self.refused(sign(CLAIMS, kid=kid), authenticator, "no such key")
            self.refused(sign(CLAIMS, oct_key(b"\x00" * 32), kid=kid), by_secret(), "BadSignature")
        self.assertEqual(len(asked), 6)
        for kid in ("", "k" * 257, 3, None, ["a"], {"a": 1}, True):
            token = f"{b64({'alg': 'HS256', 'kid': kid})}.{b64(CLAIMS)}.AAAA"
            self.refused(token, authenticator, "kid")
        self.assertEqual(len(asked), 6)

    def test_types(self):
        """Tokens for other purposes, signed with the same key."""
        for kind in ("logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "", 3, None, ["JWT"]):
            token = f"{b64({'alg': 'HS256', 'typ': kind})}.{b64(CLAIMS)}.AAAA"
            self.refused(token, because="another type")
        self.refused(sign(CLAIMS, typ="logout+jwt"))

    def test_json(self):
        """Names twice, no object, depth, bad bytes."""
        for head in (
            *(b'{"alg":"HS256","alg":"none"}', b'{"alg":"none","alg":"HS256"}', b"[]", b"null"),
            *(b'"HS256"', b"\xff", b"", b"{" * 4000, b'{"alg":"HS256"', b"[" * 5000),
        ):
            self.refused(f"{b64(head) or 'AA'}.{b64(CLAIMS)}.AAAA")


class Payloads(JwtCase):
    def test_claims(self):
        """Expired, not yet valid, without an end, for others, by others."""
        strict = by_secret(audience=("api",), issuer="https://id.example")
        ours = {**CLAIMS, "aud": "api", "iss": "https://id.example"}
        self.assertEqual(ask(strict, sign(ours)), ADA)
        without = {name: value for name, value in CLAIMS.items() if name != "exp"}
        for claims, because in (
            (without, "no exp"),
            ({**CLAIMS, "exp": NOW - 31}, "expired"),
            ({**CLAIMS, "exp": str(NOW + 600)}, "exp"),
            ({**CLAIMS, "nbf": NOW + 31}, "nbf"),
            ({**CLAIMS, "iat": NOW + 31}, "iat"),
        ):
            self.refused(sign(claims), because=because)
        for claims, because in (
            (CLAIMS, "iss"),
            ({**ours, "aud": "other"}, "aud"),
            ({**ours, "iss": "https://evil.example"}, "iss"),
        ):
            self.refused(sign(claims), strict, because)

    def test_json(self):
        """A payload that two readers could read in two ways, or that is no object."""
        for payload in (
            b'{"sub":"ada","sub":"eve","exp":%d}' % (NOW + 9),
            b'{"sub":"ada","exp":1,"exp":%d}' % (NOW + 9),
            b'{"sub":"ada","exp":Infinity}',
            b'{"sub":"ada","exp":1e999}',
            b'{"sub":"ada","exp":NaN}',
            *(b"[]", b"null", b'"ada"', b"\xff\xfe", b"{", b"[" * 5000),
        ):
            with self.subTest(payload=payload[:40]):
                self.refused(sign_raw({"alg": "HS256"}, payload))

    def test_huge(self):
        """Over 8 KB nothing is decoded at all."""
        self.assertEqual(ask(by_secret(), sign({**CLAIMS, "x": "a" * 5000})), ADA)
        self.refused(sign({**CLAIMS, "x": "a" * 8000}), because="8192")

    def test_reasons(self):
        """The log learns why, and nothing of the token."""
        for token in (sign(CLAIMS, oct_key("x" * 40)), sign({**CLAIMS, "exp": 1}), "se.cr.et"):
            error = self.refused(token)
            for part in ("ada", *token.split(".")):
                self.assertNotIn(part, error.reason + repr(error))


class Later(JwtCase):
    def test_key_that_comes(self):
        """A key that has to be fetched makes the answer a Deferred; its failure is the answer's."""
        for key, outcome in ((succeed(oct_key()), None), (fail(Unavailable()), Unavailable)):
            asked = ask(JwtAuthenticator(lambda *_, k=key: k, ("HS256",), now=now), sign(CLAIMS))
            self.assertIsInstance(asked, Deferred)
            if outcome is None:
                self.assertEqual(self.successResultOf(asked), ADA)
            else:
                self.failureResultOf(asked, outcome)

    def test_verified_all_the_same(self):
        """A fetched key that does not fit, or a bad signature."""
        for key in (rsa(), oct_key("y" * 40)):
            late = JwtAuthenticator(lambda *_, k=key: succeed(k), ("HS256",), now=now)
            self.failureResultOf(ask(late, sign(CLAIMS)), InvalidToken)


class Making(SynchronousTestCase):
    def test_mistakes(self):
        """Named, without a secret's value."""
        for make, wrong in (
            (lambda: JwtAuthenticator.from_secret("short-canary"), "secret"),
            (lambda: JwtAuthenticator.from_secret(SECRET, ("none",)), "algorithms"),
            (lambda: JwtAuthenticator.from_secret(SECRET, ("RS256",)), "algorithms"),
            (lambda: JwtAuthenticator.from_secret(SECRET, ()), "algorithms"),
            (lambda: by_public(rsa(), "HS256"), "algorithms"),
            (lambda: by_public(rsa(), "ES256"), "algorithms"),
            (lambda: JwtAuthenticator.from_public_key(b"canary", ("RS256",)), "public_key"),
            (
                lambda: JwtAuthenticator.from_jwks("http://a.example/", ("RS256",), reactor=1),
                "jwks_url",
            ),
            (lambda: JwtAuthenticator.from_jwks("https://a.example/", ("HS256",)), "algorithms"),
            (lambda: by_secret(leeway=301), "leeway"),
            (lambda: by_secret(leeway=-1), "leeway"),
            (lambda: by_secret(audience="api"), "audience"),
            (lambda: by_secret(session_cookie="a b"), "session_cookie"),
        ):
            error = self.assertRaises(ConfigError, make)
            self.assertTrue(str(error).startswith(f"{wrong}: "), str(error))
            self.assertNotIn("canary", str(error))
