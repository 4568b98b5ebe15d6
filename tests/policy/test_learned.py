"""What observing routes note: names, bounded and plain, and each of them once."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.learned import BODY, ENDPOINT, MODEL, QUERY, Learned, Sighting, plain

CHAT = "POST /chat/completions"


def chat(**seen: object) -> Sighting:
    return Sighting("/openai", CHAT, **seen)  # type: ignore[arg-type]


class PlainTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """Names as APIs have them."""
        for name in ("model", "max_tokens", "X-Amz-Date", "include[]", "$filter", "a" * 100, "1"):
            self.assertEqual(plain(name), name)

    def test_not_kept(self) -> None:
        """What is long, could break a line or a quoted text, or is a pattern or a rule."""
        for name in ("", "a" * 101, "a b", "a\nb", 'a"b', "a\\b", "a*", "*", "!", "ä", "a\x7f"):
            self.assertEqual(plain(name), "*", ascii(name))


class SightingTests(SynchronousTestCase):
    def test_text(self) -> None:
        """One line of JSON, without what was not there."""
        self.assertEqual(
            chat(members=("messages", "model"), models=("gpt-5",)).text,
            '{"route": "/openai", "endpoint": "POST /chat/completions", "models": ["gpt-5"],'
            ' "members": ["messages", "model"]}',
        )

    @given(
        some.text(),
        some.text(),
        some.lists(some.text(), max_size=5),
        some.dictionaries(some.text(), some.text(), max_size=2),
    )
    def test_parse(self, route: str, name: str, names: list[str], unlisted: dict[str, str]) -> None:
        """Whatever the names are, the text is one line of ASCII, and reads back as what it was."""
        sighting = Sighting(route, name, tuple(names), unlisted=unlisted)
        self.assertTrue(sighting.text.isascii() and sighting.text.isprintable())
        self.assertEqual(Sighting.parse(sighting.text), sighting)

    def test_no_sighting(self) -> None:
        """Anything else is a ValueError, whatever a log holds."""
        good = {"route": "/a", "endpoint": "GET /b"}
        self.assertEqual(Sighting.parse(json.dumps(good)).endpoint, "GET /b")
        for wrong in (
            *({"route": 3}, {"endpoint": None}, {"members": "ab"}, {"members": [3]}),
            *({"unlisted": []}, {"unlisted": {"body": 3}}, {"more": 1}, {"query": None}),
        ):
            with self.assertRaises(ValueError, msg=str(wrong)):
                Sighting.parse(json.dumps({**good, **wrong}))
        for text in ("", "[]", "3", "{", "[" * 100_000, '{"route": "/a"}'):
            with self.assertRaises(ValueError, msg=text[:9]):
                Sighting.parse(text)

    def test_noted(self) -> None:
        """Plain names, sorted, each once; what is missing is said."""
        self.assertEqual(chat(query=("b", "a", "b")).noted(), chat(query=("a", "b")))
        for kind, part in (("query", QUERY), ("models", MODEL), ("members", BODY)):
            noted = chat(**{kind: ("a", "o d")}).noted()
            self.assertEqual(getattr(noted, kind), ("a",))
            self.assertEqual(list(noted.unlisted), [part])
            many = chat(**{kind: tuple(f"n{n}" for n in range(5_000))}).noted()
            self.assertEqual(len(getattr(many, kind)), 200)
            self.assertEqual(list(many.unlisted), [part])

    def test_long_endpoint(self) -> None:
        """A path as long as a request line may be is not noted."""
        noted = Sighting("/a", "GET /" + "b/" * 4_000).noted()
        self.assertEqual((noted.endpoint, list(noted.unlisted)), ("", [ENDPOINT]))

    def test_pieces(self) -> None:
        """However much is noted, no line is longer than observers write, and nothing is lost."""
        names = tuple(f"{n:0100}" for n in range(200))
        whole = chat(query=names, models=names, members=names, unlisted={BODY: "why"})
        pieces = list(whole.pieces())
        self.assertLess(max(len(piece.text) for piece in pieces), 4_000)
        learned, again = Learned("/openai"), Learned("/openai")
        learned.add(whole)
        for piece in pieces:
            again.add(piece)
        for kind in ("query", "models", "members"):
            self.assertEqual(again.names(kind), learned.names(kind))
        self.assertEqual(again.unlisted(BODY), (CHAT, "why"))
        self.assertEqual(list(chat().pieces()), [chat()])


class LearnedTests(SynchronousTestCase):
    def test_news(self) -> None:
        """Only what is new about an exchange is told: a name counts once at each endpoint."""
        learned = Learned("/openai")
        first = chat(members=("model", "messages"), models=("a",))
        self.assertEqual(learned.add(first), first)
        self.assertIsNone(learned.add(first))
        self.assertIsNone(learned.add(chat(members=("model",))))
        more = chat(members=("model", "n"), models=("a", "b"), unlisted={BODY: "x"})
        news = chat(members=("n",), models=("b",), unlisted={BODY: "x"})
        self.assertEqual(learned.add(more), news)
        self.assertIsNone(learned.add(chat(unlisted={BODY: "another reason"})))
        other = Sighting("/openai", "GET /models", members=("model",))
        self.assertEqual(learned.add(other), other)
        self.assertEqual(learned.size, 4 + 3 + 2)

    def test_merged(self) -> None:
        """What was seen at all, and where."""
        learned = Learned("/openai")
        learned.add(chat(query=("b", "a")))
        learned.add(Sighting("/openai", "GET /batches", query=("a",)))
        learned.add(Sighting("/openai", "", unlisted={ENDPOINT: "odd"}))
        self.assertEqual(learned.endpoints, ["GET /batches", CHAT])
        self.assertEqual(learned.names("query"), {"a": ["GET /batches", CHAT], "b": [CHAT]})
        self.assertEqual(learned.unlisted(ENDPOINT), ("", "odd"))
        self.assertEqual(learned.unlisted(BODY), ("", ""))
