"""Tests of naap_twisted.spend.estimate: what a request may cost at most."""

from __future__ import annotations

import json
from decimal import Decimal as D
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.document import FieldText, Upload
from naap_twisted.model import Tokens
from naap_twisted.policy.endpoint_pattern import Endpoint
from naap_twisted.policy.endpoints import Endpoints
from naap_twisted.policy.output_limit import LimitedEndpoints
from naap_twisted.spend.estimate import ELSEWHERE, IMAGE, UNBOUNDED_OUTPUT, Estimator, Worst
from naap_twisted.spend.prices import Price

CHAT = LimitedEndpoints(
    Endpoints([Endpoint.parse("POST /chat")]), ("max_completion_tokens", "max_tokens")
)
KNOWN = Estimator([CHAT], bound=500)
UNKNOWN = Estimator()


def worst(
    value: Any, estimator: Estimator = KNOWN, method: bytes = b"POST", path: str = "/chat"
) -> Worst:
    return estimator.worst(method, path, value, len(json.dumps(value)))


class OutputTests(SynchronousTestCase):
    def test_bounds(self) -> None:
        """The largest of a request's own limits, else the route's, else a figure of ours."""
        for value, output in (
            ({"max_tokens": 7}, 7),
            ({"max_tokens": 7, "max_completion_tokens": 9}, 9),
            ({}, 500),
            ({"max_tokens": None}, 500),
            ({"max_tokens": "7"}, 500),
            ({"max_tokens": -1}, 500),
            ({"max_tokens": True}, 500),
            ({"max_tokens": 0}, 0),
            ({"max_tokens": 1e30}, 2_000_000),
            ([{"max_tokens": 1e12, "n": 1000}] * 9_000, 256_000_000),
        ):
            self.assertEqual(worst(value).output, output, value)
        self.assertEqual(worst({}, UNKNOWN).output, UNBOUNDED_OUTPUT)

    def test_bounded(self) -> None:
        """A limit that the upstream was told holds where a provider's file knows the endpoint."""
        bare = Estimator([CHAT])
        for estimator, value, bounded in (
            (KNOWN, {"max_tokens": 7}, True),
            (KNOWN, {}, True),
            (bare, {"max_tokens": 7}, True),
            (bare, {}, False),
            (bare, [{"max_tokens": 7}, {}], False),
            (UNKNOWN, {"max_tokens": 7}, False),
        ):
            self.assertEqual(worst(value, estimator).bounded, bounded, value)

    def test_several_answers(self) -> None:
        """Each is paid for: n, best_of, Gemini's candidates; absurd numbers are bounded."""
        for more, times in (
            ({"n": 3}, 3),
            ({"n": 2, "best_of": 5}, 5),
            ({"generationConfig": {"candidateCount": 4}}, 4),
            ({"n": 0}, 1),
            ({"n": 10**18}, 128),
            ({"n": "3"}, 1),
        ):
            self.assertEqual(worst({"max_tokens": 10, **more}).output, 10 * times, more)

    def test_where_no_model_answers(self) -> None:
        """Embeddings have no output; a request that only reads costs no tokens."""
        self.assertEqual(worst({"input": "x"}, path="/embeddings").output, 0)
        self.assertGreater(worst({"input": "x"}, path="/embeddings").input, 0)
        for method in (b"GET", b"HEAD", b"DELETE"):
            self.assertEqual(worst({"max_tokens": 7}, method=method), Worst())
        self.assertEqual(KNOWN.worst(b"POST", "/chat", None, 0), Worst())

    def test_lists(self) -> None:
        """A list of requests costs what each of them does."""
        self.assertEqual(worst([{"max_tokens": 7}, {"max_tokens": 8}]).output, 15)


