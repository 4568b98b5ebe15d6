"""Members by their dotted paths, and the spellings that a reader takes for them."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.document import Upload
from naap_twisted.documents.reader import read_document
from naap_twisted.errors import BodyNotAllowed
from naap_twisted.policy.members import Members, folded, member_of, shown
from tests.policy.bodies import from_form, from_json


class MembersTests(SynchronousTestCase):
    def test_found(self) -> None:
        """Through objects and lists; a path that is not there has no values."""
        members = Members(["model", "messages.role", "a.b.c", "a.b"])
        body = {
            "model": "m",
            "messages": [{"role": "user"}, {"role": "tool"}],
            "a": {"b": {"c": 1}},
        }
        self.assertEqual(
            members.found(from_json(body)),
            {"model": ["m"], "messages.role": ["user", "tool"], "a.b": [{"c": 1}], "a.b.c": [1]},
        )
        self.assertEqual(members.found(from_json({"messages": "none", "a": None})), {})
        self.assertEqual(members.found(from_json([1])), {})

    def test_inside_a_form(self) -> None:
        """A rule below a text of a form reads it as JSON; brackets are tables."""
        members = Members(["session.model", "metadata.order"])
        form = from_form(session='{"model": "m"}', metadata__order="6")
        self.assertEqual(members.found(form), {"session.model": ["m"], "metadata.order": ["6"]})

    def test_spellings(self) -> None:
        """What Go, protobuf or PHP would take for a listed name is refused, at every level."""
        members = Members(["max_tokens", "session.model"])
        for body in (
            {"maxTokens": 1},
            {"Max_Tokens": 1},
            {"max-tokens": 1},
            {"max.tokens": 1},
            {"MAX TOKENS": 1},
            {"max_to\u212aens": 1},  # the Kelvin sign, which Go folds to k
            {"session": {"Model": "x"}},
            {"session": [{"MODEL": "x"}]},
            {"Session": {}},
        ):
            error = self.assertRaises(BodyNotAllowed, members.found, from_json(body))
            self.assertIn("some servers take for it", error.message)
            self.assertEqual(error.rule, "spelling")
        members.found(from_json({"other": {"Model": 1}, "maxTokenss": 1}))

    def test_listed_spellings(self) -> None:
        """Two spellings that are both listed are each themselves."""
        members = Members(["a.maxTokens", "a.max_tokens"])
        self.assertEqual(members.found(from_json({"a": {"max_tokens": 1}})), {"a.max_tokens": [1]})

    def test_through(self) -> None:
        """Where members are a must, what a path leads through is an object, a list or null."""
        members = Members(["fallbacks.model"], through=True)
        for value in ("default", 1, True, [["x"]]):
            body = from_json({"fallbacks": value})
            self.assertRaises(BodyNotAllowed, members.found, body)
            Members(["fallbacks.model"]).found(body)
        for value in (None, [], {}, [{"model": "a"}]):
            members.found(from_json({"fallbacks": value}))

    def test_words(self) -> None:
        """Paths and folds."""
        self.assertEqual(member_of("a.b"), ("a", "b"))
        self.assertEqual(folded("Max_Tokens"), folded("maxTokens"))
        self.assertEqual(len(shown("x" * 500)), 64)
        self.assertEqual(shown("a\nb"), "a\\nb")


class TableTests(SynchronousTestCase):
    def test_tables_of_a_form(self) -> None:
        """PHP and Rails take a table of tables for a list, whatever its keys."""
        members = Members(["items.price"])
        for pairs in (
            [("items[a][price]", "9")],
            [("items[0][price]", "9")],
            [("items[a][b][price]", "9")],
        ):
            body = urlencode(pairs).encode()
            document = read_document(body, b"application/x-www-form-urlencoded")
            self.assertEqual(members.found(document), {"items.price": ["9"]}, pairs)
        self.assertEqual(members.found(from_json({"items": {"a": {"price": 9}}})), {})


class FileTests(SynchronousTestCase):
    def test_where_members_are_looked_for(self) -> None:
        """A file there may hold members that nobody here reads, so it is refused."""
        session = Upload("blob", "application/json", 9)
        document: Any = SimpleNamespace(value={"session": session, "other": session})
        self.assertRaises(BodyNotAllowed, Members(["session.tools"]).found, document)
        self.assertEqual(Members(["other"]).found(document), {"other": [session]})
