"""Guests: made, known again, and nobody who was not made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.guests import FILE_NAME, GuestOptions, GuestPass, Guests
from naap_twisted.auth.page_token import Signer
from naap_twisted.auth.signed_text import SignedText
from naap_twisted.errors import ConfigError, CsrfFailed, InvalidToken
from naap_twisted.interfaces import IAuthenticator
from naap_twisted.model import PageGrant, User
from naap_twisted.secret import Secret
from tests.keypairs import SECRET
from tests.support import FakeRequest

from .jwt_case import b64

KEY, OTHER = "k" * 32, "j" * 32
NOW = 1_800_000_000
DAY = 86_400


class Wall:
    """A wall clock that anybody may set."""

    def __init__(self) -> None:
        self.at = float(NOW)

    def __call__(self) -> float:
        return self.at


class GuestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wall = Wall()
        self.guests = self.made()

    def made(self, keys: str = KEY, *, server: str = "ai", **options: Any) -> Guests:
        given = GuestOptions(keys=Secret(keys), **options)
        return Guests(given, server=server, now=self.wall)

    def entered(self, guests: Guests | None = None) -> tuple[User, GuestPass]:
        """A new guest, and what it got."""
        guests = guests or self.guests
        user = guests.new()
        return user, guests.admit(user)

    def by_token(self, token: str, guests: Guests | None = None) -> User | None:
        headers: dict[str, Any] = {"Authorization": f"Bearer {token}"}
        return (guests or self.guests).authenticate(FakeRequest(b"POST", headers=headers))

    def by_cookie(self, cookie: str, csrf: str = "", method: bytes = b"POST") -> User | None:
        headers: dict[str, Any] = {"Cookie": cookie}
        if csrf:
            headers["X-CSRF-Token"] = csrf
        return self.guests.authenticate(FakeRequest(method, headers=headers))

    def refused(self, token: str, guests: Guests | None = None) -> str:
        error = self.assertRaises(InvalidToken, self.by_token, token, guests)
        self.assertNotIn(token[9:40] or "?", error.reason + error.message)
        return error.reason


class KnownTests(GuestCase):
    def test_known(self) -> None:
        """By token, and by cookie with the CSRF token beside it; a stranger is nobody."""
        user, got = self.entered()
        self.assertTrue(user.guest)
        self.assertRegex(user.id, r"^guest:[A-Za-z0-9_-]{16}$")
        self.assertEqual(self.by_token(got.token), user)
        cookies = f"naap_guest={got.token}; naap_csrf_token={got.csrf}"
        self.assertEqual(self.by_cookie(cookies, got.csrf), user)
        self.assertEqual(self.by_cookie(cookies, method=b"GET"), user)
        self.assertIsNone(self.guests.authenticate(FakeRequest()))
        self.assertIsInstance(self.guests, IAuthenticator)
        self.assertEqual(got.expires_at, NOW + 30 * DAY)

    def test_new(self) -> None:
        """No two guests are one."""
        self.assertEqual(len({self.guests.new().id for _ in range(1000)}), 1000)

    def test_csrf(self) -> None:
        """It is the guest's own: a pair that a sibling domain planted is none."""
        _, mine = self.entered()
        _, other = self.entered()
        for cookies, sent in (
            (f"naap_guest={mine.token}", ""),
            (f"naap_guest={mine.token}; naap_csrf_token={mine.csrf}", ""),
            (f"naap_guest={mine.token}", mine.csrf),
            (f"naap_guest={mine.token}; naap_csrf_token={mine.csrf}", other.csrf),
            (f"naap_guest={mine.token}; naap_csrf_token={other.csrf}", other.csrf),
            (f"naap_guest={mine.token}; naap_csrf_token=x", "x"),
            (f"naap_guest={mine.token}; naap_csrf_token=x; naap_csrf_token={mine.csrf}", mine.csrf),
        ):
            with self.subTest(cookies=cookies.replace(mine.token, "T"), sent=sent):
                self.assertRaises(CsrfFailed, self.by_cookie, cookies, sent)

    def test_duplicates(self) -> None:
        """Two cookies of the name are one too many, whoever they are of."""
        user, got = self.entered()
        for cookies in (
            f"naap_guest={got.token}; naap_guest={got.token}",
            f"naap_guest=x; naap_guest={got.token}",
        ):
            self.assertRaises(InvalidToken, self.by_cookie, cookies, got.csrf)
            request: Any = FakeRequest(b"POST", headers={"Cookie": cookies})
            self.assertRaises(InvalidToken, self.guests.again, request)
        alone: Any = FakeRequest(b"POST", headers={"Cookie": f"naap_guest={got.token}"})
        self.assertEqual(self.guests.again(alone), user)

    def test_again(self) -> None:
        """Whoever has a good one stays the same guest; a bad one is as none."""
        user, got = self.entered()
        for headers, known in (
            ({"Authorization": f"Bearer {got.token}"}, user),
            ({"Cookie": f"naap_guest={got.token}"}, user),
            ({"Cookie": f"naap_guest={got.token[:-1]}"}, None),
            ({"Authorization": "Bearer x", "Cookie": f"naap_guest={got.token}"}, None),
            ({"Cookie": f"naap_auth_token={got.token}"}, None),
            ({}, None),
        ):
            request: Any = FakeRequest(b"POST", headers=headers)
            self.assertEqual(self.guests.again(request), known)
        self.assertEqual(self.guests.admit(user).csrf, got.csrf)


