"""Members of a JSON text, found while it passes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.json_members import MOST_FOUND, MemberScanner

PATHS = ((b"usage",), (b"response", b"usage"))


def found(text: bytes, step: int = 10**9) -> list[Any]:
    values: list[Any] = []
    scanner = MemberScanner(PATHS, lambda value: values.append(json.loads(value)))
    for at in range(0, len(text), step):
        scanner.feed(text[at : at + step])
    assert scanner.between
    return values


class Places(SynchronousTestCase):
    def test_wanted(self) -> None:
        """At one of the paths, in whatever spelling of blanks."""
        for document in (
            {"usage": {"a": 1}},
            {"response": {"id": "x", "usage": {"a": 1}}},
            {"usage": None, "response": {"usage": {"a": 1}, "more": []}},
            {"a": [{"usage": {"b": 2}}], "usage": {"a": 1}},
            {"a": {"usage": {"b": 2}}, "usage": {"a": 1}},
            {"response": {"x": {"usage": {"b": 2}}, "usage": {"a": 1}}},
            {"usages": {"b": 2}, "usage": {"a": 1}},
            {"text": '{"usage": {"b": 2}}', "usage": {"a": 1}},
            {'\\"': "\\", "usage": {"a": 1}},
        ):
            for text in (json.dumps(document), json.dumps(document, indent=2)):
                for step in (1, 2, 3, 10**9):
                    self.assertEqual(found(text.encode(), step), [{"a": 1}], text)

    def test_not_wanted(self) -> None:
        """Elsewhere, or no object."""
        for text in (
            b'[[{"usage": {}}]]',
            b'{"usage": [{}]}',
            b'{"usage": "{}"}',
            b'"usage"',
            b"{}",
        ):
            for step in (1, 10**9):
                self.assertEqual(found(text, step), [], text)

    def test_one_text_after_another(self) -> None:
        """Each begins at its top."""
        text = b'{"usage": {"a": 1}}\n{"usage": {"a": 2}}'
        for step in (1, 10**9):
            self.assertEqual(found(text, step), [{"a": 1}, {"a": 2}])

    def test_a_list_of_texts(self) -> None:
        """Each of its items is one; a list inside of it is none."""
        text = b'[{"usage": {"a": 1}}, 3, "usage", [{"usage": {"b": 1}}],\n{"usage": {"a": 2}}]'
        for step in (1, 10**9):
            self.assertEqual(found(text, step), [{"a": 1}, {"a": 2}])
            self.assertEqual(found(text + b"\n" + text, step), [{"a": 1}, {"a": 2}] * 2)

    def test_reset(self) -> None:
        """What was left open is forgotten."""
        values = list[bytes]()
        scanner = MemberScanner(PATHS, values.append)
        for begun in (b'{"usage": {"a": "', b'{"us', b"[[[[", b'{"a\\'):
            scanner.feed(begun)
            self.assertFalse(scanner.between)
            scanner.reset()
        scanner.feed(b'{"usage": {}}')
        self.assertEqual(values, [b"{}"])

    @settings(max_examples=300, deadline=None)
    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["usage", "response", "x", '"', "\\"]), inner, max_size=3
                )
            ),
            max_leaves=12,
        ),
        st.integers(1, 20),
        st.booleans(),
    )
    def test_as_a_parser_finds_them(self, document: Any, step: int, ascii_only: bool) -> None:
        """In any text and cut."""
        text = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8")
        expected = []
        texts = document if isinstance(document, list) else [document]
        pairs = [pair for each in texts if isinstance(each, dict) for pair in each.items()]
        for name, value in pairs:
            inner = value.get("usage") if name == "response" and isinstance(value, dict) else None
            expected += [
                each for each in (value if name == "usage" else inner,) if isinstance(each, dict)
            ]
        self.assertEqual(found(text, step), expected)


class Texts(SynchronousTestCase):
    def told(self, text: bytes, step: int) -> list[bytes]:
        texts: list[bytes] = []
        paths = (b"model",), (b"response", b"model")
        scanner = MemberScanner(PATHS, lambda value: None, paths, texts.append)
        for at in range(0, len(text), step):
            scanner.feed(text[at : at + step])
        assert scanner.between
        return texts

    def test_wanted(self) -> None:
        """A text at one of the paths, between its quotes, however it is cut."""
        for text, texts in (
            (b'{"model": "a", "usage": {"model": "b"}}', [b"a"]),
            (b'{"x": "model", "response": {"id": "i", "model": "a\\"b"}}', [b'a\\"b']),
            (b'{"model": ["a"], "choices": [{"model": "b"}]}', []),
            (b'{"model": {"model": "a"}, "other": "b"}', []),
            (b'[{"model": "a"}, {"model": ""}]', [b"a", b""]),
            (b'"model"', []),
            (b'{"model": "%b", "response": {"model": "b"}}' % (b"x" * 10_000), [b"b"]),
        ):
            for step in (1, 2, 7, 10**9):
                self.assertEqual(self.told(text, step), texts, (text[:40], step))


class Bounds(SynchronousTestCase):
    def held(self, scanner: MemberScanner) -> int:
        kept = (scanner._object, scanner._key, scanner._text, scanner._keys)
        return sum(len(each or b"") for each in kept)

    def test_memory(self) -> None:
        """Neither an endless object, key, string nor nesting is kept."""
        for begun, more in (
            (b'{"usage": {"a": "', b"x" * 10_000),
            (b'{"', b"x" * 10_000),
            (b'{"a": "', b'\\"' * 5_000),
            (b"", b"[{" * 5_000),
            (b'{"response": ', b'{"response": ' * 1_000),
            (b'{"model": "', b"x" * 10_000),
        ):
            scanner = MemberScanner(PATHS, lambda value: None, [(b"model",)], lambda text: None)
            scanner.feed(begun)
            for _ in range(100):
                scanner.feed(more)
                self.assertLessEqual(self.held(scanner), MOST_FOUND + 10_100, begun)

    def test_what_is_too_long_hides_nothing(self) -> None:
        """The next one is found."""
        long = b'{"usage": {"a": "%s"}} {"usage": {}}' % (b"x" * 2 * MOST_FOUND)
        for step in (1000, 10**9):
            self.assertEqual([len(value) for value in found(long, step)], [0])
