"""What a route sends of its own."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import UserKeyHeader
from naap_twisted.options.injected import (
    KeyTable,
    host_tables,
    is_written_out,
    pinned_base,
    query_pairs,
)
from naap_twisted.options.values import Flaws, Surroundings
from naap_twisted.secret import Secret

from .test_secrets import CANARY, SecretsCase

ENV = Secret("canary-key", "env:KEY")


class QueryTests(SecretsCase):
    def test_read(self) -> None:
        """Keys and plain text, each a Secret that shows its source only."""
        pairs = query_pairs({"key": "${env:KEY}", "city": "Z\u00fcrich"}, self.around)
        self.assertEqual(pairs["key"].reveal(), CANARY.encode())
        self.assertEqual(pairs["city"].source, "config")
        self.assertNotIn(CANARY, repr(pairs))
        self.assertEqual(query_pairs(None, self.around), {})

    def test_refused(self) -> None:
        """Names that are none, twins, values that are no key; nothing is quoted."""
        self.write("empty", b"\n")
        table = [
            ({"": "a"}, "[name 1]"),
            ({"a": "b", f"{CANARY}\n": "key"}, "[name 2]"),
            ({"key": "a", "KEY": "b"}, ".KEY"),
            ({"api-key": "a", "api_key": "b"}, ".api_key"),
            ({"key": 3}, ".key"),
            ({"key": "${env:NONE}"}, ".key"),
            ({"key": "${env:LINES}"}, ".key"),
            ({"key": "${file:empty}"}, ".key"),
            ({"key": "${user_key:a}"}, ".key"),
        ]
        for written, where in table:
            error = self.assertRaises(Flaws, query_pairs, written, self.around)
            self.assertEqual([found for found, _ in error.flaws], [where])
            self.assertNotIn(CANARY, str(error))
        self.assertRaises(ValueError, query_pairs, "key", self.around)

    def test_values_outside_ascii(self) -> None:
        """No key has such a character; a text of the config's may."""
        self.write("key", "k\u00e9y".encode())
        error = self.assertRaises(Flaws, query_pairs, {"key": "${file:key}"}, self.around)
        self.assertIn("outside ASCII", str(error))


class HostsTests(SecretsCase):
    def test_read(self) -> None:
        """Each host as a target has it, with either table, both or none."""
        written = {
            "API.Example.com.": {"forward_headers": {"Authorization": "Bearer ${env:KEY}"}},
            "b.example.com": {"forward_query": {"key": "${env:KEY}"}},
            "c.example.com": {},
            "::1": {},
            "[::2]": {},
        }
        tables = host_tables(written, self.around)
        self.assertEqual(
            [*tables], ["api.example.com", "b.example.com", "c.example.com", "::1", "::2"]
        )
        self.assertEqual(
            [table.carries_key for table in tables.values()], [True, True, *[False] * 3]
        )
        self.assertNotIn(CANARY, repr(tables))
        self.assertEqual(host_tables(None, self.around), {})

    def test_refused(self) -> None:
        """Each problem with its place; a key in the place of a name is not quoted."""
        headers = {"forward_headers": {"A": "${env:KEY}"}}
        table = [
            ({"*.example.com": headers}, "[name 1]"),
            ({"a.example.com": {}, f"Bearer {CANARY}": headers}, "[name 2]"),
            ({3: headers}, "[name 1]"),
            ({"a.example.com": {}, "A.example.com": {}}, '."a.example.com"'),
            ({"a.example.com": "x"}, '."a.example.com"'),
            ({"a.example.com": {"headers": {}}}, '."a.example.com"'),
            (
                {"a.example.com": {"forward_headers": {"A": "${env:NONE}"}}},
                '."a.example.com".forward_headers.A',
            ),
            (
                {"a.example.com": {"forward_query": {"a": 3}}},
                '."a.example.com".forward_query.a',
            ),
        ]
        for written, where in table:
            error = self.assertRaises(Flaws, host_tables, written, self.around)
            self.assertEqual([found for found, _ in error.flaws], [where])
            self.assertNotIn(CANARY, str(error))
        self.assertRaises(ValueError, host_tables, ["a.example.com"], self.around)