class ForgeryTests(GuestCase):
    def test_other_kinds(self) -> None:
        """No page token, no JSON Web Token and no text of another version, with whatever key."""
        page = Signer((KEY.encode(),), "ai", 3600.0)
        grant = PageGrant("A" * 22, ("/x",), NOW * 1000, NOW + 60)
        claims = {"srv": "ai", "sub": "a" * 16, "iat": NOW, "exp": NOW + 60}
        for token in (
            page.sign(User("guest:a"), grant),
            page.sign(User("guest:a"), grant).replace("naap_p1", "naap_g1"),
            f"{b64({'alg': 'none'})}.{b64(claims)}.",
            f"{b64({'alg': 'HS256'})}.{b64(claims)}.{'A' * 43}",
            f"naap_g1.{b64(claims)}.",
            f"naap_g1.{b64({'alg': 'none', **claims})}.{'A' * 43}",
            f"naap_g2.{b64(claims)}.{'A' * 43}",
            SignedText(b"naap_g1.", "x", (OTHER.encode(),)).write(claims),
            SECRET,
            "no-key-is-needed",
        ):
            with self.subTest(token=token[:40]):
                self.refused(token)

    @given(st.integers(0, 200), st.binary(min_size=1, max_size=1))
    def test_any_byte(self, place: int, byte: bytes) -> None:
        """A byte that is changed anywhere is no token any more."""
        guests = Guests(GuestOptions(keys=Secret(KEY)), server="ai", now=lambda: NOW)
        good = guests.admit(guests.new()).token.encode()
        place %= len(good)
        bad = (good[:place] + byte + good[place + 1 :]).decode("latin-1")
        if bad.encode("latin-1") != good:
            headers: dict[str, Any] = {"Authorization": "Bearer " + bad}
            request = FakeRequest(b"POST", headers=headers)
            self.assertRaises(InvalidToken, guests.authenticate, request)

    def test_signed_nonsense(self) -> None:
        """A payload is read strictly, though the key has signed it."""
        text = SignedText(b"naap_g1.", "x", (KEY.encode(),))
        good: dict[str, Any] = {"srv": "ai", "sub": "a", "iat": NOW, "exp": NOW + 60}
        self.assertEqual(self.by_token(text.write(good)), User("guest:a", guest=True))
        for name in good:
            for value in (None, [], "x", {}, 1.5):
                if name == "sub" and value == "x":
                    continue
                with self.subTest(name=name, value=value):
                    self.refused(text.write({**good, name: value}))
            self.refused(text.write({key: good[key] for key in good if key != name}))

    def test_another_server(self) -> None:
        """Servers of other names refuse it, though they have the same key."""
        other = self.made(server="ai2")
        _, got = self.entered()
        self.assertIn("another name", self.refused(got.token, other))

    def test_rotation(self) -> None:
        """The first key signs, both count; what is left of a key that is gone is refused."""
        both, new = self.made(f"{OTHER},{KEY}"), self.made(OTHER)
        user, got = self.entered()
        self.assertEqual(self.by_token(got.token, both), user)
        self.refused(got.token, new)
        self.assertEqual(self.by_token(both.admit(user).token, new), user)
        cookies = f"naap_guest={got.token}; naap_csrf_token={got.csrf}"
        headers: dict[str, Any] = {"Cookie": cookies, "X-CSRF-Token": got.csrf}
        self.assertEqual(both.authenticate(FakeRequest(b"POST", headers=headers)), user)


