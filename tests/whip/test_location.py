"""Tokens: whoever they were made for can use them, and nobody else."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.target import MAX_URL
from naap_twisted.whip.location import BadToken, sign, verify

KEY = b"k" * 32
URL = b"https://media.example.com/session/7?t=1"
ROUTE = "/api/v1/whip"


def made(url=URL, user="ada", route=ROUTE, expires=1000, key=KEY):
    return sign(key, url, user=user, route=route, expires=expires)


def opened(token, user="ada", route=ROUTE, now=999.9, key=KEY):
    return verify(key, token, user=user, route=route, now=now)


class LocationTests(SynchronousTestCase):
    def assert_bad(self, token, reason, **asked):
        with self.assertRaises(BadToken) as caught:
            opened(token, **asked)
        self.assertIn(reason, str(caught.exception))

    def test_round_trip(self):
        """Its user gets the URL back, on its route, until it is over."""
        self.assertEqual(opened(made()), URL)
        self.assertEqual(opened(made(user=None), user=None), URL)
        self.assertEqual(opened(made(url=b"u" * MAX_URL)), b"u" * MAX_URL)

    @given(
        some.binary(min_size=9, max_size=MAX_URL),
        some.none() | some.text(min_size=1),
        some.integers(1, 2**63),
    )
    def test_any(self, url, user, expires):
        """Whatever the URL and the user are made of; a token is base64url."""
        token = made(url, user, expires=expires)
        self.assertRegex(token, rb"\A[A-Za-z0-9_-]+\Z")
        self.assertEqual(opened(token, user, now=expires - 1), url)

    def test_other_asker(self):
        """Another user, nobody, another route, another key."""
        foreign = "altered, or made with another key, for another user or route"
        for asked in (
            {"user": "bob"},
            {"user": None},
            {"user": "ada "},
            {"route": "/api/v1/whip2"},
            {"route": "/api/v1/whipa", "user": "da"},
            {"key": b"K" * 32},
        ):
            self.assert_bad(made(), foreign, **asked)
        self.assert_bad(made(user=None), foreign)

    def test_borders(self):
        """What ends one part can't begin the next."""
        token = made(route="/a", user="bc")
        self.assert_bad(token, "altered", route="/ab", user="c")
        self.assert_bad(made(url=b"https://a.example/", user="b"), "altered", user="bh")

    def test_expiry(self):
        """Over at its last second, not before."""
        self.assertEqual(opened(made(expires=1000), now=999.999), URL)
        for now in (1000, 1000.5, 10**12):
            self.assert_bad(made(expires=1000), "its time is over", now=now)

    def test_every_bit(self):
        """No bit of it may change: version, time, URL or MAC."""
        raw = urlsafe_b64decode(made() + b"=" * (-len(made()) % 4))
        for at in range(len(raw)):
            for bit in (1, 128):
                changed = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
                self.assert_bad(urlsafe_b64encode(changed).rstrip(b"="), "altered")

    def test_one_spelling(self):
        """Padding, other alphabets, spare bits, line breaks: no second token for one URL."""
        for url in (URL, URL + b"1", URL + b"12"):
            token = made(url)
            last = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            accepted = []
            for char in last:
                try:
                    opened(token[:-1] + bytes([char]))
                    accepted.append(char)
                except BadToken:
                    pass
            self.assertEqual(accepted, [token[-1]])
            for other in (token + b"=", token + b"\n", b" " + token, token + b"%41", token + b"/"):
                self.assert_bad(other, "not a token")

    def test_other_texts(self):
        """Too short, too long, empty."""
        for token in (b"", b"A", b"A" * 40, b"A" * 6000, "é".encode() * 50):
            self.assert_bad(token, "not a token")
        for length in range(65, 70):
            with self.assertRaises(BadToken):
                opened(b"A" * length)

    def test_too_long(self):
        """A URL that no request could name is not signed."""
        with self.assertRaises(ValueError):
            made(url=b"u" * (MAX_URL + 1))

    def test_nothing_of_the_user(self):
        """A token does not say who has it."""
        token = made(user="ada@example.com")
        self.assertNotIn(b"ada", urlsafe_b64decode(token + b"=" * (-len(token) % 4)))
