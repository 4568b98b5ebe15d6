"""What tokens cost, to the last digit, and which price is whose."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.spend.prices import Above, Price, PriceList, Prices, priced_as

D = Decimal
PARTS = ("cached_input", "cache_write", "audio_input", "image_input")


@frozen
class Tokens:
    """The tokens of a request, as a price reads them."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    milliseconds: int = 0

    def plus(self, other: Tokens) -> Tokens:
        return Tokens(
            *(getattr(self, name) + getattr(other, name) for name in Tokens.__match_args__)
        )


SIMPLE = Price(D(2), D(8))
CACHED = Price(D(3), D(15), cached_input=D("0.3"), cache_write=D("3.75"))
AUDIO = Price(D(4), D(16), cached_input=D("0.4"), audio_input=D(32), audio_output=D(64))
IMAGE = Price(D(5), D(30), image_input=D(8))
MINUTE = Price(D(0), D(0), per_minute=D("0.006"))
HOUR = Price(D(1), D(2), per_hour=D("0.04"), above=Above(10, Price(D(3), D(4))))
LONG = Price(D("1.25"), D(10), above=Above(200_000, Price(D("2.5"), D(15))))

# A price, tokens, and the cost in millionths of a dollar.
COSTS = (
    (SIMPLE, Tokens(), "0"),
    (SIMPLE, Tokens(1, 0), "2"),
    (SIMPLE, Tokens(1000, 500), "6000"),
    # What the price does not tell apart costs as the rest.
    (SIMPLE, Tokens(1000, 0, cached_input=900, cache_write=100), "2000"),
    (SIMPLE, Tokens(1000, 10, audio_input=1000, audio_output=10), "2080"),
    (CACHED, Tokens(1000, 0, cached_input=1000), "300"),
    (CACHED, Tokens(1000, 0, cached_input=400), "1920"),
    (CACHED, Tokens(1000, 10, cached_input=400, cache_write=500), "2445"),
    (AUDIO, Tokens(1000, 100, audio_input=900, audio_output=80), "34640"),
    # No overlap: each part at its own price.
    (AUDIO, Tokens(1000, 0, cached_input=100, audio_input=900), "28840"),
    # Of 1000 tokens 900 are audio and 400 cached: 300 at least are both, and paid as audio.
    (AUDIO, Tokens(1000, 0, cached_input=400, audio_input=900), "28840"),
    # A report that makes no sense never costs less than nothing, nor more than its whole.
    (CACHED, Tokens(100, 0, cached_input=500), "30"),
    (AUDIO, Tokens(0, 10, audio_output=500), "640"),
    (IMAGE, Tokens(1000, 10, image_input=900), "8000"),
    # A recording is paid by its length, whatever its tokens; a third is rounded up at its end.
    (MINUTE, Tokens(1000, 10, milliseconds=90_000), "9000"),
    (MINUTE, Tokens(milliseconds=1), "0.1"),
    (HOUR, Tokens(milliseconds=3_600_000), "40000"),
    (HOUR, Tokens(20, 1, milliseconds=1_800_000), "20064"),
    (Price(D(0), D(0), per_second=D("0.1")), Tokens(milliseconds=1500), "150000"),
    # A long prompt has another price for all of the request.
    (LONG, Tokens(200_000, 1), "250010"),
    (LONG, Tokens(200_001, 1), "500017.5"),
)

amounts = st.decimals(min_value=0, max_value=10**6, places=20)
parts = st.integers(0, 10**15)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    maybe = st.none() | amounts
    return Price(
        *(draw(amounts) for _ in range(2)),
        *(draw(maybe) for _ in range(4)),
        image_input=draw(maybe),
        per_second=draw(maybe),
    )


@st.composite
def reports(draw: st.DrawFn) -> Tokens:
    """Tokens whose parts do not overlap."""
    cached, written, audio, image, more, spoken, said = (draw(parts) for _ in range(7))
    prompt = cached + written + audio + image + more
    heard = draw(st.integers(0, 10**10))
    return Tokens(prompt, spoken + said, cached, written, audio, spoken, image, heard)


def by_hand(price: Price, tokens: Tokens) -> Fraction:
    """The cost of parts that do not overlap, in fractions."""
    special = sum(getattr(tokens, name) for name in PARTS)
    total = Fraction(price.input) * (tokens.input - special)
    total += Fraction(price.output) * (tokens.output - tokens.audio_output)
    for name in (*PARTS, "audio_output"):
        usual = price.output if name == "audio_output" else price.input
        own = getattr(price, name)
        total += Fraction(usual if own is None else own) * getattr(tokens, name)
    return total / 10**6 + Fraction(price.per_second or 0) * tokens.milliseconds / 1000


