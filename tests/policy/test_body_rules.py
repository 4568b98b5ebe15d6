"""The rules about the members of a body."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BodyNotAllowed, Unauthorized
from naap_twisted.model import User
from naap_twisted.options.route_body import body_rules
from naap_twisted.policy.body_rules import BodyRules, MemberRule, type_of
from tests.policy.bodies import from_form, from_json


def rules(**table: Any) -> BodyRules:
    """The rules of an option."""
    read = body_rules(table)
    assert read is not None
    return read


def nothing_listed(name: str) -> bool:
    """No parameter is listed by ``query``."""
    return False


# a rule -> values that pass, and values that do not
VALUES: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    ({"in": ["eur", "usd"]}, ["eur", "usd"], ["EUR", "", None, 1, ["eur"], {"eur": 1}]),
    ({"in": [1, 2]}, [1, 2, 1.0], [True, "1", 3, None]),
    ({"in": [True]}, [True], [1, "true", False]),
    ({"max": 1}, [1, 0, -5, 0.5, 1.0], [2, 1.0000001, True, "1", None, [1]]),
    ({"min": 50, "max": 5000}, [50, 5000, 99.5], [49.999, 5001, "50", {}]),
    ({"type": "integer"}, [0, -3, 7], [1.0, "1", True, None]),
    ({"type": "number"}, [0, 1.5], ["1", True, None]),
    ({"type": "string"}, ["", "x"], [1, None, []]),
    ({"type": "boolean"}, [True, False], [1, "true", None]),
    ({"type": "object"}, [{}, {"a": 1}], [[], "{}", None]),
    ({"type": "array"}, [[], [1]], [{}, "[]"]),
    ({"type": "null"}, [None], [0, "", False]),
    ({"type": "file"}, [], ["x", 1, None]),
    ({"max_length": 3}, ["", "abc", "äöü"], ["abcd", 5, ["a"], None]),
    ({"min_length": 2}, ["ab"], ["a", ""]),
    ({"max_items": 2}, [[], [1, 2]], [[1, 2, 3], "ab", {}]),
    ({"type": "string", "max_length": 2, "in": ["a", "bb"]}, ["a", "bb"], ["b", "ccc"]),
]
#: The same of forms, where every value is text.
TEXTS: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"in": ["eur"]}, ["eur"], ["EUR", "eur "]),
    ({"in": [1]}, ["1"], ["01", "1.0x", "+1", " 1", "1e0", "0x1", "\u0661"]),
    ({"in": [True]}, ["true"], ["1", "True", "on"]),
    ({"max": 5000, "min": 50}, ["50", "5000", "99.5"], ["5e1", "0050", "50 ", "NaN", "", "5001"]),
    ({"type": "integer"}, ["0", "-7"], ["1.0", "1_0", "", "-0x1"]),
    ({"type": "string"}, ["", "5"], []),
    ({"type": "boolean"}, ["true", "false"], ["0", "yes"]),
]


class ValueTests(SynchronousTestCase):
    def test_json(self) -> None:
        """Each kind of rule on JSON values, types told apart."""
        for table, good, bad in VALUES:
            judged = rules(rules={"a": table})
            for value in good:
                self.assertEqual(judged.judge(from_json({"a": value})), {}, (table, value))
            for value in bad:
                error = self.assertRaises(BodyNotAllowed, judged.judge, from_json({"a": value}))
                self.assertEqual((error.param, error.rule), ("a", "rules.a"), (table, value))

    def test_forms(self) -> None:
        """A text stands for a number in one spelling only, whatever upstreams take for one."""
        for table, good, bad in TEXTS:
            judged = rules(rules={"a": table})
            for value in good:
                self.assertEqual(judged.judge(from_form(a=value)), {}, (table, value))
            for value in bad:
                with self.assertRaises(BodyNotAllowed, msg=(table, value)):
                    judged.judge(from_form(a=value))

    def test_absent(self) -> None:
        """What is not there breaks no rule, unless it is required; null is there."""
        self.assertEqual(rules(rules={"a": {"max": 1}}).judge(from_json({})), {})
        required = rules(rules={"a.b": {"required": True}})
        for body in ({}, {"a": {}}, {"a": None}):
            error = self.assertRaises(BodyNotAllowed, required.judge, from_json(body))
            self.assertEqual(error.message, 'Body member "a.b" is required')
        required.judge(from_json({"a": {"b": None}}))

    def test_every_item(self) -> None:
        """A path through a list is about each of its items."""
        judged = rules(rules={"messages.role": {"in": ["user"]}})
        judged.judge(from_json({"messages": [{"role": "user"}, {"content": "x"}]}))
        body = from_json({"messages": [{"role": "user"}, {"role": "system"}]})
        self.assertRaises(BodyNotAllowed, judged.judge, body)

    def test_remedies(self) -> None:
        """The line that would let the value pass, where a page's value can stand in a config."""
        for table, value, line in (
            ({"max": 1}, 4, "rules = { a = { max = 4 } }"),
            ({"min": 5}, 2, "rules = { a = { min = 2 } }"),
            ({"in": ["eur"]}, "usd", 'rules = { a = { in = ["eur", "usd"] } }'),
            ({"in": ["eur"]}, 'us"d', ""),
            ({"max_length": 2}, "abc", "rules = { a = { max_length = 3 } }"),
            ({"max_items": 1}, [1, 2], "rules = { a = { max_items = 2 } }"),
            ({"type": "string"}, 1, ""),
        ):
            judged = rules(rules={"a": table})
            error = self.assertRaises(BodyNotAllowed, judged.judge, from_json({"a": value}))
            self.assertEqual(error.remedy, line)


