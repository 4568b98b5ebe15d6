"""Tests for naap_twisted.policy.query_rules."""

from __future__ import annotations

import re
import tomllib
from urllib.parse import quote, unquote, unquote_plus

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.query_rules import METHOD_PARAMETERS, QueryRules

BOUNDED = settings(max_examples=1500, derandomize=True, database=None, deadline=None)

OPEN = {"model": ["gpt-realtime*", "o3"], "limit": ["*"], "expand[]": ["a", "b c"], "api-v": ["1"]}
CLOSED = {**OPEN, "!": True}

#: A query, and whether the open and the closed table let it through.
VECTORS = [
    ("", True, True),
    ("&", True, True),
    ("&&", True, True),
    ("model=o3", True, True),
    ("model=gpt-realtime", True, True),
    ("model=gpt-realtime-mini", True, True),
    ("&model=o3&", True, True),
    ("m%6fdel=o3", True, True),
    ("model=%6f3", True, True),
    ("model=o3&limit=5", True, True),
    ("limit=", True, True),
    ("limit", True, True),
    ("limit=100%25", True, True),
    ("limit=%2541", True, True),
    ("limit=a+b%20c", True, True),
    ("expand[]=a", True, True),
    ("expand%5B%5D=a&expand[]=b%20c", True, True),
    ("api-v=1", True, True),
    # Not listed.
    ("x=1", True, False),
    ("x", True, False),
    ("=1", True, False),
    ("x=model=o3", True, False),
    ("x=%26model%3Do4", True, False),
    ("models=1", True, False),
    ("mod=1", True, False),
    ("[]=1", True, False),
    # Another value, or one that is read in more than one way.
    ("model=", False, False),
    ("model", False, False),
    ("model=o4", False, False),
    ("model=o3x", False, False),
    ("model=O3", False, False),
    ("model=+o3", False, False),
    ("model=o3%20", False, False),
    ("model=o3%00", False, False),
    ("model=o3%0a", False, False),
    ("model=%256f3", False, False),
    ("model=gpt-realtime%2541", False, False),
    ("model=gpt-realtime%25252f", False, False),
    ("model=gpt-realtime%", False, False),
    ("model=gpt-realtime%zz", False, False),
    ("model=gpt-realtim", False, False),
    ("model=gpt%2Drealtime", True, True),
    ("model=o3=", False, False),
    ("limit=a%0d%0ab", False, False),
    ("limit=%00", False, False),
    ("expand[]=c", False, False),
    ("expand[]=a&expand[]=c", False, False),
    ("expand[]=b+c", False, False),
    # Twice.
    ("model=o3&model=o3", False, False),
    ("model=o3&model=o4", False, False),
    ("model=o3&m%6fdel=o3", False, False),
    ("limit=1&limit=2", False, False),
    # Another spelling of a listed name.
    ("Model=o3", False, False),
    ("MODEL=o4", False, False),
    ("m%256fdel=o3", False, False),
    ("m%25256fdel=o3", False, False),
    ("+model=o3", False, False),
    ("model+=o3", False, False),
    ("model%20=o3", False, False),
    ("model%09=o3", False, False),
    ("model%00=o3", False, False),
    ("model%00x=o3", False, False),
    ("model[]=o3", False, False),
    ("model%5B%5D=o3", False, False),
    ("model[0]=o3", False, False),
    ("model[x][y]=o3", False, False),
    ("model%255B%255D=o3", False, False),
    ("expand=c", False, False),
    ("expand[0]=a", False, False),
    ("expand[][]=a", False, False),
    ("Expand[]=a", False, False),
    ("api_v=1", False, False),
    ("api.v=1", False, False),
    ("api+v=1", False, False),
    ("API-V=1", False, False),
    # Separators.
    ("model=o3;x=1", False, False),
    ("x=1;model=o4", False, False),
    ("x=1;y=2", False, False),
    ("limit=1%3B2", True, True),
    # The method.
    ("_method=DELETE", False, False),
    ("_HttpMethod=DELETE", False, False),
    ("x=1&_method=DELETE", False, False),
    ("_METHOD=DELETE", False, False),
    ("%5Fmethod=DELETE", False, False),
    ("%255Fmethod=DELETE", False, False),
    (".method=DELETE", False, False),
    ("_method[]=DELETE", False, False),
    ("_method", False, False),
    ("$httpMethod=DELETE", False, False),
    ("%24httpMethod=DELETE", False, False),
    ("x-http-method-override=PUT", False, False),
    ("X_HTTP_Method=PUT", False, False),
]
#: A table that is refused, and words of what to write instead.
BAD = [
    ({"model": "gpt-4o"}, "list of texts"),
    ({"model": True}, "list of texts"),
    ({"model": [1]}, "list of texts"),
    ({"model": []}, '["*"]'),
    ({"model": ["a*b"]}, "stand last"),
    ({"model": ["*a"]}, "stand last"),
    ({"model": ["**"]}, "stand last"),
    ({"model": ["a", "a"]}, "twice"),
    ({"": ["a"]}, "not the name"),
    ({" a": ["a"]}, "not the name"),
    ({"a%62": ["a"]}, "decoded"),
    ({"a\n": ["a"]}, "not the name"),
    ({"a&b": ["a"]}, "each name"),
    ({"a*": ["a"]}, "each name"),
    ({"_method": ["PUT"]}, "never passed"),
    ({"X-HTTP-Method-Override": ["PUT"]}, "never passed"),
    ({"!": False}, "left out"),
    ({"!": ["a"]}, "left out"),
    ({"api-version": ["1"], "api_version": ["1"]}, "write one of them"),
    ({"expand": ["a"], "expand[]": ["a"]}, "write one of them"),
]
PIECES = (
    "model",
    "Model",
    "mo",
    "%6d",
    "%256d",
    "odel",
    "=",
    "=",
    "&",
    "&",
    "o3",
    "o4",
    "%6f",
    "3",
)
QUERIES = st.lists(
    st.sampled_from((*PIECES, "[]", "%5b%5d", ";", "+", "%00", "%", "%2e", ".", "x", "%26", "%3d")),
    max_size=10,
).map("".join)


