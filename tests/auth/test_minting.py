"""Orders of page tokens: what is understood, and whose fault it is where not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.minting import Order, read_order
from naap_twisted.errors import InvalidTokenRequest
from naap_twisted.model import PageBudget

GOOD = {"routes": ["/x"], "ttl": 60}
TEXTS = (None, 3, "", "/x", {}, [], [""], [3], ["/x", "/x"], [["/x"]], ["x" * 201], ["x"] * 2)
BAD: dict[str, tuple[Any, ...]] = {
    "routes": (*TEXTS, [f"/{n}" for n in range(65)]),
    "models": (*TEXTS, ["*"], ["a*b"], ["a\n"]),
    "ttl": (None, 0, -1, 3601, 1.5, 60.0, "60", True, [], 10**30),
    "uses": (None, 0, -1, 1.0, "1", True, [], 10**13),
    "origin": (
        *(None, 3, "", "null", "*", "app.example.org", "https://", "https://*.example.org"),
        *("https://app.example.org/", "https://App.example.org", "https://app.example.org:443"),
        *("https://a@app.example.org", "ftp://app.example.org", "http://a.example:99999"),
        *("https://app.example.org/x", "https://app.example.org\n", "https://ä.example"),
    ),
    "budget": (
        *(None, 3, {}, [], [3], [{}], [{"per": "day"}], [{"tokens": 5}], [{"tokens": 5}] * 65),
        *([{"tokens": 5, "per": per}] for per in ("week", "24h", None, 3, ["day"])),
        *([{"tokens": n, "per": "day"}] for n in (0, -1, 1.5, True, "5", None, 10**13)),
        *([{"usd": n, "per": "day"}] for n in (0, -0.1, True, "0.5", None, 1e300)),
        *([{"requests": 1, "tokens": 1, "per": "day"}], [{"tokens": 1, "per": "day", "of": "x"}]),
    ),
}


def order(body: Any, *, by_issuer: bool = False) -> Order:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_order(data, by_issuer=by_issuer, max_ttl=3600.0)


class MintingTests(SynchronousTestCase):
    def refused(self, body: Any, *, by_issuer: bool = False) -> str | None:
        """The member that is at fault."""
        error = self.assertRaises(InvalidTokenRequest, order, body, by_issuer=by_issuer)
        self.assertEqual(error.http_status, 400)
        self.assertTrue(error.message.isprintable())
        return error.param

    def test_least(self) -> None:
        """Routes and a time to live are enough."""
        self.assertEqual(order(GOOD), Order("", ("/x",), 60, 0, (), "", ()))

    def test_all(self) -> None:
        """Every member; money is exact."""
        budget = [{"tokens": 5000, "per": "day"}, {"usd": 0.1, "per": "month"}]
        budget += [{"requests": 5, "per": "hour"}, {"usd": 2, "per": "day"}]
        whole = {**GOOD, "uses": 2, "models": ["a", "b*"], "origin": "http://localhost:3000"}
        read = order({**whole, "budget": budget, "sub": "ada"}, by_issuer=True)
        amounts = (("tokens", "5000", "day"), ("usd", "0.1", "month"), ("requests", "5", "hour"))
        budgets = [PageBudget(unit, Decimal(n), per) for unit, n, per in amounts]
        budgets.append(PageBudget("usd", Decimal(2), "day"))
        self.assertEqual(
            read,
            Order("ada", ("/x",), 60, 2, ("a", "b*"), "http://localhost:3000", tuple(budgets)),
        )

    def test_bad_members(self) -> None:
        """Each is refused by its name."""
        for name, values in BAD.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    self.assertEqual(self.refused({**GOOD, name: value}), name)

    def test_missing_and_unknown(self) -> None:
        """By name, too; who it is for only the backend says, and has to."""
        for name in GOOD:
            rest = {key: value for key, value in GOOD.items() if key != name}
            self.assertEqual(self.refused(rest), name)
        for name in ("Routes", "scope", "alg", "exp", "sub", "roles", "x\n" * 50):
            self.assertEqual(self.refused({**GOOD, name: "ada"}), name[:64])
        self.assertEqual(self.refused(GOOD, by_issuer=True), "sub")
        for sub in ("", None, "a\nb", "x" * 257, [], {}, True, 1.5):
            self.assertEqual(self.refused({**GOOD, "sub": sub}, by_issuer=True), "sub")
        self.assertEqual(order({**GOOD, "sub": 7}, by_issuer=True).sub, "7")

    def test_no_json(self) -> None:
        """What readers could read in two ways is no order."""
        deep = b"[" * 100_000
        for body in (
            *(b"", b"[]", b"null", b"{", b'{"ttl": NaN}', b"\xff", deep, b"\xef\xbb\xbf{}"),
            b'{"routes": ["/x"], "ttl": 60, "ttl": 61}',
        ):
            self.assertIsNone(self.refused(body))
