"""The canned answers and their JSON shapes."""

import base64
import json
import struct

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.demo import answers

ANSWER = answers.Answer(id="1", model="demo-chat", created=1000, question="Why?")


class LastQuestion(SynchronousTestCase):
    def test_found(self):
        """The last user message counts, in each form that the API takes."""
        parts = [
            {"type": "text", "text": "a"},
            {"type": "image_url"},
            {"type": "text", "text": "b"},
        ]
        cases = [
            ({"messages": [{"role": "user", "content": "one"}]}, "one"),
            (
                {
                    "messages": [
                        {"role": "system", "content": "s"},
                        {"role": "user", "content": "one"},
                        {"role": "user", "content": "two"},
                        {"role": "assistant", "content": "three"},
                    ]
                },
                "two",
            ),
            ({"messages": [{"role": "user", "content": parts}]}, "a b"),
            ({"input": "plain"}, "plain"),
            ({"input": [{"role": "user", "content": "listed"}]}, "listed"),
            ({}, ""),
            ({"messages": 7}, ""),
            ({"messages": [7]}, ""),
            ({"messages": [{"role": "user", "content": None}]}, ""),
        ]
        for body, question in cases:
            self.assertEqual(answers.last_question(body), question, body)


class Reply(SynchronousTestCase):
    def test_says_that_it_is_canned(self):
        """Nobody may take it for a model's answer."""
        reply = answers.reply_to("Why?")
        self.assertTrue(reply.startswith("You asked: Why? "))
        self.assertIn("streamed word by word by the demo upstream.", reply)
        self.assertIn("No model was asked", reply)

    def test_long_question_is_quoted_in_part(self):
        """The answer's length has a bound."""
        self.assertLess(len(answers.reply_to("x" * 100_000)), 1000)

    def test_words_lose_nothing(self):
        """Joined, the words are the text."""
        self.assertEqual(answers.words("a  b\nc "), ["a  ", "b\n", "c "])


class Documents(SynchronousTestCase):
    def test_chunks_make_the_completion(self):
        """The streamed words, joined, are the plain answer; only the last says stop."""
        chunks = list(ANSWER.chunks())
        said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
        self.assertEqual(said, ANSWER.completion()["choices"][0]["message"]["content"])
        self.assertEqual(set(reasons[:-1]), {None})
        self.assertEqual(reasons[-1], "stop")

    def test_usage_chunk_only_on_request(self):
        """``include_usage`` adds one last chunk without choices."""
        plain, counted = list(ANSWER.chunks()), list(ANSWER.chunks(include_usage=True))
        self.assertEqual(len(counted), len(plain) + 1)
        self.assertEqual(counted[-1]["choices"], [])
        self.assertEqual(counted[-1]["usage"]["prompt_tokens"], 1)

    def test_event(self):
        """An event is one data line and an empty line, whatever the text holds."""
        event = answers.sse({"text": "two\nlines"})
        self.assertTrue(event.startswith(b"data: {"))
        self.assertTrue(event.endswith(b"}\n\n"))
        self.assertEqual(event.count(b"\n"), 2)
        self.assertEqual(json.loads(event[6:]), {"text": "two\nlines"})

    def test_embeddings(self):
        """The same text has the same vector, as numbers and packed."""
        plain = answers.embeddings({"model": "m", "input": ["a", "b", "a"]})["data"]
        packed = answers.embeddings({"input": "a", "encoding_format": "base64"})["data"]
        first, second, again = (entry["embedding"] for entry in plain)
        self.assertEqual(first, again)
        self.assertNotEqual(first, second)
        floats = struct.unpack(f"<{len(first)}f", base64.b64decode(packed[0]["embedding"]))
        for sent, got in zip(first, floats, strict=True):
            self.assertAlmostEqual(sent, got, places=6)