class PinnedTests(SecretsCase):
    def test_read(self) -> None:
        """Its secrets are read; what is shown is what was written."""
        self.write("hook", b"canary-of-a-file\n")
        pinned = pinned_base("https://a.example/${env:KEY}/${file:hook}", self.around)
        self.assertEqual([secret.source for secret in pinned.secrets], ["env:KEY", "file:hook"])
        self.assertEqual(pinned.opened(pinned.base.path_and_query), f"/{CANARY}/canary-of-a-file")
        self.assertNotIn("canary", repr(pinned).replace("canary-of", ""))
        self.assertIsNone(pinned_base(None, self.around))
        self.assertEqual(pinned_base("https://a.example/v1", self.around).secrets, ())

    def test_refused(self) -> None:
        """Pieces that are none, values that are no segment; nothing of a value is told."""
        self.write("empty", b"\n")
        around = {"SLASH": f"{CANARY}/x", "DOTS": "..", "UMLAUT": f"{CANARY}\u00e9", "VAR": "$KEY"}
        surroundings = Surroundings(self.directory, {**self.around.environ, **around})
        for piece, reason in (
            ("${env:NONE}", "environment variable NONE is not set"),
            ("${env:EMPTY}", "environment variable EMPTY is empty"),
            ("${file:empty}", "is empty"),
            ("${env:LINES}", "control character"),
            ("${env:SLASH}", "secret from env:SLASH holds a character that can't stand in one"),
            ("${env:DOTS}", "dot segment"),
            ("${env:UMLAUT}", "outside ASCII"),
            ("${env:VAR}", "is a variable's name"),
            ("${basic:env:KEY:}", "has no meaning in a path"),
            ("${user_key:a}", "forward_headers only"),
            ("${env:KEY", "without its }"),
        ):
            url = f"https://a.example/{piece}"
            error = self.assertRaises(ValueError, pinned_base, url, surroundings)
            self.assertIn(reason, str(error), piece)
            self.assertNotIn(CANARY, str(error))
        error = self.assertRaises(ValueError, pinned_base, "ftp://a", self.around)
        self.assertFalse(str(error).startswith("target"))


class WrittenOutTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A literal of a key's name is a key; a version, or what a variable holds, is not one."""
        literal = Secret("canary-key", "config")
        for name in (
            *("key", "Authorization", "X-Api-Key", "apikey", "accessKey", "access_token", "sig"),
            *("appid", "app_id", "X-Signature", "code", "client_secret", "Ocp-Subscription-Key"),
        ):
            self.assertTrue(is_written_out(name, literal), name)
            self.assertFalse(is_written_out(name, ENV), name)
        for name in ("api-version", "v", "format", "X-Version", "monkey", "keyboard", "encode"):
            self.assertFalse(is_written_out(name, literal), name)
        self.assertFalse(is_written_out("key", UserKeyHeader("a")))


class TableTests(SynchronousTestCase):
    def test_carries_key(self) -> None:
        """Any header, and a parameter that is no plain text."""
        plain = Secret("2024-10-21", "config")
        for table, carries in (
            (KeyTable(), False),
            (KeyTable({"A": ENV}), True),
            (KeyTable(dict), True),
            (KeyTable({}, {"key": ENV}), True),
            (KeyTable({}, {"api-version": plain}), False),
            (KeyTable({}, {"key": plain}), True),
        ):
            self.assertEqual(table.carries_key, carries)
            self.assertNotIn("canary", repr(table))

    def test_values(self) -> None:
        """Each with its place; what a callable makes is nobody's to know."""
        found = list(KeyTable({"A": ENV}, {"b": ENV}).values())
        self.assertEqual(found, [("forward_headers", "A", ENV), ("forward_query", "b", ENV)])
        self.assertEqual(list(KeyTable(dict).values()), [])
        self.assertEqual(KeyTable({"A": ENV, "B": UserKeyHeader("x")}).fixed_headers, {"A": ENV})
        self.assertEqual(KeyTable(dict).fixed_headers, {})
        self.assertEqual(KeyTable(dict).header_names, ("(callable)",))
        self.assertEqual(KeyTable({"A": ENV}).header_names, ("A",))
