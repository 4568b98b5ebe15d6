"""Provider files: what may stand in one, and that ours are fine."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.headers import ACCOUNT_CHOOSING, HeaderPatterns
from naap_twisted.options.provider import (
    MOST_BYTES,
    parse_provider,
    provider,
    provider_names,
    provider_text,
)
from naap_twisted.options.values import Surroundings

ACME = """
title = "Acme"
variable = "ACME_KEY"
[needs]
target = '"https://acme.example"'
[route]
methods = ["GET"]
[headers]
send = ["X-Acme-*"]
read = ["X-Acme-Cost"]
urls = ["Acme-Upload-URL"]
choosing = ["Acme-Account"]
[key]
header = "X-Acme-Key"
value = "Key ${key}!"
[token]
headers = ["X-Acme-Key"]
scheme = "Acme"
[usage]
input = ["usage.in"]
output_beside = ["usage.thoughts.out"]
[stream_usage]
endpoints = ["POST /chat"]
"""


class ProviderTests(SynchronousTestCase):
    def test_parse(self) -> None:
        """Every section."""
        acme = parse_provider("acme", ACME)
        self.assertEqual((acme.name, acme.title, acme.variable), ("acme", "Acme", "ACME_KEY"))
        self.assertEqual(acme.route, {"methods": ["GET"]})
        self.assertEqual(acme.headers.urls, ("Acme-Upload-URL",))
        self.assertEqual(acme.headers.choosing, ("Acme-Account",))
        self.assertEqual((acme.key.header, acme.key.value), ("X-Acme-Key", "Key ${key}!"))
        place = acme.token_place
        self.assertEqual((place.headers, place.scheme), ((b"X-Acme-Key",), b"acme"))
        assert acme.token_members is not None
        self.assertEqual(acme.token_members.reports, {(b"usage",)})
        self.assertEqual(acme.stream_usage.endpoints, ("POST /chat",))
        self.assertEqual(acme.stream_usage.member, "stream_options.include_usage")

    def test_seconds_alone(self) -> None:
        """An API that is paid by the length of a recording reports nothing else."""
        written = "[usage]\nseconds = ['meta.length']\nmodel = ['name']"
        members = parse_provider("heard", written).token_members
        assert members is not None
        self.assertEqual((members.reports, members.models), ({(b"meta",)}, {(b"name",)}))
        self.assertIsNone(parse_provider("heard", "[usage]\nmodel = ['name']").token_members)
        self.assertRaises(ValueError, parse_provider, "heard", "[usage]\nmodel = ['a..b']")

    def test_left_out(self) -> None:
        """An empty file: a bearer key, no token elsewhere."""
        plain = parse_provider("plain", "")
        self.assertEqual(plain.key.option, "forward_headers")
        self.assertEqual(plain.key.places, (("Authorization", "Bearer ${key}"),))
        self.assertFalse(plain.token_place)

    def test_key_in_the_query(self) -> None:
        """In place of a header: the key alone, or with text around it."""
        place = parse_provider("maps", "[key]\nquery = 'key'").key
        self.assertEqual(place.option, "forward_query")
        self.assertEqual(place.places, (("key", "${key}"),))
        place = parse_provider("maps", "[key]\nquery = 'key'\nvalue = 'v1:${key}'").key
        self.assertEqual(place.places, (("key", "v1:${key}"),))

    def test_bad(self) -> None:
        """Each mistake is told, with the file's name, and nothing else is."""
        for written, words in (
            ("=", "not TOML"),
            ("titel = 'x'", 'titel: unknown key; did you mean "title"?'),
            ("title = 3", "title: expected text, got a whole number"),
            ("[route]\n[rout]", "rout: unknown key"),
            ("headers = 3", "headers: expected a table"),
            ("[headers]\nsent = []", 'headers.sent: unknown key; did you mean "send"?'),
            ("[headers]\nsend = ['Host']", "headers.send[0]: Host belongs to the connection"),
            ("[headers]\nread = ['Set-Cookie']", "headers.read[0]: Set-Cookie is never relayed"),
            ("[headers]\nsend = ['A-*']\nchoosing = ['A-B']", "A-B chooses an account"),
            ("[headers]\nsend = ['OpenAI-*']", "OpenAI-Organization chooses an account"),
            (
                "[headers]\nsend = ['Cookie']",
                "Cookie is the caller's own; only a route may pass it",
            ),
            ("[headers]\nsend = ['authorization']", "authorization is the caller's own"),
            ("[headers]\nsend = ['X-Forwarded-*']", "X-Forwarded-* is the caller's own"),
            ("[headers]\nsend = ['X-K']\n[token]\nheaders = ['x-k']", "X-K is the caller's own"),
            ('title = "a\\u001b[31m"', "title: holds something else than printable text"),
            ('variable = "A\\nB"', "variable: holds something else than printable text"),
            ("[needs]\ntarget = 3", "needs: holds something else than printable text"),
            ('[needs]\n"a\\nb" = "c"', "needs: holds something else than printable text"),
            ("[key]\nvalue = 'Bearer'", "key.value: must hold ${key} once"),
            ("[key]\nheader = 'Content-Length'", "key.header: Content-Length belongs"),
            ("[key]\nquery = ' '", "key.query: is not a name"),
            ("[key]\nquery = 'k'\nheader = 'K'", "key.query: has no meaning beside key.header"),
            ("[key]\nquery = 'k'\nbearer = true", "key.query: has no meaning beside key.bearer"),
            ("[usage]\ninput = ['tokens']", "usage.input[0]: is not the path of a member"),
            ("[usage]\noutput = ['usage..a']", "usage.output[0]: is not the path of a member"),
            ("[token]\nscheme = 'a b'", "token.scheme: is not an authentication scheme"),
        ):
            with self.subTest(written=written), self.assertRaises(ValueError) as caught:
                parse_provider("bad", written)
            self.assertIn(words, str(caught.exception))
            self.assertIn("bad: ", str(caught.exception))

    def test_ours(self) -> None:
        """Every file of the package parses, has a title, and passes nothing that chooses."""
        self.assertIn("anthropic", provider_names())
        for name in provider_names():
            with self.subTest(name=name):
                known = parse_provider(name, provider_text(name))
                self.assertTrue(known.title)
                passed = HeaderPatterns(known.headers.send)
                for choosing in (*ACCOUNT_CHOOSING, *known.headers.choosing):
                    self.assertFalse(passed.match(choosing.encode()), choosing)

    def test_our_endpoints(self) -> None:
        """Each of ours has groups and a least, which deletes nothing but a client's own session.

        A group that deletes says so in its name; a limit holds where a group leads.
        """
        for name in provider_names():
            known = parse_provider(name, provider_text(name))
            with self.subTest(name=name):
                self.assertTrue(known.least)
                self.assertTrue(known.opens)
                for group, texts in known.endpoints.items():
                    deletes = any(text.startswith("DELETE ") for text in texts)
                    self.assertEqual(deletes, group.endswith("-delete"), group)
                    self.assertFalse(deletes and f"@{group}" in known.least and name != "mcp")
                methods = known.route["methods"]
                assert isinstance(methods, list)
                opened = [text for texts in known.endpoints.values() for text in texts]
                used = {text.partition(" ")[0] for text in opened}
                self.assertEqual(used - {*methods, "HEAD"}, set(), "methods of no use")
                for limit in known.limits:
                    self.assertEqual({*limit.endpoints} - {*opened}, set())

    def test_models_are_named(self) -> None:
        """Where a vendor's models are bounded, its file says where a request names one."""
        for name in provider_names():
            known = parse_provider(name, provider_text(name))
            named = known.model.body or known.model.query or known.model.path
            self.assertFalse(known.limits and not named, name)

    def read(self, value: object) -> object:
        return provider(value, Surroundings(self.folder, {}))

    def test_own_file(self) -> None:
        """By its path from the config's directory; bounded, UTF-8; a name is none of a file."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.folder.joinpath("acme.toml").write_text(ACME)
        self.assertEqual(self.read("./acme.toml"), parse_provider("./acme.toml", ACME))
        self.folder.joinpath("long.toml").write_text("#" * (MOST_BYTES + 1))
        self.folder.joinpath("latin.toml").write_bytes(b"title = '\xe9'")
        for name, words in (
            ("gone.toml", "cannot read"),
            ("long.toml", "is over"),
            ("latin.toml", "is not UTF-8"),
            ("acme", 'nor the path of a file, such as "./acme.toml"'),
            ("opneai", 'did you mean "openai"?'),
            ("OpenAI", 'did you mean "openai"?'),
            ("../anthropic", "is none of anthropic"),
        ):
            with self.subTest(name=name), self.assertRaises(ValueError) as caught:
                self.read(name)
            self.assertIn(words, str(caught.exception))
