"""``naap-proxy prices``: the prices in effect, and how old they are."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.prices import shipped_prices
from naap_twisted.spend.prices import Above, Price, PriceList, Prices
from naap_twisted.start import cli
from naap_twisted.start.prices import as_json, as_text, stale
from tests.config.support import text_of
from tests.start.test_cli import CliCase

D = Decimal
TODAY = date(2026, 11, 26)
LONG = Price(D("1.250"), D(10), cached_input=D("1e-7"), above=Above(1000, Price(D(2), D(300))))
LISTED = PriceList("a mirror", "https://a.example", date(2026, 11, 25), {"m": LONG, "n-1": LONG})
OWN = '[prices]\n"gpt-4o*" = { input = 7, output = 0.60 }\nmine = { input = 1, output = 2 }'


class TextTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """The user's own first and marked, shipped ones of that name gone; source and age."""
        prices = Prices({"n*": Price(D(1), D(2), audio_output=D(3))}, {"acme": LISTED})
        self.assertEqual(
            [" ".join(line.split()) for line in as_text(prices, TODAY)],
            [
                "US dollars for a million tokens, or for a time",
                "your own, in [prices]",
                "model input output audio out",
                "* n* 1 2 3",
                "acme: 2026-11-25, 1 day old, from a mirror",
                "the vendor's page: https://a.example",
                "model input cached output",
                "m 1.25 0.0000001 10",
                "over 1,000 tokens in 2 300",
            ],
        )

    def test_columns(self) -> None:
        """Each amount ends below the end of its column's name."""
        lines = list(as_text(Prices({}, {"acme": LISTED}), TODAY))[-5:]
        head, first, above = lines[0], lines[1], lines[2]
        for line, amount in ((first, "10"), (above, "300")):
            self.assertEqual(line.rindex(amount) + len(amount), head.index("output") + 6)

    def test_json(self) -> None:
        """The same for programs; amounts are text, which no reader rounds."""
        found = json.loads(as_json(Prices({"n*": LONG}, {"acme": LISTED}), TODAY))
        long = {
            "input": "1.25",
            "cached_input": "0.0000001",
            "output": "10",
            "above": {"input_tokens": 1000, "input": "2", "output": "300"},
        }
        about = {"source": "a mirror", "page": "https://a.example", "as_of": "2026-11-25"}
        acme = {**about, "age_days": 1, "models": {"m": long}}
        self.assertEqual(found, {"own": {"n*": long}, "providers": {"acme": acme}})

    def test_stale(self) -> None:
        """A list is told from its 91st day on, in one line for all."""
        lists = {"acme": LISTED, "other": LISTED}
        told = [list(stale(lists, LISTED.as_of + timedelta(days=days))) for days in (90, 91)]
        self.assertEqual(told[0], [])
        self.assertEqual(len(told[1]), 1)
        self.assertIn("over 90 days old: acme, other;", told[1][0])


class CommandTests(CliCase):
    def prices(self, *arguments: str) -> tuple[int, str, str]:
        status = cli.main(["prices", *arguments])
        return status, self.out.getvalue(), self.err.getvalue()

    def test_shipped(self) -> None:
        """Without a config: every list, with its source."""
        status, out, _ = self.prices()
        self.assertEqual(status, 0)
        self.assertNotIn("your own", out)
        for name, listed in shipped_prices().items():
            self.assertIn(f"\n{name}: {listed.as_of}, ", out)
            self.assertIn(listed.source, out)

    def test_config(self) -> None:
        """With a config its own prices; what they replace is gone."""
        status, out, _ = self.prices(self.config(text_of(more=OWN)), "--provider", "openai")
        self.assertEqual(status, 0)
        self.assertLess(out.index("* gpt-4o*"), out.index("openai: "))
        self.assertNotIn("gpt-4o-mini", out)
        self.assertNotIn("anthropic: ", out)

    def test_json(self) -> None:
        """Of one provider, as JSON."""
        status, out, _ = self.prices(
            self.config(text_of(more=OWN)), "--json", "--provider", "anthropic"
        )
        found = json.loads(out)
        self.assertEqual(status, 0)
        self.assertEqual(list(found["own"]), ["gpt-4o*", "mine"])
        self.assertEqual(found["own"]["gpt-4o*"], {"input": "7", "output": "0.6"})
        self.assertEqual(list(found["providers"]), ["anthropic"])

    def test_unknown(self) -> None:
        """A provider without a list is a wrong command, and a bad config is refused."""
        status, out, err = self.prices("--provider", "elevenlabs")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("there are openai, azure-openai, ", err)
        status, out, err = self.prices(self.config(text_of(more="[prices]\nm = 3")))
        self.assertEqual((status, out), (1, ""))
        self.assertIn("prices.m: expected a table", err)