class MemberTests(SynchronousTestCase):
    def test_only(self) -> None:
        """No other top-level member, in any spelling."""
        judged = rules(only=["model", "n"])
        judged.judge(from_json({"model": 1, "n": {"tools": 1}}))
        for name in ("tools", "Model", "model ", "", "m\u00f6del"):
            error = self.assertRaises(BodyNotAllowed, judged.judge, from_json({name: 1}))
            self.assertEqual(error.rule, "only")
        error = self.assertRaises(BodyNotAllowed, judged.judge, from_json({"tools": 1}))
        self.assertEqual(error.remedy, 'only = ["model", "n", "tools"]')
        self.assertEqual(error.message, 'Body member "tools" is not allowed on this route')

    def test_forbid(self) -> None:
        """A member that may not be there, also inside of others; null is there."""
        judged = rules(forbid=["tools", "messages.cache"])
        judged.judge(from_json({"messages": [{"role": "x"}]}))
        for body in ({"tools": None}, {"messages": [{}, {"cache": 1}]}, {"messages": {"cache": 1}}):
            self.assertRaises(BodyNotAllowed, judged.judge, from_json(body))
        error = self.assertRaises(BodyNotAllowed, judged.judge, from_json({"tools": []}))
        self.assertEqual(error.remedy, 'forbid = ["messages.cache"]')

    def test_what_is_no_object(self) -> None:
        """A value that has no members says nothing that could be judged; a batch is opted into."""
        judged = rules(rules={"a": {"max": 1}})
        for value in ([], [{"a": 1}], "x", 1, None, True):
            self.assertRaises(BodyNotAllowed, judged.judge, from_json(value))
        batches = rules(batches=True, rules={"a": {"max": 1}})
        self.assertEqual(batches.judge(from_json([{"a": 1}, {}])), {})
        self.assertEqual(batches.judge(from_json({"a": 1})), {})
        for value in ([{"a": 1}, {"a": 2}], [1], [[{"a": 1}]]):
            self.assertRaises(BodyNotAllowed, batches.judge, from_json(value))

    def test_defaults(self) -> None:
        """What the page did not send, and what it stands in has room for."""
        judged = rules(default={"n": 1, "a.b": True, "a.c": {"d": []}})
        self.assertEqual(
            judged.judge(from_json({})), {("n",): 1, ("a", "b"): True, ("a", "c"): {"d": []}}
        )
        self.assertEqual(judged.judge(from_json({"n": None, "a": {"b": 0, "c": 1}})), {})
        self.assertEqual(judged.judge(from_json({"n": 0, "a": "text"})), {})

    def test_server_words(self) -> None:
        """The user's id where a word is one; nobody is not somebody."""
        judged = rules(set={"user": "${user:id}", "a.b": {"mail": ["${user:email}"]}, "n": 1})
        user = User("u-1", "u@example.org")
        self.assertEqual(
            judged.server_words(user),
            {("user",): "u-1", ("a", "b"): {"mail": ["u@example.org"]}, ("n",): 1},
        )
        for nobody in (None, User("u-1")):
            self.assertRaises(Unauthorized, judged.server_words, nobody)
        self.assertEqual(rules(set={"n": 1}).server_words(None), {("n",): 1})

    def test_query(self) -> None:
        """Where upstreams read a query's parameters beside the body's, none is a judged member."""
        judged = rules(only=["amount", "note"], rules={"amount": {"max": 5}})
        for query in ("amount=9", "x=1&%61mount=9", "Amount=9", "amount[]=9", "amount%00=9"):
            error = self.assertRaises(
                BodyNotAllowed, judged.judge_query, query, nothing_listed, merged=False
            )
            self.assertEqual(error.param, "amount")
        judged.judge_query("expand=1", nothing_listed, merged=False)
        judged.judge_query("note=1", nothing_listed, merged=True)
        judged.judge_query("expand[]=1", lambda name: name == "expand[]", merged=True)
        for query in ("expand=1", "note=1&expand[]=2", "note=1;expand=2"):
            self.assertRaises(
                BodyNotAllowed, judged.judge_query, query, nothing_listed, merged=True
            )

    def test_words(self) -> None:
        """The rules as check prints them."""
        judged = rules(
            only=["n"], rules={"n": {"max": 1, "required": True}}, set={"u": "x"}, default={"n": 1}
        )
        self.assertEqual(
            [*judged.lines], ["only n", "n: max 1 required", 'sets u = "x"', "default n = 1"]
        )


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
RULES = st.sampled_from([table for table, _, _ in VALUES])