class CostTests(SynchronousTestCase):
    def test_vectors(self) -> None:
        """Each token is paid once, at its own price."""
        for price, tokens, micros in COSTS:
            self.assertEqual(price.cost(tokens) * 10**6, D(micros), (price, tokens))

    @given(prices(), reports())
    def test_exact(self, price: Price, tokens: Tokens) -> None:
        """No digit is rounded, however many there are."""
        self.assertEqual(Fraction(price.cost(tokens)), by_hand(price, tokens))

    def test_rounded_up(self) -> None:
        """What no Decimal holds is a little too much, and never too little."""
        cost, third = Fraction(HOUR.cost(Tokens(milliseconds=1000))), Fraction(4, 360_000)
        self.assertTrue(third < cost < third + Fraction(1, 10**100))
        self.assertEqual([p.is_timed for p in (SIMPLE, MINUTE, HOUR)], [False, True, True])

    @given(prices(), reports(), reports())
    def test_additive(self, price: Price, one: Tokens, other: Tokens) -> None:
        """Two requests cost what their tokens cost together."""
        together = Fraction(price.cost(one.plus(other)))
        self.assertEqual(Fraction(price.cost(one)) + Fraction(price.cost(other)), together)

    @given(prices(), st.builds(Tokens, *[parts] * 7))
    def test_bounds(self, price: Price, tokens: Tokens) -> None:
        """Whatever parts are reported: never below zero, never above the dearest price for all."""
        cost = price.cost(tokens)
        inward = (price.input, *(getattr(price, name) for name in PARTS))
        outward = (price.output, price.audio_output)
        most = Fraction(max(each for each in inward if each is not None)) * tokens.input
        most += Fraction(max(each for each in outward if each is not None)) * tokens.output
        self.assertGreaterEqual(cost, 0)
        self.assertLessEqual(Fraction(cost), most / 10**6)


# A name with a price, models that it prices, and models that it does not.
NAMES = (
    (
        "gpt-4o",
        ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o:tag", "gpt-4o@2024-08-06"),
        (
            *("gpt-4o-mini", "gpt-4o-audio-preview", "gpt-4o-audio-preview-2024-12-17", "gpt-4"),
            *("GPT-4o", "gpt-4o-", "gpt-4o-2024-08-06-x", "gpt-4o2024", "gpt-4o:", "ft:gpt-4o"),
        ),
    ),
    ("gpt-4o-mini", ("gpt-4o-mini-2024-07-18",), ("gpt-4o", "gpt-4o-mini-tts")),
    ("gpt-4", ("gpt-4-0613",), ("gpt-4.1", "gpt-4-turbo", "gpt-4-1106-preview", "gpt-4-32k")),
    ("claude-opus-4", ("claude-opus-4-20250514",), ("claude-opus-4-5", "claude-opus-4-5-20251101")),
    ("claude-sonnet-4-5", ("claude-sonnet-4-5@20250929",), ("claude-sonnet-4-5-thinking",)),
    ("gemini-2.0-flash", ("gemini-2.0-flash-001",), ("gemini-2.0-flash-lite-001",)),
    ("command-r", ("command-r-08-2024",), ("command-r-plus-08-2024", "command-r7b-12-2024")),
    ("gpt-5*", ("gpt-5", "gpt-5-mini", "gpt-5.1-codex"), ("gpt-4", "a-gpt-5")),
    ("*", ("anything", "x:y"), ()),
)


class NameTests(SynchronousTestCase):
    def test_vectors(self) -> None:
        """A name prices the model itself and its dated versions, no other of the family."""
        for name, its, others in NAMES:
            for model in its:
                self.assertEqual(priced_as(model, {name: SIMPLE}), name, model)
            for model in others:
                self.assertIsNone(priced_as(model, {name: SIMPLE}), model)

    def test_longest(self) -> None:
        """Of several names the longest counts, in whatever order they stand."""
        names = dict.fromkeys(("gpt-*", "gpt-4o", "*", "gpt-4o*", "gpt-4o-2024-05-13"), SIMPLE)
        for order in (names, dict(reversed(names.items()))):
            for model, name in (
                ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
                ("gpt-4o-2024-08-06", "gpt-4o"),
                ("gpt-4o", "gpt-4o"),
                ("gpt-4o-mini", "gpt-4o*"),
                ("gpt-5", "gpt-*"),
                ("o3", "*"),
            ):
                self.assertEqual(priced_as(model, order), name)


class PricesTests(SynchronousTestCase):
    def setUp(self) -> None:
        listed = PriceList("", "", date(2026, 1, 1), {"gpt-4o": SIMPLE, "gemini-1": LONG})
        self.shipped = {"openai": listed, "gemini": listed}

    def test_provider(self) -> None:
        """A shipped price is its provider's alone."""
        shipped = Prices({}, self.shipped)
        self.assertIs(shipped.of("openai", "gpt-4o-2024-08-06"), SIMPLE)
        for provider in ("", "acme", "./openai.toml"):
            self.assertIsNone(shipped.of(provider, "gpt-4o"))
        self.assertIsNone(shipped.of("openai", "gpt-5"))
        self.assertIsNone(shipped.of("openai", ""))

    def test_own(self) -> None:
        """A user's price wins, also one whose name is shorter; and it is everyone's."""
        own = Prices({"gpt*": CACHED}, self.shipped)
        self.assertIs(own.of("openai", "gpt-4o"), CACHED)
        self.assertIs(own.of("", "gpt-5"), CACHED)
        self.assertIs(own.of("gemini", "gemini-1"), LONG)

    def test_gemini(self) -> None:
        """The name of Gemini's resource is the model's, too."""
        shipped = Prices({}, self.shipped)
        self.assertIs(shipped.of("gemini", "models/gemini-1"), LONG)
        self.assertIsNone(shipped.of("openai", "models/gpt-4o"))

    def test_age(self) -> None:
        """Days since the date; a clock set back does not make it less than none."""
        listed = self.shipped["openai"]
        for today, days in ((date(2026, 1, 1), 0), (date(2026, 4, 2), 91), (date(2025, 1, 1), 0)):
            self.assertEqual(listed.age(today), days)
