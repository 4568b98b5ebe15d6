"""The options that judge bodies: what is read, and each problem at its place."""

from __future__ import annotations

import math
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ConfigError, create_external_proxy
from naap_twisted.options.route_body import body_rules, judge, model_pattern, output_bound
from naap_twisted.policy.body_rules import BodyRules, MemberRule
from naap_twisted.policy.output_limit import OutputBound

TARGET = {"target": "https://api.example.com/v1"}


def lines(**route: Any) -> tuple[str, ...]:
    """The problems of a route; none where it is fine."""
    try:
        create_external_proxy(**({} if "provider" in route else TARGET), **route)
    except ConfigError as error:
        return error.problems
    return ()


class BodyTests(SynchronousTestCase):
    def test_read(self) -> None:
        """A table becomes rules; rules stay; nothing is nothing."""
        rules = body_rules({"only": ["a"], "rules": {"a": {"in": [1], "required": True}}})
        rule = MemberRule(allowed=(1,), required=True)
        self.assertEqual(rules, BodyRules(only=("a",), rules={"a": rule}))
        self.assertIs(body_rules(rules), rules)
        self.assertIsNone(body_rules(None))

    def test_places(self) -> None:
        """Each problem says where it is, and what to write."""
        for table, line in (
            ({"onyl": ["a"]}, 'body.onyl: unknown key; did you mean "only"?'),
            ({"only": ["a", "a.b"]}, "body.only[1]: names top-level members"),
            ({"rules": {"n": {"mx": 1}}}, 'body.rules.n.mx: unknown key; did you mean "max"?'),
            ({"rules": {"n": {"max": "1"}}}, "body.rules.n.max: expected a number, got text"),
            ({"rules": {"n": {"min": 3, "max": 1}}}, "body.rules.n.min: is over max"),
            ({"rules": {"n": {"max": 1, "in": [0, 2]}}}, "body.rules.n.in[1]: breaks the rule's"),
            ({"rules": {"n": {}}}, "body.rules.n: is empty"),
            (
                {"rules": {"n": {"max": 1, "max_items": 2}}},
                "body.rules.n: asks for array and number",
            ),
            ({"rules": {"": {"max": 1}}}, "body.rules[name 1]: is not a member"),
            ({"set": {"a": "${env:KEY}"}}, "body.set.a: holds a ${...} that is none of ${user:id}"),
            ({"set": {"a": "Hi ${user:id}"}}, "body.set.a: holds a ${...} that is none of"),
            ({"default": {"a": "${user:id}"}}, "body.default.a: is no place for ${user:...}"),
            ({"only": ["a"], "forbid": ["b.c"]}, 'body.forbid: "b.c" is not in only'),
            ({"only": ["a"], "default": {"b": 1}}, 'body.only: lacks "b"'),
            ({"set": {"a": 1}, "default": {"a.b": 1}}, 'body.set: sets "a", and with it "a.b"'),
            ({"only": ["a"], "forbid": ["a"]}, 'body.forbid: "a" is in only, too'),
            ({"forbid": ["a"], "default": {"a": 1}}, 'body.default: "a" is in forbid, too'),
            ({"forbid": ["a"], "rules": {"a": {"max": 1}}}, 'body.rules: "a" is in forbid'),
            (
                {"default": {"n": 5}, "rules": {"n": {"max": 1}}},
                "body.default.n: breaks the member's own rule: at most 1",
            ),
            ({"rules": {"n": {"max": math.nan}}}, "body.rules.n.max: is no number that every"),
            ({"rules": {"n": {"in": [math.inf]}}}, "body.rules.n.in[0]: is no number that every"),
            ({"batches": True}, "body.batches: has no meaning without rules"),
            ({}, "body: is empty"),
        ):
            found = lines(body=table)
            self.assertEqual(len(found), 1, found)
            self.assertTrue(found[0].startswith(line), found)

    def test_together(self) -> None:
        """All problems of a table are told at once."""
        table = {"only": [""], "rules": {"a": {"max": "x"}, "b": {"type": "text"}}}
        self.assertEqual(len(lines(body=table)), 3)

    def test_types(self) -> None:
        """A route whose bodies nobody can judge."""
        sdp: dict[str, Any] = {"content_type": "application/sdp", "body": {"forbid": ["a"]}}
        (line,) = lines(**sdp)
        self.assertIn("takes neither JSON nor forms", line)
        self.assertEqual(lines(**{**sdp, "content_type": ["application/sdp", "*/*"]}), ())


class ModelTests(SynchronousTestCase):
    def test_patterns(self) -> None:
        """Names, and beginnings."""
        for text in ("gpt-4o-mini", "gpt-5*", "org/model:free"):
            self.assertEqual(model_pattern(text), text)
        for text in ("", "*", "a*b", "a**", "a\nb"):
            self.assertRaises(ValueError, model_pattern, text)

    def test_bounds(self) -> None:
        """A number, or a table that says what happens over it."""
        self.assertEqual(output_bound(5), OutputBound(5))
        self.assertEqual(output_bound({"tokens": 5, "over": "clamp"}), OutputBound(5, clamp=True))
        self.assertIsNone(output_bound(None))
        (line,) = lines(max_output_tokens=5)
        self.assertIn("needs a provider whose file names the limits of its API", line)
        for provider, problems in (("openai", 0), ("anthropic", 0), ("stripe", 1)):
            found = lines(provider=provider, max_output_tokens=5)
            self.assertEqual(len(found), problems, found)
        hosts = {"allowed_hosts": ["api.openai.com"], "provider": "openai"}
        self.assertEqual(len(lines(**hosts, max_output_tokens=5)), 1)


class JudgeTests(SynchronousTestCase):
    def test_read(self) -> None:
        """A callable, or where one is; it is imported when the route is built."""
        self.assertIs(judge(len), len)
        self.assertEqual(judge("shop.rules:judge"), "shop.rules:judge")
        for value in ("judge", "", 3, "a:b:c"):
            self.assertRaises(ValueError, judge, value)
        self.assertEqual(lines(judge="math:floor"), ())
        for name, words in (
            ("math:nothing", "judge: "),
            ("no_such:f", "judge: "),
            ("math:pi", "not"),
        ):
            (line,) = lines(judge=name)
            self.assertIn(words, line)
