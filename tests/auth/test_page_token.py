"""The text of a page token: what is signed comes back, and nothing else is read."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.page_token import Signer, check_issuer
from naap_twisted.auth.signed_text import MOST_TEXT
from naap_twisted.errors import InvalidToken
from naap_twisted.model import PageBudget, PageGrant, User
from naap_twisted.secret import Secret

KEY, OTHER = b"k" * 32, b"j" * 32
NOW = 1_700_000_000
SIGNER = Signer((KEY,), "ai", 3600.0)
ADA = User("ada", "ada@example.org", ("admin", "tester"))
PLAIN = PageGrant("A" * 22, ("/openai",), NOW * 1000, NOW + 60)
FULL = PageGrant(
    "B" * 22,
    ("/openai", "/x/y"),
    NOW * 1000 + 123,
    NOW + 3600,
    "https://app.example.org",
    ("gpt-4o-mini", "gpt-5*"),
    3,
    "process",
    (PageBudget("usd", Decimal("0.25"), "day"), PageBudget("tokens", Decimal(5000), "hour")),
)


def packed(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def signed(payload: Any, *, key: bytes = KEY, version: bytes = b"naap_p1.") -> bytes:
    """A token as somebody with *key* could make it."""
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    body = version + packed(text)
    return body + b"." + packed(hmac.digest(key, body, "sha256"))


def members(**changes: Any) -> dict[str, Any]:
    """The payload of a good token, with *changes*."""
    good = {"srv": "ai", "id": "A" * 22, "sub": "ada", "routes": ["/x"]}
    return {**good, "iat": NOW * 1000, "exp": NOW + 60, **changes}


class PageTokenTests(SynchronousTestCase):
    def refused(self, token: bytes, now: float = NOW, signer: Signer = SIGNER) -> str:
        """The reason for the log."""
        error = self.assertRaises(InvalidToken, signer.read, token, now)
        self.assertEqual(error.http_status, 401)
        shown = error.for_log + error.message
        self.assertFalse(
            any(part.decode("latin-1") in shown for part in token.split(b".")[1:] if part)
        )
        return error.reason

    def test_round_trip(self) -> None:
        """The user and the grant come back; the email stays with who minted."""
        for grant in (PLAIN, FULL):
            user, read = SIGNER.read(SIGNER.sign(ADA, grant).encode(), NOW)
            self.assertEqual(read, grant)
            self.assertEqual(user, User("ada", None, ("admin", "tester"), grant))

    def test_form(self) -> None:
        """Compact, versioned, of characters that a header and a subprotocol may have."""
        token = SIGNER.sign(ADA, PLAIN)
        self.assertRegex(token, r"^naap_p1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$")
        self.assertLess(len(token), 260)
        payload = urlsafe_b64decode(token.split(".")[1] + "==")
        self.assertNotIn(b"alg", payload)
        self.assertNotIn(b"example.org", payload)

    def test_forgeries(self) -> None:
        """Nothing is read that this server did not sign, in just this spelling."""
        good = SIGNER.sign(ADA, PLAIN).encode()
        version, payload, mac = good.split(b".")
        edited = packed(urlsafe_b64decode(payload + b"==").replace(b"ada", b"eve"))
        last = b"A" if mac[-1:] != b"A" else b"E"
        swapped = bytes([mac[-1] + 1])  # another spelling of the same 32 bytes
        for token in (
            *(b"", b"naap_p", version, version + b"." + payload, version + b"." + payload + b"."),
            *(b".".join((version, edited, mac)), b".".join((version, payload, mac[:-1] + last))),
            *(b".".join((version, payload, mac[:-1] + swapped)), good + b"=", good[:-1]),
            *(b".".join((version, payload + b"=", mac)), b".".join((version, payload, mac, mac))),
            *(b".".join((b"naap_p2", payload, mac)), b".".join((b"naap_P1", payload, mac))),
            *(b".".join((b"naap_p1", payload, b"")), b".".join((b"naap_p01", payload, mac))),
            *(b" " + good, good + b"\n", good.replace(b".", b". ", 1), good + b"," + good),
            *(signed(members(), key=OTHER), signed(members(), version=b"naap_p2.")),
            b".".join((version, packed(b'{"alg":"none"}'), b"")),
            b"naap_p1." + b"A" * MOST_TEXT + b"." + mac,
        ):
            with self.subTest(token=token[:80]):
                self.refused(token)

    @given(st.integers(0, 200), st.binary(min_size=1, max_size=1))
    def test_any_byte(self, place: int, byte: bytes) -> None:
        """A byte that is changed anywhere is no token any more."""
        good = SIGNER.sign(ADA, PLAIN).encode()
        place %= len(good)
        bad = good[:place] + byte + good[place + 1 :]
        if bad != good:
            self.assertRaises(InvalidToken, SIGNER.read, bad, NOW)

    def test_signed_nonsense(self) -> None:
        """A payload is read strictly, though the key has signed it."""
        repeated = json.dumps(members()).encode()[:-1] + b', "sub": "eve"}'
        without = [{k: v for k, v in members().items() if k != name} for name in members()]
        for payload in (
            *(repeated, b"", b"[]", b"null", b'"a"', b"{", b"\xff", b'{"a": NaN}'),
            *(members(exp="x"), members(exp=None), members(iat=[]), members(routes=None)),
            *(members(budget=[["usd", "x", "day"]]), members(budget=[[]]), members(uses={})),
            *without,
        ):
            with self.subTest(payload=payload):
                self.refused(signed(payload))
        self.assertEqual(SIGNER.read(signed(members()), NOW)[0].id, "ada")

    def test_time(self) -> None:
        """Good until the second in which it ends, and for no longer than max_ttl says now."""
        token = SIGNER.sign(ADA, PLAIN).encode()
        SIGNER.read(token, NOW + 59.9)
        for late in (60, 60.1, 10**9):
            self.assertIn("expired", self.refused(token, NOW + late))
        shorter = Signer((KEY,), "ai", 30.0)
        self.assertIn("max_ttl", self.refused(token, signer=shorter))

    def test_another_server(self) -> None:
        """Servers of other names refuse it, though they have the same key."""
        token = SIGNER.sign(ADA, PLAIN).encode()
        self.assertIn("another name", self.refused(token, signer=Signer((KEY,), "ai2", 3600.0)))

    def test_rotation(self) -> None:
        """The first key signs, each verifies; one that is taken away does no more."""
        old, both, new = (Signer(k, "ai", 3600.0) for k in ((KEY,), (OTHER, KEY), (OTHER,)))
        before, after = (each.sign(ADA, PLAIN).encode() for each in (old, both))
        for signer in (old, both):
            signer.read(before, NOW)
        for signer in (both, new):
            signer.read(after, NOW)
        self.refused(before, signer=new)
        self.refused(after, signer=old)

    def test_too_long(self) -> None:
        """What would not fit into a header is not made."""
        routes = tuple(f"/{n}{'x' * 100}" for n in range(40))
        grant = PageGrant("A" * 22, routes, NOW * 1000, NOW + 60)
        self.assertRaises(ValueError, SIGNER.sign, ADA, grant)

    def test_nothing_shown(self) -> None:
        """A signer's repr has no key."""
        self.assertNotIn("kkkk", repr(SIGNER))


class SecretTests(SynchronousTestCase):
    def test_issuers(self) -> None:
        """Long enough, and no page token."""
        secret = Secret("i" * 32)
        self.assertIs(check_issuer(secret), secret)
        for text in ("i" * 31, "naap_p1." + "i" * 40, "NAAP_P1." + "i" * 40):
            self.assertRaises(ValueError, check_issuer, Secret(text))
