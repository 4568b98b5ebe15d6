"""[prices]: amounts as they are written, and the package's own table."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from importlib import resources

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config import parse_config
from naap_twisted.model import Tokens
from naap_twisted.options.code import read_server
from naap_twisted.options.prices import money, price_lists, shipped_prices
from naap_twisted.options.provider import provider_names
from naap_twisted.spend.prices import Above, Price, Prices
from tests.config.support import problems_of, text_of

D = Decimal
OWN = """
[prices]
"gpt-4.1" = { input = 0.1, output = "0.60" }
"long*" = { input = 1, output = 2, above = { input_tokens = 1000, input = 2, output = 3 } }
"""
HEAD = 'source = "a"\npage = "https://a.example"\n'


class MoneyTests(SynchronousTestCase):
    def test_exact(self) -> None:
        """An amount is what was written, not the binary fraction beside it."""
        for value, amount in ((0.1, "0.1"), ("0.10", "0.10"), (3, "3"), (1e-7, "1e-7"), (0, "0")):
            self.assertEqual(money(value), D(amount))
            self.assertEqual(money(D(amount)), D(amount))

    def test_reasons(self) -> None:
        """The reason says what to write."""
        for value, reason in (
            (True, 'expected a number such as 0.15, or "0.15", got true or false'),
            (-1, 'must be a number from zero up, such as 0.15 or "0.15"'),
            (float("nan"), 'must be a number from zero up, such as 0.15 or "0.15"'),
            (10**5000, "must be at most 1,000,000: it is in US dollars for a million tokens"),
            ("1000000.01", "must be at most 1,000,000: it is in US dollars for a million tokens"),
            ("0." + "0" * 20 + "1", "must have at most 20 decimals"),
        ):
            with self.assertRaises(ValueError) as caught:
                money(value)
            self.assertEqual(str(caught.exception), reason)


class ConfigTests(SynchronousTestCase):
    def test_file(self) -> None:
        """A file's prices stand before the shipped ones, which stay."""
        prices = parse_config(text_of(more=OWN)).prices
        self.assertEqual(prices.of("openai", "gpt-4.1"), Price(D("0.1"), D("0.60")))
        long = Price(D(1), D(2), above=Above(1000, Price(D(2), D(3))))
        self.assertEqual(prices.of("", "longest"), long)
        self.assertEqual(prices.shipped, shipped_prices())

    def test_code(self) -> None:
        """Code's are the same, and may be Decimals."""
        own = {"gpt-4.1": {"input": D("0.1"), "output": 0.6}}
        config = read_server({"name": "a", "prices": own})
        self.assertEqual(config.prices.of("openai", "gpt-4.1"), Price(D("0.1"), D("0.6")))
        self.assertEqual(read_server({"name": "a"}).prices.own, {})
        timed = read_server({"name": "a", "prices": {"heard": {"per_minute": "0.006"}}}).prices.own
        self.assertEqual(timed["heard"], Price(D(0), D(0), per_minute=D("0.006")))

    def test_problems(self) -> None:
        """Each problem of each entry, at its place as a file writes it."""
        more = """
[prices]
"gpt-4.1" = { input = -1, outptu = 1 }
timed = { per_minute = 1, per_hour = 2 }
"timed-2" = { per_minute = -1, per_day = 2 }
gpt-4o = { input = -1, output = true, above = { input_tokens = 1, input = 1 } }
"a*b" = { input = 1, output = 1 }
"""
        self.assertEqual(
            list(problems_of(more=more)),
            [
                'prices."gpt-4.1".output: is missing',
                'prices."gpt-4.1".outptu: unknown key; did you mean "output"?',
                "prices.timed: has per_minute and per_hour; a recording has one price",
                "prices.timed-2.per_day: unknown key",
                'prices.gpt-4o.input: must be a number from zero up, such as 0.15 or "0.15"',
                'prices.gpt-4o.output: expected a number such as 0.15, or "0.15",'
                " got true or false",
                "prices.gpt-4o.above.output: is missing",
                'prices."a*b": has a "*" that is not its last character',
            ],
        )


class ShippedTests(SynchronousTestCase):
    def test_lists(self) -> None:
        """Each list is of a provider of ours, with a source, the vendor's page, and a date."""
        lists = shipped_prices()
        wanted = ("openai", "azure-openai", "anthropic", "gemini", "mistral", "cohere", "groq")
        self.assertEqual({*wanted} - {*lists}, set())
        self.assertEqual({*lists} - {*provider_names()}, set())
        for name, listed in lists.items():
            self.assertIn("https://", listed.source, name)
            self.assertTrue(listed.page.startswith("https://"), name)
            self.assertGreaterEqual(listed.as_of, date(2026, 11, 20), name)
            self.assertGreater(len(listed.models), 3, name)

    def test_prices(self) -> None:
        """Plausible ones: a cache makes reading cheaper, writing and long prompts dearer."""
        for listed in shipped_prices().values():
            for model, price in listed.models.items():
                self.assertFalse(model.endswith("*"), model)
                if price.is_timed:
                    hour = price.cost(Tokens(milliseconds=3_600_000))
                    self.assertTrue(D("0.01") < hour < 5, model)
                    continue
                self.assertTrue(0 < price.input < 100 and 0 <= price.output < 500, model)
                self.assertLess(price.cached_input or 0, price.input, model)
                self.assertGreater(price.image_input or D("inf"), price.input, model)
                self.assertGreater(price.cache_write or D("inf"), price.input, model)
                if price.above is not None:
                    self.assertGreater(price.above.price.input, price.input, model)
                    self.assertGreater(price.above.price.output, price.output, model)

    def test_recordings_and_images(self) -> None:
        """Paid by the minute, or by tokens of their own."""
        prices = Prices({}, shipped_prices())
        minute, image = Tokens(milliseconds=60_000), Tokens(1000, output=1000, image_input=900)
        for provider, model, tokens, usd in (
            ("openai", "whisper-1", minute, "0.006"),
            ("deepgram", "nova-3", minute, "0.0043"),
            ("openai", "gpt-image-2-2026-04-21", image, "0.0377"),
        ):
            price = prices.of(provider, model)
            assert price is not None
            self.assertEqual(price.cost(tokens), D(usd), model)

    def test_another_vendors(self) -> None:
        """Azure has OpenAI's prices, but for those that stand in its own list."""
        lists = shipped_prices()
        one, other = lists["openai"].models, lists["azure-openai"].models
        self.assertEqual(one["gpt-4o-mini"], other["gpt-4o-mini"])
        self.assertNotEqual(one["gpt-audio"], other["gpt-audio"])

    def test_exact(self) -> None:
        """A fraction is never a float on its way from the file."""
        models = "[a.models]\nm = { input = 0.12345678901234567891, output = 0 }"
        listed = price_lists(f"[a]\n{HEAD}as_of = 2026-01-01\n{models}")["a"]
        self.assertEqual(listed.models["m"].input, D("0.12345678901234567891"))

    def test_date(self) -> None:
        """A date with a time, or as text, is refused."""
        for written in ('"2026-01-01"', "2026-01-01T00:00:00Z"):
            text = f"[a]\n{HEAD}as_of = {written}\n[a.models]"
            self.assertRaises(ValueError, price_lists, text)

    def test_packaged(self) -> None:
        """The file is among those that an installation has."""
        self.assertTrue(resources.files("naap_twisted.spend").joinpath("prices.toml").is_file())
