"""Tests of naap_twisted.spend.model_tokens."""

from __future__ import annotations

import gzip
import json
import zlib

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import Tokens
from naap_twisted.options.provider import parse_provider, provider_text
from naap_twisted.spend.model_tokens import ModelTokenMeter, TokenMembers

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
    return numbers(meter.so_far)


def numbers(tokens):
    """Input, output and both; ``None`` where nothing was reported."""
    return None if tokens is None else (tokens.input, tokens.output, tokens.total)


class JsonTests(SynchronousTestCase):
    def test_shapes(self) -> None:
        """Chat completions, the Responses API, a sum that is left out."""
        for document in (CHAT, RESPONSES):
            self.assertEqual(read(json.dumps(document).encode()), (3, 4, 7))
        self.assertEqual(read(b'{"usage": {"prompt_tokens": 3}}'), (3, 0, 3))

    def test_members(self) -> None:
        """Of a provider whose reports stand elsewhere, in an answer and in a stream."""
        members = TokenMembers.at(
            {
                "input": ["usage.tokens.input", "delta.usage.tokens.input"],
                "output": ["usage.tokens.output"],
            }
        )
        usage = {"usage": {"billed": {"input": 1}, "tokens": {"input": 3, "output": 4}}}
        text = json.dumps(usage).encode()
        self.assertEqual(read(text, members=members), (3, 4, 7))
        self.assertIsNone(read(json.dumps(CHAT).encode(), members=members))
        stream = (
            b'data: {"type": "text"}\n\ndata: ' + json.dumps({"delta": usage}).encode() + b"\n\n"
        )
        for step in (1, 30, 10_000):
            told = read(stream, b"text/event-stream", step, members=members)
            self.assertEqual(told, (3, 4, 7))

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
            self.assertIsNone(read(body), number)
            body = b'{"usage": {"prompt_tokens": %b, "completion_tokens": 2}}' % number.encode()
            self.assertEqual(read(body), (0, 2, 2), number)

    def test_other_types(self) -> None:
        """What is not JSON, or is compressed, is not kept."""
        body = json.dumps(CHAT).encode()
        self.assertIsNone(read(body, b"text/plain"))
        self.assertIsNone(read(body, coding=b"br"))
        self.assertIsNone(read(body, coding=b"gzip"), "it is none")
        self.assertEqual(read(gzip.compress(body), step=3, coding=b"gzip"), (3, 4, 7))
        self.assertEqual(read(zlib.compress(body), step=3, coding=b"deflate"), (3, 4, 7))
        self.assertEqual(read(body, b"Application/JSON; charset=utf-8"), (3, 4, 7))

    def test_any_length(self) -> None:
        """A report before, in the midst of, or behind megabytes of text."""
        text = "usage {\\" * 300_000
        for document in (
            {**CHAT, "text": text},
            {"text": text, **CHAT},
            {"data": [{"embedding": [0.1] * 300_000, "usage": {"total_tokens": 1}}], **CHAT},
        ):
            self.assertEqual(read(json.dumps(document).encode(), step=65536), (3, 4, 7))


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

    def test_a_long_event(self) -> None:
        """The last event holds the whole answer, however its bytes are cut."""
        document = {"response": {"output": ["é" * 40_000 + '"usage": {'], **RESPONSES}}
        event = b"data: " + json.dumps(document).encode() + b"\n\n"
        for step in (997, 65536, 10**9):
            self.assertEqual(read(EVENTS + event, b"text/event-stream", step), (3, 4, 7))

    def test_anthropic(self) -> None:
        """What came in is told at the beginning, and what went out at the end."""
        start = {"type": "message_start", "message": {"usage": _anthropic(input=500, output=1)}}
        middle = {"type": "content_block_delta", "delta": {"text": '"usage": {"output_tokens": 9}'}}
        delta = {"type": "message_delta", "delta": {}, "usage": _anthropic(output=15)}
        stream = b"".join(
            b"event: %s\ndata: %s\n\n" % (str(e["type"]).encode(), json.dumps(e).encode())
            for e in (start, *[middle] * 20, delta)
        )
        for body in (stream, stream.replace(b"\n", b"\r\n"), stream.replace(b"\n", b"\r")):
            for step in (1, 7, 100, 10**9):
                self.assertEqual(read(body, b"text/event-stream", step), (500, 15, 515))

    def test_every_cut(self) -> None:
        """In two, at every byte."""
        for at in range(len(EVENTS)):
            meter = ModelTokenMeter(b"text/event-stream")
            meter.feed(EVENTS[:at])
            meter.feed(EVENTS[at:])
            self.assertEqual(numbers(meter.so_far), (3, 4, 7), at)

    def test_the_last_report_counts(self) -> None:
        """Of several, each a sum up to then; an explicit zero is zero."""
        for numbers, tokens in (
            (((3, 1, 4), (3, 2, 5)), (3, 2, 5)),
            (((3, 1, 4), (0, 0, 0)), (0, 0, 0)),
        ):
            names = ("prompt_tokens", "completion_tokens", "total_tokens")
            reports = [{"usage": dict(zip(names, each, strict=True))} for each in numbers]
            body = b"".join(b"data: %s\n\n" % json.dumps(report).encode() for report in reports)
            self.assertEqual(read(body, b"text/event-stream"), tokens)

    def test_an_event_over_several_lines(self) -> None:
        """Their data is one text (HTML, "Interpreting an event stream")."""
        lines = json.dumps(CHAT, indent=1).splitlines()
        body = "".join(f"data: {line}\r\n" for line in lines) + "\r\n"
        for step in (1, 5, 10**9):
            self.assertEqual(read(body.encode(), b"text/event-stream", step), (3, 4, 7))

    def test_no_json(self) -> None:
        """A broken event is over at its end, and so is a comment."""
        for broken in (
            b'data: {"a": "\n\n',
            b"data: ]]}{[[\n\n",
            b': {"usage": {\n\n',
            b"data:\n\n",
        ):
            self.assertEqual(read(broken + EVENTS, b"text/event-stream", 3), (3, 4, 7), broken)


