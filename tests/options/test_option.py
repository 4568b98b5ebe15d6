"""One option: what is said of it, and that it is all said once."""

from typing import ClassVar

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.option import option, options_of
from naap_twisted.options.values import flag, list_of, optional, size, text


@frozen
class Sample:
    section: ClassVar[str] = "sample"
    limit: int = option(size, "How much.", '"2kb"', default="1kb")
    word: str | None = option(optional(text), "Which.", keyword="", since="0.2")
    secret: str = option(
        text, "Hidden.", default="x", unset="y", keyword="sample_secret", secret=True
    )


@frozen
class Unsaid:
    section: ClassVar[str] = "unsaid"
    word: str = option(text, "Which.")
    on: bool = option(flag, "Whether.")
    words: tuple[str, ...] = option(list_of(text, what="words"), "Which.")
    more: str | None = option(optional(text), "Which.")


class OptionTests(SynchronousTestCase):
    def test_description(self) -> None:
        """Place, keyword and the rest, in the order of the class."""
        limit, word, secret = options_of(Sample).values()
        self.assertEqual(
            (limit.place, limit.keyword, limit.default), ("sample.limit", "limit", "1kb")
        )
        self.assertEqual(
            (limit.sentence, limit.example, limit.since), ("How much.", '"2kb"', "0.1")
        )
        self.assertEqual((word.keyword, word.since), ("", "0.2"))
        self.assertEqual((secret.keyword, secret.default), ("sample_secret", "x"))

    def test_values(self) -> None:
        """A default is read as a given value is, unless something else stands for "not given"."""
        self.assertEqual(Sample(), Sample(limit=1024, word=None, secret="y"))
        self.assertEqual(repr(Sample()), "Sample(limit=1024, word=None)")

    def test_a_bad_default(self) -> None:
        """It is refused where it is written."""
        self.assertRaises(ValueError, option, size, "How much.", default="1 apple")

    def test_no_default(self) -> None:
        """An entry that names none has what its kind has for nothing."""
        named = options_of(Unsaid).values()
        self.assertEqual([option.default for option in named], ["", False, (), None])
        self.assertEqual(Unsaid(), Unsaid(word="", on=False, words=(), more=None))
