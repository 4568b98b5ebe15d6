"""One option: what is said of it, and that it is all said once."""

from typing import ClassVar

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.option import option, options_of
from naap_twisted.options.values import optional, size, text


@frozen
class Sample:
    section: ClassVar[str] = "sample"
    limit: int = option(size, "1kb", "How much.", '"2kb"')
    word: str | None = option(optional(text), None, "Which.", keyword="", since="0.2")
    secret: str = option(text, "x", "Hidden.", unset="y", keyword="sample_secret", secret=True)


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
        self.assertRaises(ValueError, option, size, "1 apple", "How much.")