def _anthropic(**tokens: int) -> dict[str, int]:
    return {f"{name}_tokens": number for name, number in tokens.items()}


class PartsTests(SynchronousTestCase):
    def test_inside(self) -> None:
        """OpenAI counts what is cached, thought and heard inside of the input and the output."""
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 80, "audio_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 7},
        }
        meter = ModelTokenMeter(b"application/json", members=_members("openai"))
        meter.feed(json.dumps({"usage": usage}).encode())
        expected = Tokens(100, 80, 0, 50, 30, audio_input=5, audio_output=7)
        self.assertEqual(meter.so_far, expected)

    def test_beside(self) -> None:
        """Anthropic counts the cache beside the input, Gemini thoughts beside the output."""
        anthropic = {"input_tokens": 10, "output_tokens": 5}
        anthropic |= {"cache_read_input_tokens": 70, "cache_creation_input_tokens": 20}
        gemini = {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 6}
        gemini |= {"cachedContentTokenCount": 3}
        for provider, document, tokens in (
            ("anthropic", {"usage": anthropic}, Tokens(100, 70, 20, 5)),
            ("gemini", {"usageMetadata": gemini}, Tokens(9, 3, 0, 10, 6)),
        ):
            meter = ModelTokenMeter(b"application/json", members=_members(provider))
            meter.feed(json.dumps(document).encode())
            self.assertEqual(meter.so_far, tokens, provider)


class WordsTests(SynchronousTestCase):
    def test_of_a_stream(self) -> None:
        """What a stream said is measured for want of a report, however it is cut."""
        events = [
            {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
            {"choices": [{"delta": {"content": "four"}}]},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 'fiv"e'}},
            {"type": "response.output_text.delta", "delta": "six"},
        ]
        stream = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)
        for step in (1, 7, 50, 10**9):
            meter = ModelTokenMeter(b"text/event-stream")
            for at in range(0, len(stream), step):
                meter.feed(stream[at : at + step])
            self.assertEqual((meter.text, meter.events), (4 + 6 + 3, 3), step)
            self.assertIsNone(meter.so_far)

    def test_of_a_document(self) -> None:
        """All of it."""
        meter = ModelTokenMeter(b"text/plain")
        meter.feed(b"four")
        meter.feed(b"five")
        self.assertEqual((meter.text, meter.events), (8, 0))


def _members(provider: str):
    members = parse_provider(provider, provider_text(provider)).token_members
    assert members is not None
    return members
