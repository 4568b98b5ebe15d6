"""JSON read strictly, held to the JSONTestSuite, and changed without touching the rest."""

from __future__ import annotations

import gc
import json
import unittest
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.json_text import JsonDocument, check_json, strict_value
from naap_twisted.errors import BodyNotAllowed, InvalidJson, ProxyError
from tests.paths import SHARED

SUITE = SHARED / "vectors" / "jsontestsuite" / "test_parsing"
TYPE = b"application/json"
#: Files that every parser has to accept, and that are refused here, because readers differ about
#: what they say.
TWO_READINGS = {
    "y_object_duplicated_key.json": 'member "a" more than once',
    "y_object_duplicated_key_and_value.json": 'member "a" more than once',
    "y_object_escaped_null_in_key.json": "NUL in the name of a member",
}


def read(text: bytes) -> JsonDocument:
    """A document of *text*."""
    return JsonDocument.read(text, TYPE)


class SuiteTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not SUITE.is_dir():
            raise unittest.SkipTest(f"{SUITE} is not there")

    def verdict(self, file: Path) -> str:
        try:
            strict_value(file.read_bytes())
        except ProxyError as error:
            return error.message
        return ""

    def test_suite(self) -> None:
        """Every y_ but those with two readings, no n_, and no i_: readers differ there."""
        counted = {"y": 0, "n": 0, "i": 0}
        for file in sorted(SUITE.glob("*.json")):
            verdict, kind = self.verdict(file), file.name[0]
            counted[kind] += 1
            with self.subTest(file=file.name):
                if kind == "y":
                    self.assertIn(TWO_READINGS.get(file.name, ""), verdict)
                    self.assertEqual(bool(verdict), file.name in TWO_READINGS, verdict)
                else:
                    self.assertTrue(verdict)
        self.assertGreater(min(counted.values()), 30)


class DepthTests(SynchronousTestCase):
    def test_text_without_end(self) -> None:
        """What stands behind a quote that nothing closes is one text, so that it is read once.

        Were each of its quotes tried for the beginning of a text, half a megabyte took minutes.
        """
        with self.assertRaises(InvalidJson):
            strict_value(b"[" * 60 + b'"' + b"[" * 10 + b"]" * 70)
        with self.assertRaises(InvalidJson):
            strict_value(b"[" * 65 + b'"\\' * 1000)
        with self.assertRaises(BodyNotAllowed):
            strict_value(b"[" * 65 + b'"["' + b"]" * 65)


class ChangeTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        """No members, the same bytes."""
        text = b' {"a" : 1.0e0 ,"b":"\\u00e9"} '
        self.assertEqual(read(text).changed({}), (text, TYPE))

    def test_in_place_and_added(self) -> None:
        """A member's value is replaced where it stands; a new one comes last."""
        for text, members, wanted in (
            ("{}", {("a",): 1}, '{"a":1}'),
            (" { } ", {("a",): 1}, ' {"a":1 } '),
            ('{"a":1}', {("a",): "x"}, '{"a":"x"}'),
            ('{ "a" : [1, 2] , "b":2.50}', {("a",): None}, '{ "a" : null , "b":2.50}'),
            ('{"a":1}', {("b", "c"): True}, '{"a":1,"b":{"c":true}}'),
            ('{"a":{"b": 1 }}', {("a", "c"): 2}, '{"a":{"b": 1,"c":2 }}'),
            ('{"a":5}', {("a", "b"): 2}, '{"a":{"b":2}}'),
            ('{"a":null}', {("a", "b"): 2}, '{"a":{"b":2}}'),
            ('{"\\u0061":1}', {("a",): 2}, '{"\\u0061":2}'),
            ('{"a":"}\\"{"}', {("b",): '"\u00e9'}, '{"a":"}\\"{","b":"\\"\u00e9"}'),
            ('{"a":1}', {("a",): 2, ("b",): 3, ("c", "d"): 4}, '{"a":2,"b":3,"c":{"d":4}}'),
        ):
            self.assertEqual(read(text.encode()).changed(members)[0].decode(), wanted)

    def test_no_room(self) -> None:
        """A list has no members, nor has a body that is no object."""
        for text, member in ((b"[]", ("a",)), (b"1", ("a",)), (b'{"a":[{}]}', ("a", "b"))):
            self.assertRaises(BodyNotAllowed, read(text).changed, {member: 1})

    def test_replaced(self) -> None:
        """What a callable returns, in JSON; what JSON has no words for is the callable's bug."""
        document = read(b"{}")
        self.assertEqual(document.replaced({"a": "\u00e9"}), ('{"a":"\u00e9"}'.encode(), TYPE))
        self.assertRaises(ValueError, document.replaced, {"a": float("nan")})

    def test_inner(self) -> None:
        """A text of JSON holds no document."""
        self.assertIsNone(read(b'{"a":"{}"}').inner("a"))


