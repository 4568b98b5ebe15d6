"""Whatever some reader takes for the name of a parameter."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.own_query import OwnNames, folded

NAMES = OwnNames(["key", "api-version", "filter[a]"])
#: A query, and the name of the route's that it sets.
TABLE = [
    ("", None),
    ("?", None),
    ("?q=key", None),
    ("?q=a%26key%3D1", None),
    ("?keys=1&monkey=2&ke=3&k%00ey=4", None),
    ("?key=1", "key"),
    ("?key", "key"),
    ("?=&key=", "key"),
    ("?q=1&&key=1", "key"),
    ("?KEY=1", "key"),
    ("?%6bey=1", "key"),
    ("?%6B%45%59=1", "key"),
    ("?%256bey=1", "key"),
    ("?+key=1", "key"),
    ("?key%20=1", "key"),
    ("?key[]=1", "key"),
    ("?key%5B%5D=1", "key"),
    ("?key[x][y]=1", "key"),
    ("?key%00x=1", "key"),
    ("?q=1;key=1", "key"),
    ("?q=1;KEY", "key"),
    ("?api-version=1", "api-version"),
    ("?API_Version=1", "api-version"),
    ("?api.version=1", "api-version"),
    ("?api+version=1", "api-version"),
    ("?api%2dversion=1", "api-version"),
    ("?apiversion=1", None),
    ("?filter[a]=1", "filter[a]"),
    ("?filter%5ba%5d=1", "filter[a]"),
    ("?filter[b]=1", None),
    ("?[]=1", None),
    ("?%=1&%6=2&%zz=3", None),
    ("?%ff%fe=1", None),
]


class OwnNamesTests(SynchronousTestCase):
    def test_named(self):
        """Each spelling is found, and told as the route spells it."""
        for query, name in TABLE:
            with self.subTest(query=query):
                self.assertEqual(NAMES.named_in(f"/key/key=1{query}"), name)

    def test_without(self):
        """What sets one is taken out, and the other bytes stay as they were."""
        for query, name in TABLE:
            with self.subTest(query=query):
                rest = NAMES.without(f"/p{query}")
                self.assertIsNone(NAMES.named_in(rest))
                if name is None:
                    self.assertEqual(rest, f"/p{query}")
        for before, after in (
            ("/p?key=1", "/p"),
            ("/p?%6bey=1&a=%2F&b", "/p?a=%2F&b"),
            ("/p?a&&key&c=?", "/p?a&&c=?"),
            ("/p?a=1;key=2&b", "/p?b"),
        ):
            self.assertEqual(NAMES.without(before), after)

    def test_none(self):
        """A route without parameters of its own finds none."""
        self.assertIsNone(OwnNames([]).named_in("/?key=1&="))

    def test_many_encodings(self):
        """A name that is encoded without end ends."""
        self.assertIsNone(OwnNames(["key"]).named_in("/?%" + "25" * 1000 + "6bey=1"))

    def test_folded(self):
        """Readers that ignore case, and PHP's dots and blanks."""
        self.assertEqual({folded(name) for name in ("A-b", "a_B", "a.b", " A b ")}, {"a_b"})
