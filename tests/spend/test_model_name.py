"""Tests of naap_twisted.spend.model_name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.model_name import AnsweredModel

CHAT = b'{"id": "1", "object": "chat.completion", "model": "gpt-4o-2024-08-06", "usage": {}}'


def named(*pieces: bytes) -> str:
    """The name that an answer of these pieces tells."""
    answer = AnsweredModel()
    for piece in pieces:
        if answer.looking:
            answer.feed(piece)
    return answer.name


class AnsweredModelTests(SynchronousTestCase):
    def test_members(self) -> None:
        """Of a chat, of the first event of a message or a response, of Gemini's answers."""
        for text, name in (
            (CHAT, "gpt-4o-2024-08-06"),
            (b'data: {"type":"message_start","message":{"model":"claude-x"}}\n\n', "claude-x"),
            (b'data: {"candidates":[{}],"modelVersion" : "gemini-2.0-flash"}', "gemini-2.0-flash"),
            (b'{"model": "a/b:free"}', "a/b:free"),
        ):
            self.assertEqual(named(text), name)

    def test_however_it_is_cut(self) -> None:
        """At every byte, and into single bytes."""
        for at in range(len(CHAT)):
            self.assertEqual(named(CHAT[:at], CHAT[at:]), "gpt-4o-2024-08-06")
        self.assertEqual(named(*(CHAT[n : n + 1] for n in range(len(CHAT)))), "gpt-4o-2024-08-06")

    def test_what_is_no_name(self) -> None:
        """A text that speaks of a model, a name that could be markup, one without an end."""
        for text in (
            b'{"content": "say \\"model\\": \\"evil\\""}',
            b'{"model": "<script>"}',
            b'{"model": "=1+1"}',
            b'{"model": "' + b"x" * 101 + b'"}',
            b'{"model": {"name": "x"}}',
            b"",
        ):
            self.assertEqual(named(text), "")

    def test_bounded(self) -> None:
        """It stops looking, and keeps nothing."""
        answer = AnsweredModel()
        for _ in range(65):
            answer.feed(b" " * 1024)
        self.assertFalse(answer.looking)
        self.assertEqual((answer.name, answer._tail), ("", b""))
