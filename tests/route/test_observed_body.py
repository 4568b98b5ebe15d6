"""The bodies of observed requests: their members, or why these can't be told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.learned import BODY
from naap_twisted.route.observed_body import read_observed

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json; charset=utf-8"


def members(body: bytes, kind: bytes) -> list[str]:
    unlisted: dict[str, str] = {}
    document = read_observed(body, kind, unlisted)
    found = [] if document is None else list(document.value)
    assert not (found and unlisted)
    return found or list(unlisted)


class ReadTests(SynchronousTestCase):
    def test_json(self) -> None:
        """The members of an object; nothing of a text that upstreams may read in another way."""
        self.assertEqual(
            members(b'{"model": "x", "n": 1, "a": {"b": 1}}', JSON), ["model", "n", "a"]
        )
        self.assertEqual(members(b'{"a": 1}', b"application/vnd.api+json"), ["a"])
        for body in (
            b"[1]",
            b"3",
            b"",
            b"{",
            b'{"a":1,"\\u0061":2}',
            b'{"a":"\xff"}',
            b"[" * 99_999,
            b'{"n": 1e999}',
        ):
            self.assertEqual(members(body, JSON), [BODY], body[:9])

    def test_form(self) -> None:
        """The first name of a bracketed one."""
        self.assertEqual(
            members(b"amount=5&metadata%5Border%5D=7&metadata[x]=&c[]=1", FORM),
            ["amount", "metadata", "c"],
        )
        for body in (b"&".join([b"a=1"] * 1_001), b"sk-live-1Ab9", b"a=1&b", b"a.b=1"):
            self.assertEqual(members(body, FORM), [BODY], body[:9])

    def test_others(self) -> None:
        """No other type is read, and no stream."""
        for kind in (
            b"multipart/form-data; boundary=x",
            b"audio/wav",
            b"",
            b"\xff/json",
            b"a/b+json",
        ):
            self.assertEqual(members(b'{"a": 1}', kind), [BODY], kind)
        unlisted: dict[str, str] = {}
        self.assertIsNone(read_observed(object(), JSON, unlisted))  # type: ignore[arg-type]
        self.assertIn("was not read", unlisted[BODY])

    @given(some.binary(), some.sampled_from((JSON, FORM)))
    def test_anything(self, body: bytes, kind: bytes) -> None:
        """No body makes the reader fail."""
        members(body, kind)
