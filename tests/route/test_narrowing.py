"""Requests with a page token that lists models: the route's own rules, and then the token's."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import TokenNotAllowed
from naap_twisted.model import PageGrant, User
from naap_twisted.policy.models import ModelPlaces
from naap_twisted.route.body import BodyPolicy
from naap_twisted.route.narrowing import Narrowing
from tests.spine import JSON, Answer, Spine, make_spine

FORM = "application/x-www-form-urlencoded"


def user(*models: str) -> User:
    return User("ada", page=PageGrant("a", ("/x",), 0, 1, models=models))


class Told:
    """Everybody is *user*."""

    def __init__(self, known: User) -> None:
        self.known = known

    def authenticate(self, request: object) -> User:
        return self.known


def spine(*models: str, **options: Any) -> Spine:
    """A route to ``/v1``, asked with a token of *models*."""
    told = {"authenticator": Told(user(*models)), "require_auth": True}
    return make_spine(server=told, target="https://api.example.com/v1", **options)


def ask(at: Spine, body: Any, kind: str = JSON[1], *, below: str = "/chat", **more: Any) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return at.ask(target=None, headers=[("Content-Type", kind)], body=raw, below=below, **more)


class NarrowingTests(SynchronousTestCase):
    NOT_ALLOWED = 403, "MODEL_NOT_ALLOWED"

    def test_none_where_nothing_is_named(self) -> None:
        """Strangers, users without a token and tokens without models cost nothing."""
        policy = BodyPolicy(["application/json"], 100, required=False)
        narrowing = Narrowing(True, ModelPlaces(), None, False, policy, policy)
        for known in (None, User("ada"), user()):
            self.assertIsNone(narrowing.of(known))
        self.assertIs(narrowing.of(user("a")), narrowing.of(user("a")))
        self.assertIsNot(narrowing.of(user("a")), narrowing.of(user("b")))
        loose = Narrowing(False, ModelPlaces(), None, False, policy, policy)
        self.assertIsNone(loose.of(user()))
        self.assertRaises(TokenNotAllowed, loose.of, user("a"))

    def test_listed(self) -> None:
        """The token's models pass, byte for byte; others and none do not."""
        at = spine("gpt-4o-mini", "gpt-5*")
        raw = b'{ "model": "gpt-5-mini",  "n": 1.0 }'
        self.assertEqual(ask(at, raw).code, 200)
        self.assertEqual(at.sent.body, raw)
        for body in (
            *({"model": "gpt-4o"}, {"model": ["gpt-4o"]}, {"model": 3}, {}, {"model": None}),
            {"Model": "gpt-4o-mini"},
        ):
            with self.subTest(body=body):
                self.assertIn(ask(at, body).error, (self.NOT_ALLOWED, (422, "BODY_NOT_ALLOWED")))
        self.assertEqual(len(at.upstream.seen), 1)

    def test_two_readings(self) -> None:
        """A body that readers take in two ways is refused on a route without rules, too."""
        at = spine("a")
        for body, kind in (
            *((b'{"model": "a", "model": "b"}', JSON[1]), (b"[]", JSON[1]), (b"x", "text/plain")),
            (b'{"model": "a"}', "application/json; charset=utf-16"),
        ):
            with self.subTest(body=body):
                self.assertGreaterEqual(ask(at, body, kind).code, 400)
        coded = [("Content-Type", JSON[1]), ("Content-Encoding", "gzip")]
        self.assertEqual(at.ask(target=None, headers=coded, body=b"{}").code, 415)
        self.assertEqual(at.upstream.seen, [])

    def test_query_and_other_types(self) -> None:
        """The query's model counts, and so does that of a form; where nothing tells, it is no."""
        at = spine("a", content_type=["application/json", FORM, "audio/*"])
        for body, kind, below, code in (
            (b"model=a&n=1", FORM, "/chat", 200),
            (b"model=b", FORM, "/chat", 403),
            ({"model": "a"}, JSON[1], "/chat?model=b", 403),
            (b"RIFF", "audio/wav", "/listen?model=a", 200),
            (b"RIFF", "audio/wav", "/listen?model=b", 403),
            (b"RIFF", "audio/wav", "/listen", 415),
        ):
            with self.subTest(body=body, below=below):
                self.assertEqual(ask(at, body, kind, below=below).code, code)

    def test_beside_the_routes_own(self) -> None:
        """Both lists have to have it: a token widens nothing."""
        at = spine("a", "b", models=["b", "c"])
        codes = [ask(at, {"model": model}).code for model in "abc"]
        self.assertEqual(codes, [403, 200, 403])

    def test_what_the_server_sets(self) -> None:
        """What goes up is judged: a default, the server's word and the owner's change count."""
        for options in (
            {"body": {"default": {"model": "dear"}}},
            {"body": {"set": {"model": "dear"}}},
            {"judge": lambda request, body: {**body, "model": "dear"}},
        ):
            with self.subTest(options=options):
                self.assertEqual(ask(spine("cheap", **options), {}).error, self.NOT_ALLOWED)
                at = spine("dear", **options)
                self.assertEqual(ask(at, {}).code, 200)
                self.assertEqual(json.loads(at.sent.body), {"model": "dear"})

    def test_without_a_body(self) -> None:
        """A GET names no model, but its query may."""
        at = spine("a", methods=["GET"])
        codes = [
            at.ask("GET", target=None, headers=(), body=None, below=below).code
            for below in ("/models", "/models?model=a", "/models?model=b")
        ]
        self.assertEqual(codes, [200, 200, 403])

    def test_redirects(self) -> None:
        """A route that follows them takes no such token, for nobody knows where they lead."""
        at = spine("a", follow_redirects=True, allowed_hosts=["api.example.com"])
        self.assertEqual(ask(at, {"model": "a"}).error, (403, "TOKEN_NOT_ALLOWED"))
        self.assertEqual(at.upstream.seen, [])
