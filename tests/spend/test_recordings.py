"""Streams in the shapes that vendors document, with their own providers' files, in every cut."""

from __future__ import annotations

import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.framing.codings import Inflater
from naap_twisted.options.provider import parse_provider, provider_text
from naap_twisted.route.passage import Passage
from naap_twisted.spend.extra_event import ExtraEventFilter
from naap_twisted.spend.model_tokens import ModelTokenMeter
from naap_twisted.spend.tokens import TokenMembers, Tokens

RECORDINGS = Path(__file__).parent / "recordings"
ALL = Tokens(100, 64, 0, 50, 32, 8, 4)
TOLD = {
    "openai-chat.sse": ALL,
    "azure-openai-chat.sse": ALL,
    "openai-responses.sse": Tokens(100, 64, 0, 50, 32),
    "openai-incomplete.sse": Tokens(100, 64, 0, 50, 32),
    "openai-realtime.sse": Tokens(100, 64, 0, 50, 0, 8, 4),
    "anthropic.sse": Tokens(100, 64, 26, 50),
    "gemini.sse": Tokens(100, 64, 0, 50, 32),
    "gemini-list.json": Tokens(100, 64, 0, 50, 32),
    "mistral.sse": Tokens(100, 64, 0, 50),
    "cohere.sse": Tokens(100, 64, 0, 50),
    "groq.sse": Tokens(100, 64, 0, 50, 32),
    "openrouter.sse": Tokens(100, 64, 26, 50, 32, 8),
    "openai-transcription.json": Tokens(milliseconds=9_000),
    "openai-transcription-tokens.sse": Tokens(100, output=50, audio_input=8),
    "openai-image.json": Tokens(100, output=50, image_input=90),
    "mistral-transcription.json": Tokens(100, output=50, milliseconds=9_000),
    "deepgram-listen.json": Tokens(milliseconds=25_934),
}

#: The models that they name.
MODELS = {
    **dict.fromkeys(("openai-chat.sse", "azure-openai-chat.sse", "groq.sse"), "m"),
    **dict.fromkeys(("mistral.sse", "openrouter.sse"), "m"),
    **dict.fromkeys(("openai-responses.sse", "openai-incomplete.sse"), "m-2026-01-01"),
    "anthropic.sse": "claude-m-1",
    "gemini.sse": "gemini-m-001",
    "mistral-transcription.json": "voxtral-mini-transcribe-3-0",
}


def members_of(name: str) -> TokenMembers:
    vendor = "azure-openai" if name.startswith("azure") else name.partition(".")[0].split("-")[0]
    members = parse_provider(vendor, provider_text(vendor)).token_members
    assert members is not None
    return members


def passed(
    sent: bytes, cut: int, coding: bytes, members: TokenMembers
) -> tuple[bytes, Tokens | None]:
    """What a page gets of a stream that comes in two pieces, and the tokens that are counted."""
    written: list[bytes] = []
    request: Any = SimpleNamespace(
        record=ExchangeRecord(),
        write=written.append,
        registerProducer=lambda producer, streaming: None,
        unregisterProducer=lambda: None,
        finish=lambda: None,
    )
    meter = ModelTokenMeter(b"text/event-stream", b"", members)
    inflater = Inflater(coding) if coding else None
    passage = Passage(request, [ExtraEventFilter()], meter, inflater)
    passage.makeConnection(request)
    for piece in (sent[:cut], sent[cut:]):
        passage.dataReceived(piece)
    passage.connectionLost(Failure(ResponseDone()))
    return b"".join(written), request.record.model_tokens


class RecordingTests(SynchronousTestCase):
    def test_every_cut(self) -> None:
        """The same model, tokens and number of words, plain and in gzip."""
        self.assertEqual({path.name for path in RECORDINGS.iterdir()}, set(TOLD))
        for name, tokens in TOLD.items():
            body, members = (RECORDINGS / name).read_bytes(), members_of(name)
            kind = b"application/json" if name.endswith(".json") else b"text/event-stream"
            uncut = ModelTokenMeter(kind, b"", members)
            uncut.feed(body)
            words = uncut.text_bytes, uncut.events, uncut.model
            self.assertEqual(uncut.model, MODELS.get(name, ""), name)
            for sent, coding in ((body, b""), (gzip.compress(body), b"gzip")):
                for cut in range(len(sent) + 1):
                    meter = ModelTokenMeter(kind, coding, members)
                    meter.feed(sent[:cut])
                    meter.feed(sent[cut:])
                    self.assertEqual((meter.so_far(), meter.unread), (tokens, False), (name, cut))
                    found = meter.text_bytes, meter.events, meter.model
                    self.assertEqual(found, words, (name, cut))
                    self.assertFalse(meter.is_partial, (name, cut))

    def test_filtered(self) -> None:
        """A page that did not ask gets all but the report, in every cut; and so it is over gzip.

        Only OpenAI and Azure send one in an event of its own; every other stream passes whole.
        """
        for path in sorted(RECORDINGS.glob("*.sse")):
            body, members = path.read_bytes(), members_of(path.name)
            wanted = body
            if path.name in ("openai-chat.sse", "azure-openai-chat.sse"):
                at = body.index(b'"choices": [], "usage"')
                begin, end = body.rindex(b"data:", 0, at), body.index(b"\n\n", at) + 2
                wanted = body[:begin] + body[end:]
            for sent, coding in ((body, b""), (gzip.compress(body), b"gzip")):
                for cut in range(len(sent) + 1):
                    page, tokens = passed(sent, cut, coding, members)
                    self.assertEqual((page, tokens), (wanted, TOLD[path.name]), (path.name, cut))

    def test_broken_off(self) -> None:
        """What was reported up to then, which is no more than in the end."""
        body, members = (RECORDINGS / "anthropic.sse").read_bytes(), members_of("anthropic.sse")
        outputs = []
        for end in range(len(body)):
            meter = ModelTokenMeter(b"text/event-stream", b"", members)
            meter.feed(body[:end])
            tokens = meter.so_far()
            outputs.append(0 if tokens is None else tokens.output)
            self.assertIn(tokens and tokens.input, (None, 100))
        self.assertEqual(outputs, sorted(outputs))
        self.assertEqual(set(outputs), {0, 1, 20, 50})

    def test_unread(self) -> None:
        """A coding that nobody here reads, and a broken one; the bytes are counted all the same."""
        for coding in (b"br", b"zstd", b"gzip", b"gzip,br"):
            meter = ModelTokenMeter(b"text/event-stream", coding)
            meter.feed(b"no such coding")
            meter.feed(b"more")
            self.assertIsNone(meter.so_far())
            self.assertTrue(meter.unread, coding)
            self.assertGreaterEqual(meter.text_bytes, 4)
