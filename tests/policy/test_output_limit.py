"""What a model may put out, under each name that its API has for it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.reader import read_document
from naap_twisted.errors import BodyNotAllowed
from naap_twisted.policy.endpoints import Endpoint, Endpoints
from naap_twisted.policy.output_limit import LimitedEndpoints, OutputBound, OutputLimit
from tests.policy.bodies import from_form, from_json

CHAT = ("max_completion_tokens", "max_tokens")
GEMINI = ("generationConfig.maxOutputTokens", "generation_config.max_output_tokens")


def limit(*, clamp: bool = False) -> OutputLimit:
    """The bound of a route with two endpoints of a chat and one of a nested name."""
    limits = [
        LimitedEndpoints(Endpoints([Endpoint.parse(f"POST {path}")]), members)
        for path, members in (
            ("/chat", CHAT),
            ("/responses", ("max_output_tokens",)),
            ("/g", GEMINI),
        )
    ]
    return OutputLimit(OutputBound(2000, clamp), limits)


class LimitTests(SynchronousTestCase):
    def test_set_where_absent(self) -> None:
        """The endpoint's own name for it; where there is none, nothing."""
        for path, body, changes in (
            ("/chat", {}, {("max_completion_tokens",): 2000}),
            ("/chat", {"max_tokens": None}, {("max_completion_tokens",): 2000}),
            ("/chat", {"max_tokens": 5}, {}),
            ("/chat", {"max_completion_tokens": 2000}, {}),
            ("/responses", {}, {("max_output_tokens",): 2000}),
            ("//chat/", {}, {("max_completion_tokens",): 2000}),
            ("/embeddings", {}, {}),
            ("/g", {}, {("generationConfig", "maxOutputTokens"): 2000}),
            ("/g", {"generation_config": {}}, {("generation_config", "max_output_tokens"): 2000}),
        ):
            self.assertEqual(limit().judge(from_json(body), b"POST", path), changes, (path, body))
        self.assertEqual(limit().judge(from_json({}), b"GET", "/chat"), {})

    def test_refused(self) -> None:
        """More than the bound, and what is no whole number, at any endpoint and by any name."""
        for value in (2001, 2000.5, 1.0, "inf", "5", True, [5], 10**15, -1):
            for path in ("/chat", "/other"):
                error = self.assertRaises(
                    BodyNotAllowed, limit().judge, from_json({"max_tokens": value}), b"POST", path
                )
                self.assertEqual((error.param, error.rule), ("max_tokens", "max_output_tokens"))
        error = self.assertRaises(
            BodyNotAllowed, limit().judge, from_json({"max_tokens": 4000}), b"POST", "/chat"
        )
        self.assertEqual(error.remedy, "max_output_tokens = 4000")
        self.assertEqual(error.message, 'Body member "max_tokens": at most 2000, as a whole number')

    def test_clamped(self) -> None:
        """Lowered, where the owner says so; what is lower stays."""
        judged = limit(clamp=True)
        for value in (2001, "inf", 1e9, -1):
            self.assertEqual(
                judged.judge(from_json({"max_tokens": value}), b"POST", "/chat"),
                {("max_tokens",): 2000},
            )
        self.assertEqual(judged.judge(from_json({"max_tokens": 3}), b"POST", "/chat"), {})

    def test_spellings(self) -> None:
        """A name that some reader takes for one of them is refused; listed ones are themselves."""
        for name in ("maxTokens", "Max_Tokens", "maxOutputTokens"):
            self.assertRaises(BodyNotAllowed, limit().judge, from_json({name: 9}), b"POST", "/chat")

    def test_form(self) -> None:
        """In a form a number is a text of one spelling."""
        self.assertEqual(limit().judge(from_form(max_tokens="5"), b"POST", "/chat"), {})
        for text in ("5000", "5e9", "005", ""):
            self.assertRaises(
                BodyNotAllowed, limit().judge, from_form(max_tokens=text), b"POST", "/chat"
            )


VALUES = st.none() | st.integers(-5, 5000) | st.sampled_from(["inf", "x", 1.5, True, []])
BODIES = st.dictionaries(st.sampled_from([*CHAT, "max_output_tokens", "x", "maxTokens"]), VALUES)


class PropertyTests(SynchronousTestCase):
    @given(BODIES, st.booleans(), st.sampled_from(["/chat", "/responses", "/x"]))
    def test_bound(self, body: dict[str, Any], clamp: bool, path: str) -> None:
        """After the judge and its changes every bound is one, and a limited endpoint has one."""
        document = from_json(body)
        try:
            changes = limit(clamp=clamp).judge(document, b"POST", path)
        except BodyNotAllowed:
            return
        after = read_document(*document.changed(changes)).value
        names = [*CHAT, "max_output_tokens"]
        for name in names:
            value = after.get(name)
            self.assertTrue(value is None or (type(value) is int and value <= 2000), after)
        needed = {"/chat": CHAT, "/responses": ("max_output_tokens",)}.get(path)
        if needed:
            self.assertTrue(any(type(after.get(name)) is int for name in needed), after)
