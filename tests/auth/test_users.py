"""An identity provider's words to a user."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.users import user_of
from naap_twisted.model import User


class UserOf(SynchronousTestCase):
    def test_ids(self):
        """Text or a whole number; the first name that is there counts."""
        for fields, names, found in [
            ({"id": "ada"}, ("id",), "ada"),
            ({"id": 7}, ("id",), "7"),
            ({"sub": "s", "id": "i"}, ("sub", "id"), "s"),
            ({"id": "i"}, ("sub", "id"), "i"),
            ({"id": "é" * 256}, ("id",), "é" * 256),
        ]:
            self.assertEqual(user_of(fields, *names), User(found))

    def test_no_ids(self):
        """Nothing fit to be a user; a bad one is not passed over for the next name."""
        for bad in ("", None, True, 1.5, [], {}, "a\nb", "a\x00", "a" * 257, 2**64, "\u202e"):
            with self.subTest(bad=bad):
                self.assertRaises(ValueError, user_of, {"sub": bad, "id": "i"}, "sub", "id")
        self.assertRaises(ValueError, user_of, {"email": "a@b.example"}, "sub", "id")

    def test_email(self):
        """Dropped where it is none."""
        self.assertEqual(user_of({"id": "a", "email": "a@b.example"}, "id").email, "a@b.example")
        for bad in ("", 3, None, ["a@b"], "a\n@b", "a" * 321):
            self.assertIsNone(user_of({"id": "a", "email": bad}, "id").email)

    def test_roles(self):
        """A list, one word, or both; what is no name gives no role."""
        for fields, roles in [
            ({"roles": ["a", "b", "a"]}, ("a", "b")),
            ({"roles": "a"}, ("a",)),
            ({"role": "a"}, ("a",)),
            ({"roles": ["a"], "role": "b"}, ("a", "b")),
            ({"roles": ["a", 1, None, "", {"name": "b"}, "c" * 129]}, ("a",)),
            ({"roles": {"a": True}, "role": ["b"]}, ()),
            ({"roles": None}, ()),
            ({}, ()),
        ]:
            with self.subTest(fields=fields):
                self.assertEqual(user_of({"id": "u", **fields}, "id").roles, roles)

    def test_many_roles(self):
        """Bounded."""
        many = [str(number) for number in range(1000)]
        self.assertEqual(len(user_of({"id": "u", "roles": many}, "id").roles), 64)