def holds(rule: MemberRule, value: Any) -> bool:
    """The same verdict, written as a reader of the contract would."""
    kind = type_of(value)
    if rule.type == "integer" and (not isinstance(value, int) or isinstance(value, bool)):
        return False
    if rule.type not in (None, "integer") and kind != rule.type:
        return False
    if rule.allowed is not None and not any(
        item == value and isinstance(item, bool) == isinstance(value, bool) for item in rule.allowed
    ):
        return False
    low, high = rule.min, rule.max
    if (low, high) != (None, None) and (
        kind != "number"
        or not (-math.inf if low is None else low) <= value <= (math.inf if high is None else high)
    ):
        return False
    if rule.max_length is not None and (kind != "string" or len(value) > rule.max_length):
        return False
    if rule.min_length is not None and (kind != "string" or len(value) < rule.min_length):
        return False
    return rule.max_items is None or (kind == "array" and len(value) <= rule.max_items)


class PropertyTests(SynchronousTestCase):
    @given(RULES, JSON_VALUES)
    def test_whatever_passes_holds(self, table: dict[str, Any], value: Any) -> None:
        """The judge and a naive reading of the rule agree on every value."""
        judged = rules(rules={"a": table})
        try:
            judged.judge(from_json({"a": value}))
            passed = True
        except BodyNotAllowed:
            passed = False
        self.assertEqual(passed, holds(judged.rules["a"], value))

    @given(st.dictionaries(st.sampled_from(["a", "b", "A", "c_d", "cD"]), JSON_VALUES))
    def test_members(self, body: dict[str, Any]) -> None:
        """What passes has no member beyond ``only`` and none of ``forbid``."""
        judged = BodyRules(only=("a", "b", "c_d"), forbid=("b",))
        try:
            judged.judge(from_json(body))
        except BodyNotAllowed:
            self.assertTrue(set(body) - {"a", "c_d"})
        else:
            self.assertLessEqual(set(body), {"a", "c_d"})
