"""What a process remembers of page tokens, by clocks that are set forward and back."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.revocations import Clocks, Revocation, Revocations, Uses
from naap_twisted.errors import Unavailable
from naap_twisted.model import PageGrant

NOW = 1_700_000_000.0
LASTING = 100.0


def grant(token_id: str = "a", *, uses: int = 0, issued: float = NOW) -> PageGrant:
    return PageGrant(token_id, ("/x",), int(issued * 1000), int(issued + LASTING), uses=uses)


class RevocationCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wall, self.monotonic = NOW, 50.0
        self.clocks = Clocks(lambda: self.wall, lambda: self.monotonic)

    def later(self, seconds: float) -> None:
        """Both clocks go on."""
        self.wall += seconds
        self.monotonic += seconds


class RevocationsTests(RevocationCase):
    def revoke(self, token_id: str, sub: str) -> None:
        self.known.add(Revocation(token_id, sub, int(self.wall * 1000)))

    def setUp(self) -> None:
        super().setUp()
        self.known = Revocations(self.clocks, LASTING, most=3)

    def test_one(self) -> None:
        """An issuer revokes anybody's; a user's own word is about the user's own tokens only."""
        self.assertFalse(self.known.hold("ada", grant()))
        self.revoke("a", "eve")
        self.assertFalse(self.known.hold("ada", grant()))
        self.assertTrue(self.known.hold("eve", grant()))
        self.revoke("a", "")
        self.assertTrue(self.known.hold("ada", grant()))
        self.assertFalse(self.known.hold("ada", grant("b")))

    def test_all_of_a_user(self) -> None:
        """Those that were minted until then, and nobody else's."""
        self.revoke("", "ada")
        self.assertTrue(self.known.hold("ada", grant()))
        self.assertTrue(self.known.hold("ada", grant("b", issued=NOW - 10)))
        self.assertFalse(self.known.hold("eve", grant()))
        self.assertFalse(self.known.hold("ada", grant(issued=NOW + 0.001)))

    def test_an_earlier_word_takes_nothing_back(self) -> None:
        """A clock that is set back revokes no less than was revoked before."""
        self.revoke("", "ada")
        self.wall -= 50
        self.revoke("", "ada")
        self.assertTrue(self.known.hold("ada", grant(issued=NOW - 10)))

    def test_how_long(self) -> None:
        """As long as a token may live, by both clocks: one set forward or back ends none early."""
        for wall, monotonic in ((99.0, 99.0), (10**6, 99.0), (-(10**6), 10**6), (99.0, 10**6)):
            with self.subTest(wall=wall, monotonic=monotonic):
                self.setUp()
                self.revoke("a", "")
                self.wall += wall
                self.monotonic += monotonic
                self.revoke("b", "")
                self.assertTrue(self.known.hold("ada", grant()))
        self.setUp()
        self.revoke("a", "")
        self.later(LASTING)
        self.revoke("b", "")
        self.assertEqual(len(self.known), 1)

    def test_full(self) -> None:
        """Where there is no room, no revocation is forgotten and the new one is refused."""
        for name in "abc":
            self.revoke(name, "")
        self.assertRaises(Unavailable, self.revoke, "d", "")
        self.revoke("a", "")
        self.assertTrue(all(self.known.hold("ada", grant(name)) for name in "abc"))
        self.later(LASTING + 1)
        self.revoke("d", "")


class UsesTests(RevocationCase):
    def setUp(self) -> None:
        super().setUp()
        self.uses = Uses(self.clocks, LASTING, most=2)

    def test_counts(self) -> None:
        """So many, and not one more, whatever happens to the clock meanwhile."""
        token = grant(uses=3)
        self.assertEqual([self.uses.count(token) for _ in range(5)], [True] * 3 + [False] * 2)
        self.wall -= 10**6
        self.later(LASTING * 2)
        self.assertFalse(self.uses.count(token))
        self.assertTrue(self.uses.count(grant("b", uses=1)))

    def test_full(self) -> None:
        """A count is never dropped for another token's: that one has to wait."""
        for name in "ab":
            self.uses.count(grant(name, uses=1))
        self.assertRaises(Unavailable, self.uses.count, grant("c", uses=1))
        self.assertFalse(self.uses.count(grant("a", uses=1)))
        self.later(LASTING + 1)
        self.assertTrue(self.uses.count(grant("c", uses=1)))
