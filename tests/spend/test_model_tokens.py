"""Tests of naap_twisted.spend.model_tokens."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.model_tokens import ModelTokenMeter
from naap_twisted.spend.tokens import TokenMembers, Tokens

CHAT = {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
RESPONSES = {"usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}
SEEN = Tokens(input=3, output=4)
EVENTS = (
    b'data: {"choices": [{"delta": {"content": "usage"}}], "usage": null}\n\n'
    b"data: " + json.dumps({"choices": [], **CHAT}).encode() + b"\n\ndata: [DONE]\n\n"
)


def read(body: bytes, content_type: bytes = b"application/json", step: int = 10**9, **more):
    meter = ModelTokenMeter(content_type, **more)
    for at in range(0, len(body), step):
        meter.feed(body[at : at + step])
    return meter.so_far()


class JsonTests(SynchronousTestCase):
    def test_shapes(self) -> None:
        """Chat completions, the Responses API, a sum that is left out."""
        for document in (CHAT, RESPONSES):
            self.assertEqual(read(json.dumps(document).encode()), SEEN)
        self.assertEqual(read(b'{"usage": {"prompt_tokens": 3}}'), Tokens(input=3))

    def test_members(self) -> None:
        """Of a provider whose reports stand elsewhere, in an answer and in a stream."""
        members = TokenMembers.at(
            input=["usage.tokens.input", "delta.usage.tokens.input"], output=["usage.tokens.output"]
        )
        usage = {"usage": {"billed": {"input": 1}, "tokens": {"input": 3, "output": 4}}}
        text = json.dumps(usage).encode()
        self.assertEqual(read(text, members=members), SEEN)
        self.assertIsNone(read(json.dumps(CHAT).encode(), members=members))
        stream = (
            b'data: {"type": "text"}\n\ndata: ' + json.dumps({"delta": usage}).encode() + b"\n\n"
        )
        for step in (1, 30, 10_000):
            told = read(stream, b"text/event-stream", step, members=members)
            self.assertEqual(told, SEEN)

    def test_any_split(self) -> None:
        """However the bytes come."""
        body = json.dumps(CHAT).encode()
        for step in range(1, len(body)):
            self.assertEqual(read(body, step=step), SEEN)

    def test_nothing_reported(self) -> None:
        """Another document, no document, numbers that are none."""
        for body in (
            *(b"", b"[]", b"3", b"{", b'{"usage": 3}', b'{"usage": null}', b'{"response": 3}'),
            *(b"[" * 100_000, b"\xff\xfe"),
        ):
            self.assertIsNone(read(body), body[:20])
        for number in ("-1", "1.5", "true", '"3"', "null", "NaN", "1e3", "1" + "0" * 30):
            body = b'{"usage": {"prompt_tokens": %b}}' % number.encode()
            self.assertIsNone(read(body), number)

    def test_other_types(self) -> None:
        """JSON, and lines of it, in any spelling of their types; nothing else."""
        body = json.dumps(CHAT).encode()
        for kind in (b"text/plain", b"", b"audio/mpeg"):
            self.assertIsNone(read(body, kind))
        for kind in (
            *(b"Application/JSON; charset=utf-8", b"application/stream+json"),
            *(b"application/x-ndjson", b"application/jsonl"),
        ):
            self.assertEqual(read(b"{}\n" + body + b"\n", kind), SEEN, kind)

    def test_any_length(self) -> None:
        """A report before, in the midst of, or behind megabytes of text."""
        text = "usage {\\" * 300_000
        for document in (
            {**CHAT, "text": text},
            {"text": text, **CHAT},
            {"data": [{"embedding": [0.1] * 300_000, "usage": {"total_tokens": 1}}], **CHAT},
        ):
            self.assertEqual(read(json.dumps(document).encode(), step=65536), SEEN)


class StreamTests(SynchronousTestCase):
    def test_last_chunk(self) -> None:
        """The usage chunk, in any split; line ends of either kind."""
        for step in (1, 7, 10**9):
            self.assertEqual(read(EVENTS, b"text/event-stream", step), SEEN)
        other = EVENTS.replace(b"\n", b"\r\n").replace(b"data: ", b"data:")
        self.assertEqual(read(other, b"text/event-stream; charset=utf-8"), SEEN)

    def test_responses_api(self) -> None:
        """Its last event holds the whole response."""
        event = b"event: response.completed\ndata: " + json.dumps({"response": RESPONSES}).encode()
        self.assertEqual(read(event + b"\n\n", b"text/event-stream"), SEEN)

    def test_no_usage(self) -> None:
        """A stream that reports none."""
        self.assertIsNone(read(b"data: {}\n\ndata: [DONE]\n\n", b"text/event-stream"))

    def test_a_long_event(self) -> None:
        """The last event holds the whole answer, however its bytes are cut."""
        document = {"response": {"output": ["é" * 40_000 + '"usage": {'], **RESPONSES}}
        event = b"data: " + json.dumps(document).encode() + b"\n\n"
        for step in (997, 65536, 10**9):
            self.assertEqual(read(EVENTS + event, b"text/event-stream", step), SEEN)

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
                self.assertEqual(
                    read(body, b"text/event-stream", step), Tokens(input=500, output=15)
                )

    def test_every_cut(self) -> None:
        """In two, at every byte."""
        for at in range(len(EVENTS)):
            meter = ModelTokenMeter(b"text/event-stream")
            meter.feed(EVENTS[:at])
            meter.feed(EVENTS[at:])
            self.assertEqual(meter.so_far(), SEEN, at)

    def test_the_last_report_counts(self) -> None:
        """Of several, each a sum up to then; an explicit zero is zero."""
        for numbers, tokens in (
            (((3, 1, 4), (3, 2, 5)), Tokens(input=3, output=2)),
            (((3, 1, 4), (0, 0, 0)), Tokens()),
        ):
            names = ("prompt_tokens", "completion_tokens", "total_tokens")
            reports = [{"usage": dict(zip(names, each, strict=True))} for each in numbers]
            body = b"".join(b"data: %s\n\n" % json.dumps(report).encode() for report in reports)
            self.assertEqual(read(body, b"text/event-stream"), tokens)

    def test_partial(self) -> None:
        """Words behind the last report make it one of a part, as an error at the end leaves it."""
        begin = b'data: {"message": {"usage": {"input_tokens": 500, "output_tokens": 1}}}\n\n'
        words = b'data: {"delta": {"text": "word"}}\n\n'
        both = b'data: {"delta": {"text": "word"}, "usage": {"output_tokens": 9}}\n\n'
        error = b'event: error\ndata: {"error": {"type": "overloaded_error"}}\n\n'
        for stream, partial in (
            (begin, False),
            (begin + words + error, True),
            (begin + words + both, False),
            (begin + both + words, True),
            (words + words, False),
        ):
            for cut in range(len(stream)):
                meter = ModelTokenMeter(b"text/event-stream")
                meter.feed(stream[:cut])
                meter.feed(stream[cut:])
                self.assertEqual(meter.is_partial, partial, (stream, cut))

    def test_a_call_is_not_free(self) -> None:
        """Of a function, without arguments or with an object of them, as vendors stream it."""
        chat = {
            "choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": ""}}]}}]
        }
        messages = {"content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}
        part = {"functionCall": {"name": "f", "args": {"city": "Rome"}}}
        gemini = {"candidates": [{"content": {"parts": [part]}}]}
        for document in (chat, messages, gemini):
            meter = ModelTokenMeter(b"text/event-stream")
            meter.feed(b"data: " + json.dumps(document).encode() + b"\n\n")
            self.assertEqual((meter.events, meter.text_bytes), (1, 1), document)

    def test_an_event_over_several_lines(self) -> None:
        """Their data is one text (HTML, "Interpreting an event stream")."""
        lines = json.dumps(CHAT, indent=1).splitlines()
        body = "".join(f"data: {line}\r\n" for line in lines) + "\r\n"
        for step in (1, 5, 10**9):
            self.assertEqual(read(body.encode(), b"text/event-stream", step), SEEN)

    def test_no_json(self) -> None:
        """A broken event is over at its end, and so is a comment."""
        for broken in (
            b'data: {"a": "\n\n',
            b"data: ]]}{[[\n\n",
            b': {"usage": {\n\n',
            b"data:\n\n",
        ):
            self.assertEqual(read(broken + EVENTS, b"text/event-stream", 3), SEEN, broken)


class ModelTests(SynchronousTestCase):
    def model(self, body: bytes, kind: bytes = b"application/json", step: int = 10**9) -> str:
        meter = ModelTokenMeter(kind)
        for at in range(0, len(body), step):
            meter.feed(body[at : at + step])
        return meter.model

    def test_named(self) -> None:
        """At the top of an answer, in a response's events, in a message's first one."""
        body = json.dumps({"id": "x", "model": "gpt-4o-2024-08-06", **CHAT}).encode()
        chunk = b'data: {"model": "m-1", "choices": [{"delta": {"content": "a"}}]}\n\n'
        created = b'event: response.created\ndata: {"response": {"model": "m-1"}}\n\n'
        start = b'data: {"type": "message_start", "message": {"model": "m-1", "usage": {}}}\n\n'
        for step in (1, 7, 10**9):
            self.assertEqual(self.model(body, step=step), "gpt-4o-2024-08-06")
            for event in (chunk, created, start):
                stream = event + b"data: {}\n\n" * 9
                self.assertEqual(self.model(stream, b"text/event-stream", step), "m-1")
                begun = event + b'data: {"choices"'
                self.assertEqual(self.model(begun, b"text/event-stream", step), "m-1")

    def test_the_report_names_it_again(self) -> None:
        """Beside the report stands who made it."""
        first = b'data: {"model": "a"}\n\n'
        last = b"data: " + json.dumps({"model": "b", **CHAT}).encode() + b"\n\n"
        for step in (1, 10**9):
            self.assertEqual(self.model(first * 9 + last, b"text/event-stream", step), "b")

    def test_the_first_events(self) -> None:
        """Azure names none in its first one; who leaves before the report has left a model."""
        filtered = b'data: {"model": "", "prompt_filter_results": []}\n\n'
        chunk = b'data: {"model": "m-1", "choices": [{"delta": {"content": "a"}}]}\n\n'
        for step in (1, 7, len(filtered), 10**9):
            self.assertEqual(self.model(filtered + chunk, b"text/event-stream", step), "m-1")

    def test_no_name(self) -> None:
        """What no vendor calls a model is none, whatever it would be elsewhere."""
        for name in ("", "a b", "a\nb", "\u00e4", "\x00", "a" * 129, "<b>", 'a"b', "\ud800"):
            self.assertEqual(self.model(json.dumps({"model": name}).encode()), "", name)
        for text in (b'"\\q"', b'"\xff"', b"3", b"null", b'["a"]'):
            self.assertEqual(self.model(b'{"model": ' + text + b"}"), "", text)
        named = b'{"model": "ft:gpt-4o:o\\/rg@1"}'
        self.assertEqual(self.model(named), "ft:gpt-4o:o/rg@1")


def _anthropic(**tokens: int) -> dict[str, int]:
    return {f"{name}_tokens": number for name, number in tokens.items()}