class VerdictTests(SynchronousTestCase):
    def test_vectors(self) -> None:
        """Each query passes or is refused, with unlisted parameters open and closed."""
        for query, with_open, with_closed in VECTORS:
            for table, allowed in ((OPEN, with_open), (CLOSED, with_closed)):
                with self.subTest(query=query, closed="!" in table):
                    refusal = QueryRules.from_table(table).refusal(query)
                    self.assertEqual(refusal is None, allowed)

    def test_without_rules(self) -> None:
        """Everything passes, but what would be read as the method."""
        rules = QueryRules()
        for query in ("", "x=1", "x=1;y=2", "x=1&x=2", "x=%2541", "method=1", "a_method=1", "_m=1"):
            self.assertIsNone(rules.refusal(query), query)
        for name in METHOD_PARAMETERS:
            for query in (f"{name}=PUT", f"x=1&{quote(name)}", f"x=1;{name.upper()}=PUT"):
                refusal = rules.refusal(query)
                assert refusal is not None
                self.assertEqual((refusal.param, refusal.remedy), (name, ""))

    @BOUNDED
    @given(QUERIES)
    def test_readers_agree(self, query: str) -> None:
        """What passes has one value of the listed parameter to every reader, and a listed one."""
        rules = QueryRules.from_table({"model": ["o3", "o3x"]})
        if rules.refusal(query) is not None:
            return
        found = []
        for pair in re.split("[&;]", query):
            for decode in (unquote, unquote_plus):
                name, _, value = pair.partition("=")
                for _ in range(3):
                    name, value = decode(name), decode(value)
                    if re.split(r"[\[\0]", name.strip().lower())[0] == "model":
                        self.assertIn(value, ("o3", "o3x"))
                        found.append(pair)
        self.assertLessEqual(len(set(found)), 1)
        self.assertIn(len(found), (0, 6))

    def test_names_are_judged_once(self) -> None:
        """A member of a list is judged by the rule of the fullest name."""
        rules = QueryRules.from_table({"filter": ["a"], "filter[x]": ["b"]})
        self.assertIsNone(rules.refusal("filter=a&filter[x]=b"))
        for query in ("filter[x]=a", "filter[y]=a", "filter[x][y]=b", "filter[X]=b"):
            self.assertIsNotNone(rules.refusal(query), query)


class ListTests(SynchronousTestCase):
    def test_lists(self) -> None:
        """Whatever some reader takes for a listed name is listed."""
        rules = QueryRules.from_table({"expand[]": ["*"], "api-version": ["1"]})
        for name, listed in (("expand[]", True), ("Api_Version", True), ("model", False)):
            self.assertEqual(rules.lists(name), listed)


class RefusalTests(SynchronousTestCase):
    def test_words(self) -> None:
        """The refusal names the parameter; the remedy is a line, without an unusual value."""
        rules = QueryRules.from_table(CLOSED)
        for query, param, remedy in (
            ("model=gpt-4o", "model", 'query = { model = ["gpt-4o"] }'),
            ("model=sk-proj-9aB8cD7eF6", "model", 'query = { model = ["*"] }'),
            ("expand[]=customer", "expand[]", 'query = { "expand[]" = ["customer"] }'),
            ("after=file-abc123", "after", 'query = { after = ["*"] }'),
            ('a"b=1', 'a"b', ""),
            ("%c3%a9=1", "\\xe9", ""),
            ("model=o3&model=o3", "model", ""),
            ("model=%256f3", "model", ""),
            ("Limit=1", "limit", ""),
        ):
            refusal = rules.refusal(query)
            assert refusal is not None, query
            self.assertEqual((refusal.http_status, refusal.code), (403, "ENDPOINT_NOT_ALLOWED"))
            self.assertEqual(refusal.param, param)
            line = tomllib.loads(refusal.remedy)["query"] if refusal.remedy else {}
            wanted = tomllib.loads(remedy)["query"] if remedy else {}
            for name, values in wanted.items():
                self.assertEqual(line[name][-1:], values)
            self.assertEqual(line, {**CLOSED, **line} if wanted else {})
            self.assertIn(param, refusal.message)
            self.assertNotIn("sk-proj", refusal.message + refusal.for_log)

    def test_long(self) -> None:
        """A long name is told in few characters."""
        refusal = QueryRules.from_table(CLOSED).refusal("n" * 5000 + "=1")
        assert refusal is not None
        self.assertLess(len(refusal.message) + len(refusal.for_log), 250)

    def test_bad_tables(self) -> None:
        """A slip in the table is refused with what to write instead."""
        for table, words in BAD:
            with self.subTest(table=table):
                error = self.assertRaises(ValueError, QueryRules.from_table, table)
                self.assertIn(words, str(error))