class TimeTests(GuestCase):
    def test_expiry(self) -> None:
        """Until the second in which it ends; a shorter ttl holds for what was given out before."""
        _, got = self.entered()
        self.wall.at = NOW + 30 * DAY - 0.1
        self.by_token(got.token)
        shorter = self.made(ttl=float(DAY))
        self.assertIn("expired", self.refused(got.token, shorter))
        self.wall.at = NOW + 30 * DAY
        self.assertIn("expired", self.refused(got.token))

    def test_set_back(self) -> None:
        """A clock that is set back makes nobody a stranger, and nothing lives longer than ttl."""
        user, got = self.entered()
        self.wall.at = NOW - 365 * DAY
        self.assertEqual(self.by_token(got.token), user)
        renewed = self.guests.admit(user)
        self.assertEqual(renewed.expires_at, NOW - 335 * DAY)
        self.wall.at = NOW
        self.refused(renewed.token)


class CookieTests(GuestCase):
    def test_lines(self) -> None:
        """HttpOnly but for the one that the page reads; Secure where TLS is spoken."""
        _, got = self.entered()
        own, csrf = self.guests.cookies(got, secure=True)
        life = "Max-Age=2592000; Path=/; SameSite=Lax"
        self.assertEqual(own.decode(), f"naap_guest={got.token}; {life}; HttpOnly; Secure")
        self.assertEqual(csrf.decode(), f"naap_csrf_token={got.csrf}; {life}; Secure")
        for line in self.guests.cookies(got, secure=False):
            self.assertNotIn(b"Secure", line)

    def test_always_secure(self) -> None:
        """Browsers drop such cookies otherwise."""
        for options, count in (
            ({"same_site": "none"}, 2),
            ({"cookie": "__Host-guest"}, 1),
            ({"cookie": "__Secure-guest"}, 1),
            ({"same_site": "strict"}, 0),
        ):
            guests = self.made(**options)
            lines = guests.cookies(guests.admit(guests.new()), secure=False)
            self.assertEqual(sum(b"Secure" in line.split(b"; ") for line in lines), count)

    def test_one_name(self) -> None:
        """The cookies need a name each."""
        self.assertRaises(ConfigError, self.made, cookie="naap_csrf_token")


class KeyTests(GuestCase):
    def test_file(self) -> None:
        """Processes of one state_dir know each other's guests, and nobody else reads the key."""
        folder = Path(self.mktemp()).absolute()
        one, two = (
            Guests(GuestOptions(), server="ai", state_dir=str(folder), now=self.wall)
            for _ in range(2)
        )
        user, got = self.entered(one)
        self.assertEqual(self.by_token(got.token, two), user)
        self.assertEqual((folder / FILE_NAME).stat().st_mode & 0o777, 0o600)

    def test_own(self) -> None:
        """Without one, a process knows its own guests only."""
        one, two = (Guests(GuestOptions(), server="ai", now=self.wall) for _ in range(2))
        _, got = self.entered(one)
        self.by_token(got.token, one)
        self.refused(got.token, two)

    def test_nothing_kept(self) -> None:
        """What a token holds: no address, no time but two, nothing about the visitor."""
        _, got = self.entered()
        payload = SignedText(b"naap_g1.", "x", (KEY.encode(),)).read(got.token.encode())
        self.assertEqual(sorted(payload), ["exp", "iat", "srv", "sub"])
