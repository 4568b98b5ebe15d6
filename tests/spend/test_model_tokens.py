"""Tests of naap_twisted.spend.model_tokens."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.model_tokens import ModelTokenMeter

CHAT = {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
RESPONSES = {"usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}
EVENTS = (
    b'data: {"choices": [{"delta": {"content": "usage"}}], "usage": null}\n\n'
    b"data: " + json.dumps({"choices": [], **CHAT}).encode() + b"\n\ndata: [DONE]\n\n"
)


def read(body: bytes, content_type: bytes = b"application/json", step: int = 10**9, **more):
    meter = ModelTokenMeter(content_type, **more)
    for at in range(0, len(body), step):
        meter.feed(body[at : at + step])
    return meter.end()


class JsonTests(SynchronousTestCase):
    def test_shapes(self) -> None:
        """Chat completions, the Responses API, a sum that is left out."""
        for document in (CHAT, RESPONSES):
            self.assertEqual(read(json.dumps(document).encode()), (3, 4, 7))
        self.assertEqual(read(b'{"usage": {"prompt_tokens": 3}}'), (3, 0, 3))

    def test_any_split(self) -> None:
        """However the bytes come."""
        body = json.dumps(CHAT).encode()
        for step in range(1, len(body)):
            self.assertEqual(read(body, step=step), (3, 4, 7))

    def test_nothing_reported(self) -> None:
        """Another document, no document, numbers that are none."""
        for body in (
            *(b"", b"[]", b"3", b"{", b'{"usage": 3}', b'{"usage": null}', b'{"response": 3}'),
            *(b"[" * 100_000, b"\xff\xfe"),
        ):
            self.assertIsNone(read(body), body[:20])
        for number in ("-1", "1.5", "true", '"3"', "null", "1" + "0" * 30):
            body = b'{"usage": {"prompt_tokens": %b}}' % number.encode()
            self.assertEqual(read(body), (0, 0, 0), number)

    def test_other_types(self) -> None:
        """What is not JSON, or is compressed, is not kept."""
        body = json.dumps(CHAT).encode()
        self.assertIsNone(read(body, b"text/plain"))
        self.assertIsNone(read(body, encoded=True))
        self.assertEqual(read(body, b"Application/JSON; charset=utf-8"), (3, 4, 7))

    def test_bounded(self) -> None:
        """Past 1 MB it is let go."""
        meter = ModelTokenMeter(b"application/json")
        for _ in range(20):
            meter.feed(b" " * 64 * 1024)
        self.assertIsNone(meter._pieces)
        self.assertIsNone(meter.end())


class StreamTests(SynchronousTestCase):
    def test_last_chunk(self) -> None:
        """The usage chunk, in any split; line ends of either kind."""
        for step in (1, 7, 10**9):
            self.assertEqual(read(EVENTS, b"text/event-stream", step), (3, 4, 7))
        other = EVENTS.replace(b"\n", b"\r\n").replace(b"data: ", b"data:")
        self.assertEqual(read(other, b"text/event-stream; charset=utf-8"), (3, 4, 7))

    def test_responses_api(self) -> None:
        """Its last event holds the whole response."""
        event = b"event: response.completed\ndata: " + json.dumps({"response": RESPONSES}).encode()
        self.assertEqual(read(event + b"\n\n", b"text/event-stream"), (3, 4, 7))

    def test_no_usage(self) -> None:
        """A stream that reports none."""
        self.assertIsNone(read(b"data: {}\n\ndata: [DONE]\n\n", b"text/event-stream"))

    def test_only_the_tail_is_kept(self) -> None:
        """However long the stream, at most 192 kB are held, and its end is read."""
        meter = ModelTokenMeter(b"text/event-stream")
        held = 0
        for _ in range(1000):
            meter.feed(b'data: {"x": "' + b"y" * 8000 + b'"}\n\n')
            held = max(held, sum(map(len, meter._pieces or ())))
        meter.feed(EVENTS)
        self.assertLess(held, 192 * 1024)
        self.assertEqual(meter.end(), (3, 4, 7))
