"""Tests of naap_twisted.config.lines: a problem's line in the file."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config.lines import lines_of, located
from naap_twisted.start.cli import example_config

TEXT = '''\
title = "[[proxy]]"
[server]
listen = [
  "tcp:1",  # key = 3
  "tcp:2",
]
note = """
[auth]
mode = "x"
"""
cors.origins = ["a"]

[[proxy]]
path = "/a"
[proxy.body]
require = { model = "m" }
[[proxy]]
path = "/b" # ]]
budget = [
  { usd = 1, per = "day" },
]
[[proxy.rule]]
x = 1
[[proxy.rule]]
"y z" = 2
[ "auth" ]
mode = 'none'
'''


class LinesTests(SynchronousTestCase):
    def test_places(self) -> None:
        """Keys and tables, those of lists by number; nothing within texts and lists."""
        self.assertEqual(
            lines_of(TEXT),
            {
                "title": 1,
                "server": 2,
                "server.listen": 3,
                "server.note": 7,
                "server.cors.origins": 11,
                "proxy[0]": 13,
                "proxy[0].path": 14,
                "proxy[0].body": 15,
                "proxy[0].body.require": 16,
                "proxy[1]": 17,
                "proxy[1].path": 18,
                "proxy[1].budget": 19,
                "proxy[1].rule[0]": 22,
                "proxy[1].rule[0].x": 23,
                "proxy[1].rule[1]": 24,
                "proxy[1].rule[1].y z": 25,
                "auth": 26,
                "auth.mode": 27,
            },
        )

    def test_located(self) -> None:
        """By the nearest place that the file has; else by the file alone."""
        told = [
            ("proxy[1].budget[0].per: is not a window", 19),
            ("proxy[1].key: is missing", 17),
            ("server.listen[1]: is taken", 3),
            ("auth.mode: is unknown", 27),
            ("auth: is wrong", 26),
            ("proxy[7].path: is not there", None),
            ("keys.master_key: is short", None),
            ("no place at all", None),
        ]
        for problem, line in told:
            place = "c.toml" if line is None else f"c.toml:{line}"
            self.assertEqual(list(located([problem], TEXT, "c.toml")), [f"{place}: {problem}"])

    def test_example(self) -> None:
        """Every key of the example is at its line, as tomllib has it."""
        text = example_config()
        lines = text.splitlines()
        tables = tomllib.loads(text)
        found = lines_of(text)
        for name, value in tables.items():
            for index, table in enumerate(value if isinstance(value, list) else [value]):
                place = f"{name}[{index}]" if isinstance(value, list) else name
                for key in table:
                    self.assertIn(key, lines[found[f"{place}.{key}"] - 1], (place, key))

    @given(st.text(alphabet="[]{}\"'#=.\n ab\\", max_size=60))
    def test_any_text(self, text: str) -> None:
        """Whatever is written, it ends, and points into the text."""
        for line in lines_of(text).values():
            self.assertIn(line, range(1, text.count("\n") + 3))
        self.assertEqual(len(list(located(["a[0].b: x", "a"], text, "f"))), 2)
