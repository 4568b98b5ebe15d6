"""Tests of naap_twisted.route.bill: what an end costs."""

from __future__ import annotations

import json
from typing import Any

from naap_twisted.errors import BadGateway, UpstreamCut
from naap_twisted.model import Tokens
from naap_twisted.spend.estimate import Worst

from .spending_case import SpendingTestCase


class EndTests(SpendingTestCase):
    def test_reported(self) -> None:
        """What an answer reports, an explicit zero too."""
        for tokens in (Tokens(5, output=7), Tokens()):
            self.setUp()
            spent = self.ended(upstream_status=200, model_tokens=tokens)
            self.assertEqual(spent, [tokens.total, 1000 * (tokens.input + 2 * tokens.output)])
            self.assertEqual((self.record.booked, self.record.estimated), (tokens, False))

    def test_broken_off(self) -> None:
        """The larger of what was reported so far and of what came."""
        for tokens, text, spent in (
            (None, 30, Tokens(self.question, output=10)),
            (Tokens(500, output=1), 30, Tokens(500, output=10)),
            (Tokens(500, output=99), 30, Tokens(500, output=99)),
        ):
            self.setUp()
            more = {"upstream_status": 200, "model_tokens": tokens, "answer_text": text}
            self.assertEqual(self.ended(UpstreamCut("x"), **more)[0], spent.total)
            self.assertTrue(self.record.estimated)

    def test_partly_reported(self) -> None:
        """An answer that ends in order, but says more than it reports, is no free one."""
        tokens = Tokens(500, output=1)
        more = {"model_tokens": tokens, "answer_text": 60, "report_is_partial": True}
        spent = self.ended(upstream_status=200, **more)
        self.assertEqual((spent[0], self.record.estimated), (520, True))

    def test_no_more_than_was_reserved(self) -> None:
        """Words of many letters make an estimate above the limit that the upstream keeps to."""
        spent = self.ended(UpstreamCut("x"), upstream_status=200, answer_text=600)
        self.assertEqual(spent[0], self.question + 40)

    def test_more_than_a_guess(self) -> None:
        """Where nobody told the upstream a limit, the reservation is none."""
        bill = self.successResultOf(self.bill({"model": "cheap"}))
        told = {"upstream_status": 200, "answer_text": 60_000}
        self.assertGreater(self.settled(bill, UpstreamCut("x"), **told)[0], 20_000)

    @property
    def question(self) -> int:
        return -(-len(json.dumps({"model": "cheap", "max_tokens": 40})) // 3)

    def test_no_answer(self) -> None:
        """All that was reserved, unless no connection was made."""
        self.assertEqual(self.ended(BadGateway().once_sent())[0], self.question + 40)
        self.setUp()
        self.assertEqual(self.ended(BadGateway()), [0, 0])
        self.setUp()
        self.assertEqual(self.ended(GeneratorExit())[0], self.question + 40)

    def test_answered_here(self) -> None:
        """A route's callable that answers by itself costs nothing."""
        self.assertEqual(self.ended(), [0, 0])

    def test_stored_answers(self) -> None:
        """An answer that is read again reports what is booked already."""
        bill = self.successResultOf(self.bill({}, b"/uploads"))
        bill.worst = Worst()
        told = {"upstream_status": 200, "model_tokens": Tokens(5, output=7)}
        self.assertEqual(self.settled(bill, **told), [0, 0])

    def test_an_error_of_the_upstream(self) -> None:
        """It costs what it reports, which is nothing as a rule."""
        self.assertEqual(self.ended(upstream_status=500), [0, 0])

    def test_another_model(self) -> None:
        """The answer's model is booked where it is the dearer one, also of a stream that is cut."""
        tokens = Tokens(5, output=7)
        for model, usd in (
            ("cheap-2026-01-01", 19_000),
            ("dear-2026-01-01", 190_000),
            ("unknown", 19_000),
        ):
            self.setUp()
            told = {"upstream_status": 200, "answer_model": model}
            self.assertEqual(self.ended(model_tokens=tokens, **told), [12, usd], model)
        self.setUp()
        told = {"upstream_status": 200, "answer_model": "dear", "answer_text": 30}
        self.assertEqual(self.ended(UpstreamCut("x"), **told)[1], 10_000 * (self.question + 20))


class RecordingTests(SpendingTestCase):
    def transcribed(self, error: BaseException | None = None, **record: Any) -> list[int]:
        """What an upload of 8,000 bytes has cost, in tokens and billionths of a dollar."""
        form = (
            b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nheard\r\n'
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n'
            b"Content-Type: audio/mpeg\r\n\r\n"
        )
        form += b"x" * (8_000 - len(form) - 9) + b"\r\n--b--\r\n"
        kind = b"multipart/form-data; boundary=b"
        bill = self.successResultOf(self.bill(form, b"/audio/transcriptions", kind))
        self.assertEqual((len(form), bill.worst.milliseconds), (8_000, 4_000))
        return self.settled(bill, error, **record)

    def test_reported(self) -> None:
        """Its seconds are paid; its tokens, which nobody told, are estimated."""
        told = {"upstream_status": 200, "model_tokens": Tokens(milliseconds=9_000)}
        self.assertEqual(self.transcribed(**told), [10, 9_000_000])
        self.assertFalse(self.record.estimated)

    def test_not_reported(self) -> None:
        """By its bytes: where it broke off, ended in plain text, or reports tokens only."""
        for error, tokens, spent in (
            (UpstreamCut("x"), None, [10, 4_000_000]),
            (None, None, [10, 4_000_000]),
            (None, Tokens(3, output=4), [7, 4_000_000]),
        ):
            self.setUp()
            told = {"upstream_status": 200, "model_tokens": tokens}
            self.assertEqual(self.transcribed(error, **told), spent)
            self.assertTrue(self.record.estimated)
        self.setUp()
        self.assertEqual(self.transcribed(upstream_status=400), [0, 0])
        self.setUp()
        self.assertEqual(self.transcribed(GeneratorExit()), [10, 4_000_000])

    def test_an_explicit_zero(self) -> None:
        """What the vendor says cost nothing did so."""
        told = {"upstream_status": 200, "model_tokens": Tokens()}
        self.assertEqual(self.transcribed(**told), [0, 0])


class ImageTests(SpendingTestCase):
    def test_unreported(self) -> None:
        """Megabytes of an image are no words: what was reserved for it is booked."""
        order = {"model": "cheap", "prompt": "a cat", "n": 2}
        bill = self.successResultOf(self.bill(order, b"/images/generations"))
        spent = self.settled(bill, upstream_status=200, answer_text=4_000_000)
        self.assertEqual(spent[0], -(-len(json.dumps(order)) // 3) + 2 * 24_000)
