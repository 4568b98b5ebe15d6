"""The least policy of what was seen: TOML that allows it, and no rule that would refuse it."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.learned import BODY, ENDPOINT, MODEL, QUERY, SLASHES, Learned, Sighting
from naap_twisted.policy.least import least_policy, summed_up

CHAT = "POST /chat/completions"
NAMES = some.lists(some.text(), max_size=4).map(tuple)


def policy(*seen: Sighting) -> str:
    learned = Learned("/openai")
    for each in seen:
        learned.add(each.noted())
    return "\n".join(least_policy(learned))


class PolicyTests(SynchronousTestCase):
    maxDiff = None

    def test_whole(self) -> None:
        """Every rule, and where each name was seen."""
        text = policy(
            Sighting("/openai", CHAT, models=("gpt-5",), members=("model", "messages")),
            Sighting("/openai", "GET /models", query=("limit",)),
            Sighting("/openai", "POST /embeddings", models=("e-3",), members=("model", "input")),
        )
        self.assertEqual(
            text,
            """\
# /openai: allows what was seen, and nothing else
endpoints = [
    "POST /chat/completions",
    "POST /embeddings",
    "GET /models",
]
# methods = ["GET", "POST"] are enough, where the route lists methods
query.limit = ["*"]   # GET /models
query."!" = true
models = [
    "e-3",     # POST /embeddings
    "gpt-5",   # POST /chat/completions
]
body.only = [
    "input",      # POST /embeddings
    "messages",   # POST /chat/completions
    "model",      # POST /chat/completions, POST /embeddings
]""",
        )

    def test_left_out(self) -> None:
        """A rule is left out where names don't say what was used, and a comment says why."""
        for part, option in ((QUERY, "query"), (MODEL, "models"), (BODY, "body.only")):
            seen = Sighting("/openai", CHAT, ("q",), ("m",), ("b",))
            text = policy(seen, Sighting("/openai", "PUT /a", unlisted={part: "too long\nx"}))
            self.assertIn(f"# {option} is left out: too long\\nx (PUT /a)\n", text + "\n")
            options = {"endpoints", "query", "models", "body"} - {option.partition(".")[0]}
            self.assertEqual(set(tomllib.loads(text)), options)

    def test_endpoint_missing(self) -> None:
        """The endpoints that can be named are listed all the same: a list is what opens less."""
        text = policy(Sighting("/openai", CHAT), Sighting("/openai", "", unlisted={ENDPOINT: "x"}))
        self.assertIn("# endpoints lacks what was seen: x\n", text)
        self.assertEqual(tomllib.loads(text)["endpoints"], [CHAT])

    def test_slashes(self) -> None:
        """A path with an encoded slash needs an option of its own."""
        text = policy(Sighting("/openai", "GET /projects/*", unlisted={SLASHES: "encoded slash"}))
        self.assertIs(tomllib.loads(text)["encoded_slashes"], True)

    def test_one_name_to_some(self) -> None:
        """Two names that are one to some servers: no config may list both."""
        text = policy(
            Sighting("/openai", CHAT, ("api-key",)), Sighting("/openai", CHAT, ("API_key",))
        )
        self.assertIn('# query is left out: "api-key" is "API_key" to some servers', text)
        self.assertEqual(set(tomllib.loads(text)), {"endpoints"})

    def test_nothing_used(self) -> None:
        """Where no model and no body was seen, nothing is said of them."""
        text = policy(Sighting("/openai", "GET /models", unlisted={MODEL: "none is named"}))
        self.assertEqual(tomllib.loads(text), {"endpoints": ["GET /models"], "query": {"!": True}})
        self.assertNotIn("none is named", text)

    @given(some.text(max_size=9), NAMES, NAMES, NAMES, some.text(max_size=9))
    def test_toml(
        self,
        route: str,
        query: tuple[str, ...],
        models: tuple[str, ...],
        members: tuple[str, ...],
        why: str,
    ) -> None:
        """Whatever a log holds, it is TOML of these options, and of no other."""
        learned = Learned(route)
        for unlisted in ({}, {MODEL: why}):
            learned.add(Sighting(route, CHAT, query, models, members, unlisted).noted())
        found = tomllib.loads("\n".join(least_policy(learned)))
        self.assertLessEqual(set(found), {"endpoints", "query", "models", "body"})


class SumTests(SynchronousTestCase):
    def test_alike(self) -> None:
        """More than five that differ in one name are one, with its method and its depth."""
        objects = [f"GET /v1/customers/cus_{n}X/cards" for n in range(6)]
        others = ["GET /v1/customers", "POST /v1/customers/cus_1X/cards", "GET /v1/balance"]
        self.assertEqual(
            summed_up([*objects, *others]),
            [
                "GET /v1/balance",
                "GET /v1/customers",
                "GET /v1/customers/*/cards",
                "POST /v1/customers/cus_1X/cards",
            ],
        )
        self.assertEqual(len(summed_up(objects[1:])), 5)

    def test_words(self) -> None:
        """Words are what an API offers: however many there are, each is opened by itself."""
        words = "chat files images audio batches uploads videos evals vector_stores fine-tuning"
        for before in ("POST /", "POST /v1/", "POST https://api.example.com/v1/"):
            listed = [before + word for word in words.split()]
            self.assertEqual(summed_up(listed), sorted(listed))

    def test_first_segment(self) -> None:
        """The first segment stays, whatever it is: an API's halves are not siblings."""
        for origin in ("", "https://api.example.com"):
            listed = [f"GET {origin}/V{n}/a" for n in range(9)]
            self.assertEqual(summed_up(listed), listed)

    def test_ends(self) -> None:
        """A slash at the end, and what is deeper, are no siblings: a star would not open them."""
        listed = [f"GET /f/{n}A" for n in range(6)]
        self.assertEqual(summed_up([*listed, "GET /f/"]), ["GET /f/*", "GET /f/"][::-1])
        self.assertEqual(summed_up([*listed, "GET /f/**"]), ["GET /f/**"])

    def test_included(self) -> None:
        """What a pattern includes is not listed beside it: a config would be refused for it."""
        self.assertEqual(summed_up(["GET /files/mine", "GET /files/*"]), ["GET /files/*"])
