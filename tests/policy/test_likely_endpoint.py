"""Tests for naap_twisted.policy.likely_endpoint."""

from __future__ import annotations

import base64
import random
import string
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.endpoints import Endpoint, Endpoints
from naap_twisted.policy.likely_endpoint import MAX_LENGTH, is_name, likely_endpoint

BOUNDED = settings(max_examples=500, derandomize=True, database=None, deadline=None)

WORDS = """
    completions generateContent chat v1 v1beta v1beta1 v1p1beta1 v2.1 models fine_tuning jobs
    gpt-4 gpt-4o gpt-4o-mini gpt-4o-2024-08-06 gpt-4.1-nano o1-mini o3 whisper-1 dall-e-3
    text-embedding-3-small gpt-3.5-turbo-0125 claude-3-5-sonnet-20241022 claude-opus-4-1-20250805
    gemini-1.5-flash gemini-2.5-pro-preview-05-06 llama-3.1-8b-instruct mixtral-8x7b
    eleven_multilingual_v2 deepseek-r1-0528 qwen2.5-coder gemini-2.0-flash:generateContent
    payment_intents checkout _search audio transcriptions products.json BTC-USD
"""
IDS = """
    42 123456789 2024-10-21 file-abc123 cus_9s6XKzkNRiz8i3 ftjob-abc123 21m00Tcm4TlvDq8ikWAM
    resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b msg_01XFDUDYJgAACzvnptvVoYEL deadbeef
    550e8400-e29b-41d4-a716-446655440000 ch_3MmlLrLkdIwHu7ix0snN0B15 DEADBEEFCAFE a%20b a%2Fb
    thread_abc123 batch_67ce1a2b3c4d ft-AF1WoRqd3aJAHsqc9NY7iL8F bot123456:AAHdqTcvCH1vGWJxfSeof
    sk-proj-abc sk_live_word ghp_words xoxb-words T00000000 B024BE7LH .env ..; ; a;b * ** {x}
    AIzaSyA1bcdefghijklmnopqrstuvwxyz user@example.com abcdefghijklmnopqrstuvwxyz 0 $ ~ caf%C3%A9
"""
NAMES, VALUES = WORDS.split(), IDS.split()


def secrets() -> list[str]:
    """Keys as vendors make them, the same ones at each run."""
    made = random.Random(15)
    found = []
    for _ in range(300):
        raw = made.randbytes(24)
        found += [
            base64.urlsafe_b64encode(raw).decode("ascii"),
            base64.b32encode(raw).decode("ascii").rstrip("="),
            raw.hex(),
            str(uuid.UUID(bytes=raw[:16])),
            "".join(made.choices(string.ascii_letters + string.digits, k=20)),
            f"sk-{''.join(made.choices(string.ascii_letters, k=24))}",
            "".join(made.choices(string.digits, k=made.randint(1, 20))),
        ]
    return found


class LikelyEndpointTests(SynchronousTestCase):
    def test_names_stay(self) -> None:
        """Ordinary words, versions and names of models are written out."""
        for name in NAMES:
            with self.subTest(name):
                self.assertEqual(likely_endpoint("GET", f"/{name}/x"), f"GET /{name}/x")

    def test_values_go(self) -> None:
        """Ids, keys and whatever is not plain become a star."""
        for value in VALUES:
            with self.subTest(value):
                self.assertEqual(likely_endpoint("GET", f"/a/{value}/x"), "GET /a/*/x")

    def test_no_secret(self) -> None:
        """Nothing that looks like a key is a name."""
        for value in secrets():
            with self.subTest(value):
                self.assertFalse(is_name(value))

    def test_forms(self) -> None:
        """The base itself, a slash at the end, HEAD, and a method of Google's behind an id."""
        for method, path, expected in (
            ("POST", "", "POST /"),
            ("POST", "/", "POST /"),
            ("GET", "/a/", "GET /a/"),
            ("GET", "/a/7/", "GET /a/*/"),
            ("HEAD", "/a", "GET /a"),
            ("POST", "/models/tuned-abc123:generateContent", "POST /models/*:generateContent"),
            ("GET", "/word" * 200, "GET " + "/word" * 38 + "/**"),
        ):
            self.assertEqual(likely_endpoint(method, path), expected)

    @BOUNDED
    @given(st.text(st.sampled_from("aZ09/-_.:*%{}; é"), max_size=300))
    def test_bounded(self, path: str) -> None:
        """No path makes an entry that is long, or that can't be read."""
        entry = likely_endpoint("DELETE", f"/{path}")
        self.assertLessEqual(len(entry), MAX_LENGTH)
        if "//" not in f"/{path}":
            Endpoint.parse(entry)

    @BOUNDED
    @given(st.lists(st.sampled_from((*NAMES, *VALUES[:14])), max_size=5))
    def test_matches(self, segments: list[str]) -> None:
        """The entry opens the request that it was made for."""
        path = "/" + "/".join(segments)
        opened = Endpoints([Endpoint.parse(likely_endpoint("GET", path))])
        self.assertIsNotNone(opened.match(b"GET", "", path))
