"""Problems are collected, in order."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.problems import Problems


class ProblemsTests(SynchronousTestCase):
    def test_under(self):
        """A ValueError gets its key, a ConfigError has its own; anything else is a bug."""
        problems = Problems()
        with problems.under("port"):
            raise ValueError("too high")
        with problems.under("name"):
            raise ConfigError("a: b", "c: d")
        with problems.under("fine"):
            pass
        self.assertEqual(problems.lines, ["port: too high", "a: b", "c: d"])
        with self.assertRaises(KeyError), problems.under("x"):
            raise KeyError("bug")
