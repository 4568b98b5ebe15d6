"""Single values: what is taken, what is refused and in which words."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options import values


class ScalarTests(SynchronousTestCase):
    def test_taken(self) -> None:
        """Values of the right type come out parsed."""
        table = [
            (values.text, "", ""),
            (values.name, "ai", "ai"),
            (values.flag, True, True),
            (values.flag, False, False),
            (values.count, 1, 1),
            (values.integer, -3, -3),
            (values.duration, "500ms", 0.5),
            (values.duration, 2, 2.0),
            (values.size, "1kb", 1024),
            (values.one_of("a", "b"), "b", "b"),
            (values.list_of(values.text, what="words"), [], ()),
            (values.one_or_list(values.text, what="words"), "a", ("a",)),
            (values.one_or_list(values.text, what="words"), ["a", "b"], ("a", "b")),
        ]
        for parse, value, parsed in table:
            self.assertEqual(parse(value), parsed, f"{parse} {value!r}")

    def test_refused(self) -> None:
        """Wrong types (true is no number) and limits of zero or less: refused with the reason."""
        table = [
            (values.text, 1, "expected text, got a whole number"),
            (values.text, True, "expected text, got true or false"),
            (values.text, {}, "expected text, got a table"),
            (values.name, " ", "printable"),
            (values.name, "a\nb", "printable"),
            (values.name, "x" * 101, "100"),
            (values.flag, "true", "expected true or false, got text"),
            (values.flag, 1, "expected true or false, got a whole number"),
            (values.count, 0, "must be more than zero"),
            (values.count, -1, "must be more than zero"),
            (values.count, True, "expected a whole number"),
            (values.count, 1.0, "expected a whole number, got a number"),
            (values.duration, 0, "must be more than zero"),
            (values.duration, "-1s", "is not a duration"),
            (values.duration, 10**400, "is too large"),
            (values.size, 0, "must be more than zero"),
            (values.size, "9" * 400 + "kb", "is too large"),
            (values.one_of("a", "b"), "c", 'must be one of "a", "b"'),
            (values.list_of(values.text, what="words"), "a", "expected a list of words, got text"),
            (values.list_of(values.text, what="words", empty=False), [], "at least one"),
        ]
        for parse, value, reason in table:
            error = self.assertRaises(ValueError, parse, value)
            self.assertIn(reason, str(error), f"{value!r}"[:60])


class FlawsTests(SynchronousTestCase):
    def test_each_item_is_a_problem_of_its_own(self) -> None:
        """A list with two bad items says where each of them is."""
        parse = values.list_of(values.count, what="numbers")
        error = self.assertRaises(values.Flaws, parse, [1, 0, "x"])
        self.assertEqual(
            error.flaws,
            (
                ("[1]", "must be more than zero"),
                ("[2]", "expected a whole number, got text"),
            ),
        )

    def test_nested(self) -> None:
        """A path grows from the outside in."""
        error = values.Flaws((".to", "no"))
        self.assertEqual(values.flaws_of(error, "[3]"), [("[3].to", "no")])
        self.assertEqual(values.flaws_of(ValueError("no"), "[3]"), [("[3]", "no")])

    def test_table_of(self) -> None:
        """Missing and unknown keys of an inline table are each named, and so are bad values."""
        parse = values.table_of(a=values.count, c=values.text)
        self.assertEqual(parse({"c": "x", "a": 1}), {"a": 1, "c": "x"})
        error = self.assertRaises(values.Flaws, parse, {"b": 1, "c": "x"})
        self.assertEqual(error.flaws, ((".a", "is missing"), (".b", "unknown key")))
        error = self.assertRaises(values.Flaws, parse, {"a": 0, "c": 1})
        self.assertEqual([where for where, _ in error.flaws], [".a", ".c"])
        self.assertRaises(ValueError, parse, [])

    def test_json_object(self) -> None:
        """What JSON can hold passes, as plain lists and tables; what it can't is refused."""
        table = {"a": ("x", 1, 1.5, True, {"b": {}}), "c": ""}
        self.assertEqual(values.json_object(table), {"a": ["x", 1, 1.5, True, {"b": {}}], "c": ""})
        deep: dict[str, object] = {}
        for _ in range(20):
            deep = {"a": deep}
        for bad in ([], {"a": None}, {"a": b"x"}, {1: "x"}, {"a": float("nan")}, deep):
            self.assertRaises(ValueError, values.json_object, bad)
