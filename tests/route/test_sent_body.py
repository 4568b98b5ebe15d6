"""Tests of naap_twisted.route.sent_body."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.reader import read_document
from naap_twisted.errors import BodyNotAllowed, UnsupportedMediaType
from naap_twisted.route import sent_body
from naap_twisted.route.sent_body import SentBody

JSON = b"Application/JSON; charset=utf-8"


class SentBodyTests(SynchronousTestCase):
    def test_read_once(self) -> None:
        """However many ask for it; a document that is there already is not read at all."""
        with patch.object(sent_body, "read_document", side_effect=read_document) as read:
            body = SentBody(b'{"a": 1}', JSON)
            self.assertIs(body.document(), body.document())
            self.assertEqual(read.call_count, 1)
            again = SentBody.of(body.document())
            self.assertIs(again.document(), body.document())
            self.assertEqual(read.call_count, 1)
        self.assertEqual((again.content, again.content_type), (b'{"a": 1}', JSON))

    def test_refused(self) -> None:
        """A refusal is raised anew, each time that somebody asks."""
        body = SentBody(b'{"a": 1, "a": 2}', JSON)
        for _ in range(2):
            self.assertRaises(BodyNotAllowed, body.document)
        self.assertRaises(UnsupportedMediaType, SentBody(b"x", b"text/plain").document)

    def test_readable(self) -> None:
        """What is all there, and JSON or a form."""
        stream: Any = object()
        for body, readable in (
            (SentBody(b"{}", JSON), True),
            (SentBody(b"a=1", b"application/x-www-form-urlencoded"), True),
            (SentBody(b"x", b"audio/wav"), False),
            (SentBody(b"x"), False),
            (SentBody(stream, JSON), False),
            (SentBody(None), False),
        ):
            self.assertEqual(body.is_readable, readable, body)
