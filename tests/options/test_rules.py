"""One rule: when it speaks, and when it has nothing to say yet."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options import rules
from naap_twisted.options.read import Problems
from naap_twisted.options.rules import Rule

RULE = Rule[int]("size", lambda value: value > 3, "is too much; take less", ("unit", "server.x"))


class RuleTests(SynchronousTestCase):
    def lines(self, value, *noted):
        problems = Problems()
        for path in noted:
            problems.add(path, "is bad")
        RULE.judge(value, "box[0]", problems)
        return problems.lines[len(noted) :]

    def test_judge(self) -> None:
        """Words and remedy in one line, at the option's place."""
        self.assertEqual(self.lines(3), [])
        self.assertEqual(self.lines(4), ["box[0].size: is too much; take less"])

    def test_moot(self) -> None:
        """Not beside a problem of the option itself, or of what the rule needs."""
        for noted in ("box[0].size", "box[0].size[2]", "box[0].unit", "server.x"):
            self.assertEqual(self.lines(4, noted), [], noted)
        for noted in ("box[1].size", "box[0].sizes", "server.y", "box[0].server.x"):
            self.assertEqual(len(self.lines(4, noted)), 1, noted)

    def test_words(self) -> None:
        """Every rule says what is wrong and what to do."""
        every = (*rules.AUTH, *rules.STORES, *rules.ROUTE, *rules.PLACED, rules.EXPOSURE)
        for rule in every:
            wrong, _, remedy = rule.words.partition("; ")
            self.assertTrue(wrong and remedy, rule.option)
