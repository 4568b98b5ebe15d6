"""Tests of naap_twisted.spend.tokens."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.tokens import USUAL_MEMBERS, TokenMembers, Tokens

MEMBERS = TokenMembers.at(
    input=["usage.in", "first.usage.in", "usage.old.in"],
    input_beside=["usage.cache.read", "usage.cache.written"],
    cached_input=["usage.cache.read"],
    output=["usage.out"],
    output_beside=["usage.thoughts"],
)


def read(usage: object) -> Tokens:
    text = usage if isinstance(usage, str) else json.dumps(usage)
    return MEMBERS.sum(MEMBERS.read(text.encode()))


class TokensTests(SynchronousTestCase):
    def test_total(self) -> None:
        """The parts of input and output are counted once."""
        one = Tokens(1, 2, 3, 4, 5, 6, 7)
        self.assertEqual((one.total, Tokens().total), (5, 0))


class TokenMembersTests(SynchronousTestCase):
    def test_reports(self) -> None:
        """The outermost objects that are named; deeper ones are looked up in them."""
        self.assertEqual(MEMBERS.reports, {(b"usage",), (b"first", b"usage")})
        for text, has in (
            (b'{"usage": {', True),
            (b'{"usage"\n:\n{', True),
            (b'"usage": null', False),
            (b'"cache": {', False),
        ):
            self.assertEqual(MEMBERS.mark.search(text) is not None, has, text)

    def test_read(self) -> None:
        """The first that is there; what stands beside is added; parts are not."""
        for usage, tokens in (
            ({"in": 3, "out": 4}, Tokens(input=3, output=4)),
            ({"old": {"in": 5}}, Tokens(input=5)),
            ({"old": {"in": 5}, "in": 3}, Tokens(input=3)),
            ({"in": 0, "old": {"in": 5}}, Tokens()),
            (
                {"in": 3, "out": 4, "cache": {"read": 10, "written": 20}, "thoughts": 30},
                Tokens(input=33, cached_input=10, output=34),
            ),
            ({"cache": 3, "old": [1]}, Tokens()),
        ):
            self.assertEqual(read(usage), tokens, usage)

    def test_no_numbers(self) -> None:
        """Each is left out, and the others count."""
        for number in (
            *("-1", "-0.5", "1.0", "1e3", "true", "null", '"3"', "[3]", "{}", "NaN", "Infinity"),
            *(str(1 << 48), "9" * 5000),
        ):
            text = f'{{"in": {number}, "out": 4}}'
            self.assertEqual(MEMBERS.read(text.encode()), {"output": 4}, number[:20])
        most = (1 << 48) - 1
        self.assertEqual(read({"in": most}), Tokens(input=most))

    def test_seconds(self) -> None:
        """Of a recording, with a fraction or without; a part of a millisecond is a whole one."""
        members = TokenMembers.at(seconds=["metadata.duration"])
        for written, milliseconds in (
            *(("9", 9_000), ("25.933313", 25_934), ("0.001", 1), ("8.47", 8_470), ("0", 0)),
            *(("1e3", 1_000_000), ("1e-400", 0)),
        ):
            numbers = members.read(f'{{"duration": {written}}}'.encode())
            self.assertEqual(members.sum(numbers), Tokens(milliseconds=milliseconds), written)
        for written in (
            *("-1", "-0.5", "true", "null", '"3"', "NaN", "Infinity", "-Infinity", "1e400"),
            *("1e7", "9" * 5000, "[3]"),
        ):
            self.assertEqual(members.read(f'{{"duration": {written}}}'.encode()), {}, written[:9])

    def test_models(self) -> None:
        """Where an answer names its model: as a file says, else in the usual places."""
        named = TokenMembers.at(input=["usage.in"], model=["modelVersion", "a.b"])
        self.assertEqual(named.models, {(b"modelVersion",), (b"a", b"b")})
        self.assertIn((b"message", b"model"), MEMBERS.models)

    def test_repeated(self) -> None:
        """Of a name that is there twice no number counts, at any depth."""
        self.assertEqual(read('{"in": 1, "in": 2, "out": 4}'), Tokens(output=4))
        self.assertEqual(read('{"old": {"in": 1, "in": 1}, "out": 4}'), Tokens(output=4))
        self.assertEqual(read('{"old": {"in": 1}, "old": {"in": 2}, "out": 4}'), Tokens(output=4))

    def test_no_object(self) -> None:
        """Nothing is read of what is none."""
        for text in (b"", b"{", b"[]", b"3", b"\xff", b'{"a":' * 100_000):
            self.assertEqual(MEMBERS.read(text), {}, text[:9])

    def test_usual(self) -> None:
        """OpenAI's two, with their parts, and Anthropic's, whose cached tokens stand beside."""
        chat = {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 32, "audio_tokens": 4},
        }
        responses = {
            "input_tokens": 100,
            "output_tokens": 50,
            "input_tokens_details": {"cached_tokens": 64},
            "output_tokens_details": {"reasoning_tokens": 32},
        }
        messages = {
            "input_tokens": 10,
            "cache_read_input_tokens": 64,
            "cache_creation_input_tokens": 26,
            "output_tokens": 50,
        }
        image = {
            "input_tokens": 100,
            "output_tokens": 50,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 90},
        }
        for usage, tokens in (
            (chat, Tokens(100, 64, 0, 50, 32, 8, 4)),
            (responses, Tokens(100, 64, 0, 50, 32)),
            (messages, Tokens(100, 64, 26, 50)),
            (image, Tokens(100, output=50, image_input=90)),
            ({"type": "duration", "seconds": 9}, Tokens(milliseconds=9_000)),
        ):
            numbers = USUAL_MEMBERS.read(json.dumps(usage).encode())
            self.assertEqual(USUAL_MEMBERS.sum(numbers), tokens)
