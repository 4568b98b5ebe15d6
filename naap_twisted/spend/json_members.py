"""Finds members of JSON texts that pass by in pieces, without keeping the texts. Pure.

A whole answer may have megabytes, and one event of a stream as well. What is kept is the object
or the short text that is looked for, a key, and where in the text the next byte belongs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

#: Bytes of an object that is found; a longer one is let go.
MOST_FOUND = 64 * 1024
#: Bytes of a text that is told; a longer one is let go.
MOST_TEXT = 512
_LONGEST_KEY = 64
# Possessive repeats, so that no text makes them go back.
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_UNFOLLOWED = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_MARK = re.compile(rb'["{}\[\],:]')
_TOP_MARK = re.compile(rb'["{}\[\]]')
_QUOTE, _COMMA, _COLON, _OPEN, _CLOSE = b'"', b",", b":", b"{[", b"}]"


class MemberScanner:
    """Scans one JSON text after another.

    A text may be a list of such texts, as Gemini streams its answers without ``alt=sse``. One that
    is no JSON may be misread, but costs no more than another of its length.

    :param wanted: paths of keys from the top of a text, such as ``(b"response", b"usage")``.
    :param found: called with each object that is the value of such a member.
    :param texts: paths of members whose values are short texts.
    :param told: called with each of these, as it stands between its quotes.
    """

    def __init__(
        self,
        wanted: Iterable[tuple[bytes, ...]],
        found: Callable[[bytes], object],
        texts: Iterable[tuple[bytes, ...]] = (),
        told: Callable[[bytes], object] | None = None,
    ) -> None:
        self._wanted = frozenset(wanted)
        self._texts = frozenset(texts)
        # Only objects on the way to a wanted member are followed, the others are skipped.
        paths = self._wanted | self._texts
        self._followed = {path[:depth] for path in paths for depth in range(len(path))}
        self._found = found
        self._told = told
        self.reset()

    def reset(self) -> None:
        """Begin a new text, whatever state the one before was left in."""
        self._depth = 0  # without the list around the texts
        self._in_list = False
        self._keys: list[bytes] = []  # the present key of each followed object that is open
        self._in_string = self._escaped = self._key_is_next = False
        self._key: bytearray | None = None
        self._text: bytearray | None = None  # what has come of a wanted text
        self._object: bytearray | None = None  # what has come of a wanted object
        self._object_depth = 0

    @property
    def between(self) -> bool:
        """Whether the next byte is outside of every text."""
        return not self._depth and not self._in_string

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        at, end, self._begun = 0, len(data), 0
        while at < end:
            if self._in_string:
                at = self._read_string(data, at)
            elif self._depth == len(self._keys):
                mark = (_MARK if self._keys else _TOP_MARK).search(data, at)
                if mark is None:
                    break
                at = self._read_mark(data, mark.start())
            else:
                at = self._skip(data, at)
        if self._object is not None:
            self._keep(data, end)

    def _read_string(self, data: bytes, at: int) -> int:
        # A backslash that a piece ends with escapes the first byte of the next one.
        end = _IN_STRING.match(data, at + self._escaped).end()  # type: ignore[union-attr]
        self._escaped = end < len(data) and data[end : end + 1] != _QUOTE
        come = data[at : end + self._escaped]
        if self._key is not None and len(self._key) <= _LONGEST_KEY:
            self._key += come
        if self._text is not None and len(self._text) <= MOST_TEXT:
            self._text += come
        if end == len(data) or self._escaped:
            return len(data)
        self._in_string = False
        if self._key is not None:
            self._keys[-1], self._key = bytes(self._key), None
            self._key_is_next = False
        if self._text is not None:
            text, self._text = bytes(self._text), None
            if self._told is not None and len(text) <= MOST_TEXT:
                self._told(text)
        return end + 1

    def _skip(self, data: bytes, at: int) -> int:
        """Read on to the end of what is not followed, or to a string that the piece cuts."""
        end, depth, followed = len(data), self._depth, len(self._keys)
        while (at := _UNFOLLOWED.match(data, at).end()) < end:  # type: ignore[union-attr]
            mark = data[at]
            if mark in _OPEN:
                depth += 1
            elif mark in _CLOSE and depth - 1 > followed:
                depth -= 1
            else:
                self._depth = depth
                return self._read_mark(data, at)
            at += 1
        self._depth = depth
        return at

    def _read_mark(self, data: bytes, at: int) -> int:
        mark = data[at : at + 1]
        followed = self._depth == len(self._keys)
        if mark == _QUOTE:
            self._in_string = True
            if followed and self._key_is_next:
                self._key = bytearray()
            elif followed and self._texts and tuple(self._keys) in self._texts:
                self._text = bytearray()
        elif mark == _COMMA:
            self._key_is_next = bool(self._keys)
        elif mark == b"[" and not self._depth and not self._in_list:
            self._in_list = True
        elif mark in _OPEN:
            if followed and mark == b"{":
                self._open(at)
            self._depth += 1
        elif mark in _CLOSE:
            self._close(data, at + 1)
        return at + 1

    def _open(self, at: int) -> None:
        path = tuple(self._keys)
        if path in self._wanted:
            self._object, self._object_depth, self._begun = bytearray(), self._depth, at
        elif path in self._followed:
            self._keys.append(b"")
            self._key_is_next = True

    def _close(self, data: bytes, at: int) -> None:
        if not self._depth:
            self._in_list = False
        if self._depth == len(self._keys) and self._keys:
            self._keys.pop()
        self._depth = max(0, self._depth - 1)
        self._key_is_next = False
        if self._object is not None and self._depth == self._object_depth:
            self._keep(data, at)
            complete, self._object = self._object, None
            if complete is not None:
                self._found(bytes(complete))

    def _keep(self, data: bytes, end: int) -> None:
        if self._object is not None:
            self._object += data[self._begun : end]
            self._begun = 0
            if len(self._object) > MOST_FOUND:
                self._object = None
