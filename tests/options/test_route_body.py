"""The readers of ``body``, ``models``, ``max_output_tokens`` and ``judge``."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.route_body import body_rules, judge, model_pattern, output_bound
from naap_twisted.options.values import Flaws
from naap_twisted.policy.body_rules import BodyRules, MemberRule
from naap_twisted.policy.output_limit import OutputBound


class BodyTests(SynchronousTestCase):
    def test_good(self) -> None:
        """A table becomes rules; rules stay as they are."""
        rules = body_rules(
            {
                "only": ["model", "n"],
                "set": {"user": "${user:id}"},
                "default": {"n": 1},
                "rules": {"n": {"in": [1, 2], "type": "integer"}},
            }
        )
        assert rules is not None
        self.assertEqual(rules.rules, {"n": MemberRule(allowed=(1, 2), type="integer")})
        self.assertTrue(rules.needs_user)
        self.assertIs(body_rules(rules), rules)
        self.assertIsNone(body_rules(None))

    def test_places(self) -> None:
        """Every problem is told at its place, with what to write."""
        for table, place, words in (
            ({"onyl": ["a"]}, ".onyl", 'did you mean "only"'),
            ({"only": ["a.b"]}, ".only[0]", "top-level"),
            ({"only": ["a"], "forbid": ["b"]}, ".forbid", "refused already"),
            ({"only": ["a"], "forbid": ["a"]}, ".forbid", "drop it in one of them"),
            ({"only": ["a"], "default": {"b": 1}}, ".only", 'lacks "b"'),
            ({"only": ["a"], "rules": {"b.c": {"required": True}}}, ".only", 'lacks "b"'),
            ({"forbid": ["a"], "default": {"a": 1}}, ".default", "use set"),
            ({"forbid": ["a"], "rules": {"a": {"max": 1}}}, ".rules", "drop one"),
            ({"default": {"n": 5}, "rules": {"n": {"max": 1}}}, ".default.n", "at most 1"),
            ({"set": {"a": {}, "a.b": 1}}, ".set", "write one of them"),
            ({"set": {"a": "x ${user:id}"}}, ".set.a", "each the whole text"),
            ({"default": {"a": "${user:id}"}}, ".default.a", "use set"),
            ({"batches": True}, ".batches", "without rules"),
            ({"rules": {"n": {"mxa": 1}}}, ".rules.n.mxa", 'did you mean "max"'),
            ({"rules": {"n": {"min": 3, "max": 2}}}, ".rules.n.min", "over max"),
            ({"rules": {"n": {"max": math.nan}}}, ".rules.n.max", "2**53"),
            ({"rules": {"n": {"in": [math.inf]}}}, ".rules.n.in[0]", "2**53"),
            ({"rules": {"n": {"in": [3], "max": 2}}}, ".rules.n.in[0]", "own bound"),
            ({"rules": {"n": {}}}, ".rules.n", "is empty"),
        ):
            with self.subTest(table=table):
                error = self.assertRaises(Flaws, body_rules, table)
                told = [f"{at}: {text}" for at, text in error.flaws]
                self.assertEqual(len(told), 1, told)
                self.assertTrue(told[0].startswith(f"{place}: "), told)
                self.assertIn(words, told[0])

    def test_no_table(self) -> None:
        """What is no table of rules is told by itself."""
        for value in ([], "only", 3):
            self.assertRaises(ValueError, body_rules, value)


class OtherTests(SynchronousTestCase):
    def test_models(self) -> None:
        """A name, or its beginning and a star; a star alone would be no rule."""
        for name in ("gpt-4o-mini", "gpt-5*", "vendor/model:free"):
            self.assertEqual(model_pattern(name), name)
        for name in ("*", "a*b", " ", "a\nb"):
            self.assertRaises(ValueError, model_pattern, name)

    def test_output(self) -> None:
        """A number refuses what is over it; a table may lower it."""
        self.assertEqual(output_bound(5), OutputBound(5))
        self.assertEqual(output_bound({"tokens": 5, "over": "clamp"}), OutputBound(5, True))
        self.assertIsNone(output_bound(None))
        for value in (0, True, {}, {"over": "clamp"}, {"tokens": 5, "over": "x"}):
            self.assertRaises(ValueError, output_bound, value)

    def test_judge(self) -> None:
        """A callable, or where it is, which is imported when the route is built."""
        self.assertIs(judge(len), len)
        self.assertEqual(judge("package.module:name"), "package.module:name")
        for value in ("name", "a:b:c", 3):
            self.assertRaises(ValueError, judge, value)

    def test_rules_in_code(self) -> None:
        """Code may give the rules ready-made."""
        rules = BodyRules(forbid=("tools",))
        self.assertIs(body_rules(rules), rules)