class InputTests(SynchronousTestCase):
    def test_text(self) -> None:
        """A token has three bytes, whatever they say."""
        self.assertEqual(KNOWN.worst(b"POST", "/chat", {}, 300).input, 100)
        self.assertEqual(KNOWN.worst(b"POST", "/chat", {}, 301).input, 101)

    def test_media(self) -> None:
        """An image costs a figure, recorded sound by its length, text its length wherever it is."""
        base64 = "QUJD" * 4_000
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64}"}}
        sound = {"type": "input_audio", "input_audio": {"data": base64, "format": "wav"}}
        inline = {"inlineData": {"mimeType": "image/png", "data": base64}}
        for part, least, most in (
            (image, IMAGE, IMAGE + 60),
            (inline, IMAGE, IMAGE + 60),
            (sound, 20, 100),
            ({"type": "text", "text": base64}, 5_333, 5_400),
            ({"type": "text", "text": f"data:{base64}"}, 5_333, 5_400),
        ):
            found = worst({"messages": [{"content": [part]}]}).input
            self.assertTrue(least <= found <= most, (part.get("type"), found))

    def test_tools(self) -> None:
        """Their schemas are read by the model, and cost as any text; so do members nobody knows."""
        tools = [{"type": "function", "function": {"name": "f", "description": "word " * 300}}]
        for name in ("tools", "functions", "response_format", "new"):
            self.assertGreater(worst({"max_tokens": 7, name: tools}).input, 500, name)

    def test_unread(self) -> None:
        """A body that is no JSON costs by its length, as sound or as an image."""
        self.assertEqual(KNOWN.worst(b"POST", "/audio", None, 8_000), Worst(10, 0, 10, 10, 4_000))
        self.assertEqual(KNOWN.worst(b"POST", "/chat", None, 800), Worst(1, 500, 1, 1, 400))
        untold = KNOWN.worst(b"POST", "/audio", None, None)
        self.assertEqual(untold, Worst(1, 0, 1, 1, ELSEWHERE))

    def test_length_of_a_recording(self) -> None:
        """That of the file in a form; where there is none it is elsewhere."""
        file, name = Upload("a.mp3", "audio/mpeg", 7_900), FieldText("whisper-1")
        for form, length in (
            ({"model": name, "file": file}, 4_000),
            ({"model": name, "file": [name, file]}, 4_000),
            ({"model": name, "file_url": FieldText("https://a.example/b")}, ELSEWHERE),
        ):
            found = KNOWN.worst(b"POST", "/audio", form, 8_000, is_form=True)
            self.assertEqual((found.input, found.milliseconds), (10, length), form)
        self.assertEqual(worst({"url": "https://a.example/b"}).milliseconds, ELSEWHERE)

    def test_sized(self) -> None:
        """An image has as many tokens as the provider's file says, each of those asked for."""
        images = LimitedEndpoints(Endpoints([Endpoint.parse("POST /images")]), (), 9_000)
        estimator = Estimator([images, CHAT], bound=500)
        found = worst({"prompt": "x", "n": 2}, estimator, path="/images")
        self.assertEqual((found.output, found.sized), (18_000, True))
        form = {"n": FieldText("3"), "image": Upload("a.png", "image/png", 9)}
        found = estimator.worst(b"POST", "/images", form, 800, is_form=True)
        self.assertEqual((found.input, found.output), (1, 27_000))

    def test_at_a_price(self) -> None:
        """Sound and images are dearer than text; whether an answer speaks nobody knows."""
        asked = Worst(10, 20, 3, 4, 5)
        written = Tokens(10, output=20, audio_input=3, image_input=4, milliseconds=5)
        spoken = evolve(written, audio_output=20)
        for price, tokens in (
            (None, written),
            (Price(D(1), D(2)), written),
            (Price(D(1), D(2), audio_output=D(9)), spoken),
            (Price(D(1), D(2), audio_output=D(1)), written),
        ):
            self.assertEqual(asked.at(price), tokens, price)


class AnswerTests(SynchronousTestCase):
    def test_received(self) -> None:
        """By its text, and no less than one token an event."""
        self.assertEqual(KNOWN.answer_tokens(300, 0), 100)
        self.assertEqual(KNOWN.answer_tokens(30, 26), 26)
        self.assertEqual(KNOWN.answer_tokens(0, 0), 0)
