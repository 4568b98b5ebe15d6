"""The client credentials grant: what is asked, and which answers hold a token."""

import json
from urllib.parse import parse_qs

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.credentials.oauth2 import (
    LONGEST,
    LONGEST_TOKEN,
    MOST_ANSWER,
    UNSAID,
    ClientCredentials,
    read_grant,
)
from naap_twisted.secret import Secret


def client(**more):
    secret = Secret("s3cret/with +&=", "env:S")
    return ClientCredentials("https://id.example/t", Secret("me"), secret, **more)


def answer(**members):
    return json.dumps({"access_token": "abc", "token_type": "bearer", **members}).encode()


class RequestTests(SynchronousTestCase):
    def test_basic(self):
        headers, body = client(scope="a b").request()
        fields = dict(headers)
        # base64("me:s3cret%2Fwith+%2B%26%3D")
        wanted = b"Basic bWU6czNjcmV0JTJGd2l0aCslMkIlMjYlM0Q="
        self.assertEqual(fields[b"Authorization"].reveal(), wanted)
        self.assertEqual(body, b"grant_type=client_credentials&scope=a+b")

    def test_body(self):
        """What a form would break on is escaped."""
        headers, body = client(auth="body", audience="é").request()
        self.assertNotIn(b"Authorization", dict(headers))
        form = parse_qs(body.decode("ascii"))
        self.assertEqual(form["client_secret"], ["s3cret/with +&="])
        self.assertEqual(form["audience"], ["é"])
        self.assertNotIn("scope", form)

    def test_repr(self):
        self.assertNotIn("s3cret", repr(client()))


class AnswerTests(SynchronousTestCase):
    def test_a_token(self):
        granted = read_grant(200, answer(expires_in=60))
        self.assertEqual(granted.token.reveal(), b"Bearer abc")
        self.assertEqual(granted.token.reveal_parts(), (b"abc",))
        self.assertEqual(granted.seconds, 60.0)

    def test_how_long(self):
        """Some write the number as a text; a silent or a boasting answer is bounded."""
        for value, seconds in (("60", 60.0), (1.5, 1.5), (10**30, LONGEST), (None, UNSAID)):
            with self.subTest(value=value):
                self.assertEqual(read_grant(200, answer(expires_in=value)).seconds, seconds)
        self.assertEqual(read_grant(200, b'{"access_token": "a"}').seconds, UNSAID)

    def test_the_longest_token(self):
        self.assertLess(LONGEST_TOKEN, MOST_ANSWER)
        read_grant(200, answer(access_token="a" * LONGEST_TOKEN))
        with self.assertRaises(ValueError):
            read_grant(200, answer(access_token="a" * (LONGEST_TOKEN + 1)))

    def test_what_is_told(self):
        """An error code of the RFC, and no other word of the answer."""
        for status, body, words in (
            (401, b'{"error": "invalid_client"}', "it answered 401 invalid_client"),
            (400, b'{"error": "key sk-1 is bad"}', "it answered 400"),
            (400, b'{"error": ["invalid_client"]}', "it answered 400"),
            (502, b"<html>", "it answered 502"),
            (201, answer(), "it answered 201"),
            (200, b"[]", "its answer is no JSON object"),
        ):
            with self.subTest(body=body), self.assertRaises(ValueError) as caught:
                read_grant(status, body)
            self.assertEqual(str(caught.exception), words)
