"""What a provider's file says of its endpoints: read, and each mistake told."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.provider import parse_provider
from naap_twisted.options.provider_opens import Limit, ModelNames, endpoint

ACME = """
least = ["@chat"]
opens = "training"
[endpoints]
chat = ["POST /chat/*", "GET /v1*/models/*:generate", "GET https://acme.example/v1/**"]
files-2 = ["POST /"]
[model]
body = ["model", "session.model"]
query = ["model"]
path = ["/models/{model}:*"]
[[limit]]
endpoints = ["POST /chat/*"]
members = ["max_tokens", "options.max"]
[[limit]]
endpoints = ["POST /"]
members = ["max"]
"""


class ProviderOpensTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Groups, the least of them, the places of a model, limits in their order."""
        acme = parse_provider("acme", ACME)
        self.assertEqual(list(acme.endpoints), ["chat", "files-2"])
        self.assertEqual(acme.endpoints["files-2"], ("POST /",))
        self.assertEqual((acme.least, acme.opens), (("@chat",), "training"))
        places = ModelNames(("model", "session.model"), ("model",), ("/models/{model}:*",))
        self.assertEqual(acme.model, places)
        first = Limit(("POST /chat/*",), ("max_tokens", "options.max"))
        self.assertEqual(acme.limits, (first, Limit(("POST /",), ("max",))))

    def test_left_out(self) -> None:
        """A file that says nothing of endpoints opens none by name."""
        plain = parse_provider("plain", "")
        self.assertEqual((plain.endpoints, plain.least, plain.opens), ({}, (), ""))
        self.assertEqual((plain.model, plain.limits), (ModelNames(), ()))

    def test_bad(self) -> None:
        """Each mistake is told at its place, with what to write."""
        limit = "[[limit]]\nendpoints = ['GET /a']\n"
        for written, words in (
            ("endpoints = 3", "endpoints: expected a table"),
            ("[endpoints]\nChat = ['GET /']", "endpoints.Chat: is not the name of a group"),
            ("[endpoints]\n'a\\nb' = ['GET /']", "is not the name of a group"),
            ("[endpoints]\nchat = 'GET /'", "endpoints.chat: expected a list of endpoints"),
            ("[endpoints]\nchat = []", "endpoints.chat: must list at least one of: endpoints"),
            ("[endpoints]\nchat = [3]", "endpoints.chat[0]: expected text, got a whole number"),
            ("[endpoints]\nchat = ['/a']", "endpoints.chat[0]: is not a method and a path"),
            ("[endpoints]\nchat = ['post /a']", 'methods are upper-case; write "POST"'),
            ("[endpoints]\nchat = ['GET  /a']", "the path must open with a slash"),
            ("[endpoints]\nchat = ['GET a']", "the path must open with a slash"),
            ("[endpoints]\nchat = ['GET /a b']", "has a blank or a control character"),
            ("[endpoints]\nchat = ['GET /a?b=c']", "has a query"),
            ("[endpoints]\nchat = ['GET /**/a']", '"**" may only stand last'),
            ("[endpoints]\nchat = ['GET /a*b*']", "has two stars in one segment"),
            ("[endpoints]\nchat = ['GET /a', 'GET /a']", 'endpoints.chat[1]: repeats "GET /a"'),
            ("least = '@chat'", "least: expected a list of groups"),
            ("least = ['chat']", 'least[0]: is not a group such as "@chat"'),
            ("least = ['@chat']", 'least[0]: no group "chat" is in [endpoints]'),
            ("opens = 3", "opens: expected text"),
            ('opens = "a\\nb"', "opens: holds something else than printable text"),
            ("[model]\nbodi = ['a']", 'model.bodi: unknown key; did you mean "body"?'),
            ("[model]\nbody = ['a..b']", "model.body[0]: is not a member of a body"),
            ("[model]\nquery = ['']", "model.query[0]: is not the name of a parameter"),
            ("[model]\npath = ['/models/*']", "model.path[0]: must hold {model} once"),
            (
                "[model]\npath = ['models/{model}']",
                "model.path[0]: the path must open with a slash",
            ),
            ("[limit]\nmembers = ['a']", "limit: expected [[limit]] tables"),
            ("[[limit]]\nmembers = ['a']", "limit[0].endpoints: is missing"),
            (limit, "limit[0]: needs members, or tokens in their place"),
            (f"{limit}members = []", "limit[0]: needs members, or tokens in their place"),
            (f"{limit}members = ['a']\ntokens = 3", "limit[0]: needs members, or tokens"),
            (f"{limit}tokens = 0", "limit[0].tokens: must be more than zero"),
            ("[model]\nrouters = [3]", "model.routers[0]: expected text"),
            (f"{limit}members = ['a b']", "limit[0].members[0]: is not a member of a body"),
            (f"{limit}members=['a']\n{limit}members=['b']", '"GET /a" has a limit already'),
            ("[usage]\nlimit = ['max']", "usage.limit: unknown key"),
            ("[stream_usage]\nendpoints = ['/a']", "stream_usage.endpoints[0]: "),
            ("[stream_usage]\nmember = ''", "stream_usage.member: is not a member of a body"),
        ):
            with self.subTest(written=written), self.assertRaises(ValueError) as caught:
                parse_provider("bad", written)
            self.assertIn(words, str(caught.exception))

    def test_paths(self) -> None:
        """Paths and URLs, of the form that a route's own endpoints have."""
        for path in ("/", "/a/b", "/*", "/a*/*b", "/a/**", "/models/*:go", "http://a.example/"):
            self.assertEqual(endpoint(f"GET {path}"), f"GET {path}")
        for path in ("", "a", "*", "ftp://a.example/b", "/a#b", "/a***"):
            self.assertRaises(ValueError, endpoint, f"GET {path}")
