"""Signatures against AWS's published examples ("Signature Version 4 test suite")."""

import logging
from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.credentials.sigv4 import AwsSigV4, SigV4Signer, is_installed
from naap_twisted.model import SignableRequest
from naap_twisted.secret import Secret

HOST = "example.amazonaws.com"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime(2015, 8, 30, 12, 36)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
#: Name in the suite, method, path, headers, body, signature.
PUBLISHED = (
    (
        *("get-vanilla", "GET", "/", (), b""),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        *("post-vanilla", "POST", "/", (), b""),
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    (
        *("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", (), b""),
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        *("get-utf8", "GET", "/\u1234", (), b""),
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    (
        *("get-vanilla-utf8-query", "GET", "/?\u1234=bar", (), b""),
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    (
        *("post-x-www-form-urlencoded", "POST", "/", FORM, b"Param1=value1"),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
)


def options(**more):
    keys = {"access_key": Secret("AKIDEXAMPLE"), "secret_key": Secret(SECRET)}
    return AwsSigV4("us-east-1", **{"service": "service", **keys, **more})


def request(method="GET", path="/", headers=(), body=b""):
    return SignableRequest(method, f"https://{HOST}{path}", (("Host", HOST), *headers), body)


class SigV4Tests(SynchronousTestCase):
    def test_published(self):
        for name, method, path, headers, body, signature in PUBLISHED:
            with self.subTest(name=name):
                signed = SigV4Signer(options())(request(method, path, headers, body), NOW)
                value = signed["Authorization"].reveal().decode()
                opening = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
                self.assertTrue(value.startswith(opening + "aws4_request, SignedHeaders="), value)
                self.assertTrue(value.endswith(f", Signature={signature}"), value)
                self.assertEqual(signed["X-Amz-Date"], "20150830T123600Z")

    def test_which_headers(self):
        """What another party may change on the way is not signed; what it would forge is ours."""
        others = (("User-Agent", "x"), ("Accept", "x"), ("X-Amz-Target", "x"), ("X-Amz-Date", "x"))
        signed = SigV4Signer(options())(request("POST", "/", (*FORM, *others), b"x"), NOW)
        names = "SignedHeaders=content-type;host;x-amz-date;x-amz-target,"
        self.assertIn(names, signed["Authorization"].reveal().decode())

    def test_a_session_token(self):
        """It is sent, signed, and still a Secret."""
        token = Secret("token-of-the-session")
        signed = SigV4Signer(options(session_token=token))(request(), NOW)
        self.assertIs(signed["X-Amz-Security-Token"], token)
        self.assertIn(b";x-amz-security-token,", signed["Authorization"].reveal())
        self.assertEqual(options(session_token=token).secrets, (Secret(SECRET), token))

    def test_s3(self):
        signed = SigV4Signer(options(service="s3"))(request(body=None), NOW)
        self.assertEqual(signed["X-Amz-Content-SHA256"], "UNSIGNED-PAYLOAD")
        self.assertFalse(options(service="s3").signs_body)

    def test_the_debug_log(self):
        """botocore's own log, as loud as it can be, has neither keys nor signatures."""
        lines = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())
        logger = logging.getLogger("botocore")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        self.addCleanup(logger.setLevel, level)
        self.addCleanup(logger.removeHandler, handler)
        SigV4Signer(options(session_token=Secret("token-of-the-session")))(request(), NOW)
        self.assertEqual(lines, [])

    def test_repr(self):
        for thing in (options(), SigV4Signer(options())):
            self.assertNotIn(SECRET, repr(thing))
        self.assertTrue(is_installed())
