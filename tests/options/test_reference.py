"""What is written of the options: README's tables, the schema, the commented config."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config import parse_config
from naap_twisted.options import reference
from naap_twisted.options.option import options_of
from naap_twisted.options.route import RouteOptions
from naap_twisted.options.server import SECTIONS
from naap_twisted.start.cli import example_config

from .verdict_vectors import ROWS, file_of

ROOT = Path(__file__).parent.parent.parent
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def is_one_of(value: Any, kinds: str | list[str]) -> bool:
    """Whether *value* is of one of the types; ``true`` is no number."""
    listed = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return "boolean" in listed
    return any(isinstance(value, TYPES[kind]) for kind in listed)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether *value* is what *schema* describes: the words of JSON Schema that ours uses."""
    checks = {
        "type": lambda kinds: is_one_of(value, kinds),
        "const": lambda wanted: value == wanted and type(value) is type(wanted),
        "enum": lambda choices: value in choices,
        "anyOf": lambda choices: any(fits(value, each) for each in choices),
        "required": lambda keys: all(key in value for key in keys),
        "properties": lambda known: all(
            fits(value[key], known[key]) for key in known if key in value
        ),
        "minItems": lambda least: len(value) >= least,
        "items": lambda item: all(fits(each, item) for each in value),
        "pattern": lambda pattern: re.search(pattern, value) is not None,
        "minLength": lambda least: len(value) >= least,
        "maxLength": lambda most: len(value) <= most,
        "minimum": lambda least: value >= least,
        "maximum": lambda most: value <= most,
        "additionalProperties": lambda rest: all(
            rest is not False and fits(value[key], rest)
            for key in set(value) - set(schema.get("properties", ()))
        ),
    }
    told = {"description", "default", "title", "$schema"}
    assert set(schema) <= {*checks, *told}, schema
    return all(check(schema[word]) for word, check in checks.items() if word in schema)


class ReadmeTests(SynchronousTestCase):
    def test_tables(self) -> None:
        """README has the tables that ``naap-proxy options --markdown`` prints."""
        readme = (ROOT / "README.md").read_text("utf-8")
        for mark in (reference.ROUTE_MARK, reference.SERVER_MARK):
            table = reference.tables().partition(mark)[2].partition("\n\n")[0]
            self.assertGreater(table.count("\n"), 10)
            self.assertIn(f"{mark}{table.rstrip()}\n\n", readme)

    def test_text(self) -> None:
        """The command for people names every option, with what it is."""
        text = reference.text()
        for each in reference.every_option():
            self.assertIn(each.key, text)
            self.assertTrue(each.sentence.endswith("."), each.place)


class SchemaTests(SynchronousTestCase):
    def test_example(self) -> None:
        """The commented config fits, also with every commented option in it."""
        schema = json.loads(reference.schema_text())
        self.assertTrue(fits(tomllib.loads(example_config()), schema))

    def test_what_the_doors_take(self) -> None:
        """No editor underlines a value that a start takes; unknown keys it does."""
        schema = reference.schema()
        for row in ROWS:
            if row.good:
                self.assertTrue(fits(tomllib.loads(file_of(row)), schema), row)
        for text in ("[servr]", "[server]\nnam = 1", "[[proxy]]\npth = 1", "[[proxy]]\npath = 3"):
            self.assertFalse(fits(tomllib.loads(text), schema), text)

    def test_examples_of_options(self) -> None:
        """Each option's own example fits its place."""
        for part in (*SECTIONS, RouteOptions):
            for each in options_of(part).values():
                if each.example:
                    value = tomllib.loads(f"x = {each.example}")["x"]
                    self.assertTrue(fits(value, dict(each.kind.schema)), each.place)


class ExampleTests(SynchronousTestCase):
    def test_every_option(self) -> None:
        """``naap-proxy init`` shows every option of a file, and no other."""
        every = {each.key for each in reference.every_option() if each.in_file}
        tables = re.findall(r"^\[([a-z]+)\]", example_config(), re.MULTILINE)
        shown = {*tables, *re.findall(r"\b([a-z0-9_]+) = ", example_config())}
        self.assertEqual(every - shown, set())
        lines = re.findall(r"^(?:#\s*)?([a-z_]+) = ", example_config(), re.MULTILINE)
        self.assertEqual(set(lines) - every, set())

    def test_what_is_commented_out(self) -> None:
        """Each of its commented lines is a good one: it is read once it is put in."""
        lines = example_config().splitlines()
        for index, line in enumerate(lines):
            if re.match(r"# [a-z_]+ = ", line) and not line.startswith(NEEDING):
                text = "\n".join([*lines[:index], line[2:], *lines[index + 1 :]])
                config = parse_config(text, environ=KEYS)
                self.assertTrue(config.proxy, line)


KEYS = {"OPENAI_API_KEY": "sk-1234567890", "MAPS_KEY": "AIza-1234567890"}
#: They need a file, a variable or another option.
NEEDING = ("# ca_file", "# client_", "# database_url", "# master_key", "# alert_")
