"""Names of groups among the endpoints of a route."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.endpoint_groups import expanded, least_lines
from naap_twisted.options.provider import (
    Provider,
    parse_provider,
    provider_names,
    provider_text,
)
from naap_twisted.options.values import Flaws

ACME = Provider(
    "acme",
    endpoints={
        "chat": ("POST /chat", "GET /chat/*"),
        "models": ("GET /models",),
        "all": ("GET /models", "POST /chat"),
    },
    least=("@chat", "@models"),
)


class EndpointGroupTests(SynchronousTestCase):
    def test_expanded(self) -> None:
        """A group's endpoints stand where its name stood, in order and each once."""
        for entries, wanted in (
            ((), ()),
            (("GET /a", "GET /b"), ("GET /a", "GET /b")),
            (("@models", "@chat"), ("GET /models", "POST /chat", "GET /chat/*")),
            (("GET /a", "@all", "@chat"), ("GET /a", "GET /models", "POST /chat", "GET /chat/*")),
            (("POST /chat", "@chat", "@chat"), ("POST /chat", "GET /chat/*")),
        ):
            self.assertEqual(expanded(entries, ACME), wanted, entries)
        self.assertEqual(expanded(["GET /a", "GET /a"], None), ("GET /a",))

    def refused(self, entries: Sequence[str], provider: Provider | None) -> list[tuple[str, str]]:
        with self.assertRaises(Flaws) as caught:
            expanded(entries, provider)
        return [*caught.exception.flaws]

    def test_unknown(self) -> None:
        """Every entry that names no group is told, with the nearest name, or with all of them."""
        self.assertEqual(
            self.refused(["@chta", "GET /a", "@Models", "@zzz", "@"], ACME),
            [
                ("[0]", '"@chta": did you mean "@chat"?'),
                ("[2]", '"@Models": did you mean "@models"?'),
                ("[3]", '"@zzz": there are "@chat", "@models", "@all"'),
                ("[4]", '"@": there are "@chat", "@models", "@all"'),
            ],
        )

    def test_no_groups(self) -> None:
        """Without a provider, and where its file has none, the words say so."""
        ((place, words),) = self.refused(["GET /a", "@chat"], None)
        self.assertEqual(place, "[1]")
        self.assertIn('"@chat" needs provider', words)
        ((_, words),) = self.refused(["@chat"], Provider("plain"))
        self.assertEqual(words, '"@chat": provider "plain" has no groups')

    def test_odd_names(self) -> None:
        """What a config holds in a group's place is shown short, and printable."""
        ((_, words),) = self.refused(["@\x1b[31m" + "a" * 9000], ACME)
        self.assertTrue(words.isprintable())
        self.assertLess(len(words), 200)

    def test_least_lines(self) -> None:
        """A route's line for a new config, and what else there is; it expands as it stands."""
        for name in provider_names():
            known = parse_provider(name, provider_text(name))
            text = "\n".join(least_lines(known))
            with self.subTest(name=name):
                listed = tomllib.loads(text)["endpoints"]
                self.assertEqual(tuple(listed), known.least)
                for group in known.endpoints:
                    self.assertIn(f"@{group}", text)
                self.assertTrue(expanded(listed, known))
        self.assertEqual(least_lines(Provider("plain")), [])