class CostTests(SynchronousTestCase):
    def test_huge(self) -> None:
        """A megabyte of lists, of digits, of escapes, of brackets in a text: read or refused."""
        for text in (
            b"[" + b"[],[]," * 160_000 + b"1]",
            b'{"a":' + b"1" * 1_000_000 + b"}",
            b'{"a":0.' + b"1" * 1_000_000 + b"}",
            b'"' + b"\\u0041" * 160_000 + b'"',
            b'["' + b"[" * 1_000_000 + b'"]',
            b'["' + b"\\\\" * 500_000 + b'"]',
            b"[" * 1_000_000,
            b'{"a":1,' * 150_000,
            b"{%b}"
            % b",".join(b'"%d":1' % (number // 2 + number % 2) for number in range(100_000)),
        ):
            for reader in (strict_value, check_json):
                try:
                    reader(text)
                except (BodyNotAllowed, InvalidJson):
                    continue
        self.assertTrue(gc.isenabled())

    def test_light(self) -> None:
        """What no rule judges is held to the grammar only."""
        for text in (b'{"a":1,"a":2}', b"[1e999]", b'"\\ud800"', b"[" * 100 + b"]" * 100):
            check_json(text)
        for text in (b"{", b"[NaN]", b'"\xff"', b"[" * 100_000):
            self.assertRaises(InvalidJson, check_json, text)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


def has_nul(value: Any) -> bool:
    """Whether a name in *value* has a NUL."""
    if isinstance(value, dict):
        return any("\0" in name or has_nul(each) for name, each in value.items())
    return isinstance(value, list) and any(map(has_nul, value))


class PropertyTests(SynchronousTestCase):
    @given(VALUES, st.booleans(), st.sampled_from([None, 1]))
    def test_what_is_written_is_read(self, value: Any, ascii_only: bool, indent: Any) -> None:
        """Whatever a writer of JSON writes is read as it was, but for a name with a NUL."""
        text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
        if has_nul(value):
            self.assertRaises(BodyNotAllowed, strict_value, text)
        else:
            self.assertEqual(strict_value(text), value)

    @given(
        OBJECTS, st.dictionaries(st.tuples(NAMES), VALUES, max_size=3), st.sampled_from([None, 2])
    )
    def test_changed(self, before: Any, members: Any, indent: Any) -> None:
        """Read again, it is what it was with the members set; all other texts stand in it."""
        if has_nul(before) or any(map(has_nul, members.values())):
            return
        text = json.dumps(before, indent=indent)
        after = read(read(text.encode()).changed(members)[0])
        self.assertEqual(after.value, {**before, **{name: v for (name,), v in members.items()}})
        at = 0
        for name, value in before.items():
            if (name,) not in members and indent is None:
                pair = f"{json.dumps(name)}: {json.dumps(value)}".encode()
                at = after.content.index(pair, at) + len(pair)
