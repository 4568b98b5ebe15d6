"""Would this request pass, why not, what line would change that."""

from __future__ import annotations

import tomllib

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import create_external_proxy
from naap_twisted.admin import decision
from naap_twisted.admin.decision import Question, decide
from naap_twisted.admin.replay import Reply
from naap_twisted.errors import BadRequest, NotFound
from naap_twisted.testing import StaticResolver
from naap_twisted.upstream.lookups import SharedLookups

from .support import PAGE, PATH, PINNED, SECRET, make

GOOD = "https://api.example.com/v1"
HEADERS = {"Content-Type": "application/json", "X-Target-URL": GOOD}


class DecisionTestCase(SynchronousTestCase):
    def setUp(self):
        self.resolver = StaticResolver({"api.example.com": "93.184.216.34", "in.example": "::1"})

    def ask(self, route=PATH, options=None, mounted=None, **fields):
        clock = MemoryReactorClock()
        server = make(reactor=clock, **(options or {}))
        if mounted is not None:
            server.mount("/r", create_external_proxy(**mounted))
        server.startService()
        server.parts.upstream.resolver = SharedLookups(self.resolver, clock)
        question = Question.read({"route": route, "url": GOOD, "headers": HEADERS, **fields})
        found = self.successResultOf(Deferred.fromCoroutine(decide(server, question, clock)))
        self.assertNotIn(SECRET, repr(found))
        return found


class Decisions(DecisionTestCase):
    def test_refused_before_cors(self):
        """An origin that is listed is not blamed for an answer without CORS headers."""
        self.patch(decision, "replay", lambda *_, **__: Reply(431, ()))
        found = self.ask(origin=PAGE)
        (step,) = [step for step in found["steps"] if not step["passed"]]
        self.assertEqual((step["name"], found["hint"]), ("origin", None))
        self.assertIn("status 431", step["text"])
        self.assertNotIn("cors_origins", step["text"])

    def outcome(self, **fields):
        found = self.ask(**fields)
        return found["allowed"], found["code"], found["hint"]

    def test_allowed(self):
        """Everything passes; the steps are those of explain, the page's before them."""
        found = self.ask(origin=PAGE)
        self.assertTrue(found["allowed"])
        self.assertEqual((found["code"], found["message"], found["hint"]), (None, None, None))
        names = ["origin", "method", "parse", "host", "scheme", "port", "dns", "address"]
        self.assertEqual([step["name"] for step in found["steps"]], names)
        self.assertTrue(all(step["passed"] for step in found["steps"]))
        self.assertEqual(self.resolver.asked, ["api.example.com"])

    def test_refused(self):
        """The code and message that a caller would get, and the line."""
        hosts = ["api.example.com", "127.0.0.1", "evil.com"]
        for fields, code, line in (
            ({"url": ""}, "INVALID_TARGET", None),
            ({"url": "\ud800"}, "INVALID_TARGET", None),
            ({"url": "https://evil.com"}, "HOST_NOT_ALLOWED", {"allowed_hosts": hosts}),
            (
                {"url": "http://api.example.com"},
                "SCHEME_NOT_ALLOWED",
                {"allowed_schemes": ["https", "http"]},
            ),
            (
                {"url": "https://api.example.com:1"},
                "PORT_NOT_ALLOWED",
                {"allowed_ports": [443, 1]},
            ),
            ({"method": "PUT"}, "METHOD_NOT_ALLOWED", {"methods": ["POST", "PUT"]}),
            ({"method": "BREW"}, "METHOD_NOT_ALLOWED", None),
            (
                {"origin": "http://evil.com"},
                "ORIGIN_NOT_ALLOWED",
                {"cors_origins": [PAGE, "http://evil.com"]},
            ),
            ({"origin": "null"}, "ORIGIN_NOT_ALLOWED", None),
        ):
            allowed, found, hint = self.outcome(**fields)
            self.assertEqual((allowed, found), (False, code), fields)
            self.assertEqual(hint and tomllib.loads(hint), line)

    def test_no_origin(self):
        """A route for pages alone: what has no Origin is refused as it would be."""
        server = make(reactor=(clock := MemoryReactorClock()))
        target = "https://api.example.com/v1"
        server.mount("/pages", create_external_proxy(target=target, require_origin=True))
        server.startService()
        server.parts.upstream.resolver = SharedLookups(self.resolver, clock)
        for origin, code in (("", "ORIGIN_NOT_ALLOWED"), (PAGE, None)):
            question = Question("/api/v1/pages", url="/x", origin=origin)
            found = self.successResultOf(Deferred.fromCoroutine(decide(server, question, clock)))
            self.assertEqual(found["code"], code)

    def test_message(self):
        """Word for word what the proxy answers."""
        found = self.ask(url="https://evil.com")
        self.assertEqual(found["message"], 'Host "evil.com" is not in the allowed list')

    def test_dns_and_address(self):
        """The server's own resolver is asked, each address judged."""
        self.resolver = StaticResolver({})
        self.assertEqual(self.outcome()[:2], (False, "BAD_GATEWAY"))
        self.resolver = StaticResolver({"api.example.com": ["93.184.216.34", "10.0.0.1"]})
        found = self.ask()
        self.assertEqual(found["code"], "ADDRESS_NOT_ALLOWED")
        self.assertNotIn("10.0.0.1", found["message"])
        self.assertEqual([s["passed"] for s in found["steps"][-2:]], [True, False])

    def test_the_first_refusal_counts(self):
        """Code and hint are of the first step that says no; the others are still judged."""
        found = self.ask(origin="http://evil.com", method="PUT", url="https://evil.com")
        self.assertEqual(found["code"], "ORIGIN_NOT_ALLOWED")
        self.assertTrue(found["hint"].startswith("cors_origins"))
        self.assertEqual(
            [s["name"] for s in found["steps"] if not s["passed"]], ["origin", "method", "host"]
        )

    def test_pinned(self):
        """What follows the route's path."""
        self.assertEqual(self.outcome(route=PINNED, url="/models?a=b"), (True, None, None))
        self.assertEqual(self.outcome(route=PINNED, url="/../x"), (False, "INVALID_TARGET", None))

    def test_routes(self):
        """By full path or as mounted; a stranger is 404."""
        self.assertTrue(self.ask(route="/x")["allowed"])
        clock = MemoryReactorClock()
        asked = decide(make(reactor=clock), Question("/api/v1/nowhere"), clock)
        self.failureResultOf(Deferred.fromCoroutine(asked), NotFound)


class Preflights(DecisionTestCase):
    def preflight(self, **fields):
        return self.ask(**fields)["preflight"]

    def test_replayed(self):
        """The site's own answer to what a browser would send."""
        found = self.preflight(origin=PAGE)
        self.assertTrue(found["needed"] and found["allowed"])
        self.assertEqual(
            found["request"],
            [
                ["Origin", PAGE],
                ["Access-Control-Request-Method", "POST"],
                ["Access-Control-Request-Headers", "content-type,x-target-url"],
            ],
        )
        self.assertEqual(found["status"], 204)
        self.assertIn(["access-control-allow-origin", PAGE], found["headers"])
        self.assertEqual(found["problems"], [])

    def test_problems(self):
        """In the browser's words, each with its line."""
        found = self.preflight(origin=PAGE, headers={**HEADERS, "X-New": "1"})
        self.assertFalse(found["allowed"])
        (problem,) = found["problems"]
        self.assertIn("x-new is not allowed by Access-Control-Allow-Headers", problem["text"])
        self.assertEqual(problem["hint"], 'pass_headers = ["x-new"]')
        options = {"cors_headers": ["X-New"]}
        self.assertTrue(
            self.preflight(origin=PAGE, headers={"X-New": "1"}, options=options)["allowed"]
        )

    def test_origin(self):
        """A refused origin: the site's 403, and no CORS header in it."""
        found = self.preflight(origin="http://evil.com")
        self.assertEqual((found["status"], found["allowed"]), (403, False))
        self.assertIn("cors_origins", found["problems"][0]["hint"])

    def test_credentials(self):
        """The wildcard is not enough where cookies go along."""
        options = {"cors_origins": "*"}
        self.assertTrue(self.preflight(origin=PAGE, options=options)["allowed"])
        found = self.preflight(origin=PAGE, options=options, credentials=True)
        self.assertEqual(found["problems"][0]["hint"], f'cors_origins = ["{PAGE}"]')

    def test_not_needed(self):
        """Same origin and no page: nothing is sent. A simple request: its origin still counts."""
        for origin in ("http://127.0.0.1:4321", ""):
            found = self.preflight(origin=origin, options={"port": 4321})
            self.assertEqual((found["needed"], found["allowed"]), (False, True))
            self.assertEqual((found["request"], found["status"]), ([], None))
        found = self.preflight(origin="http://evil.com", headers={}, url="")
        self.assertEqual((found["needed"], found["allowed"]), (False, False))
        self.assertTrue(self.preflight(origin=PAGE, headers={})["allowed"])

    def test_server_names(self):
        """The Host of a replay is one that the server answers to."""
        found = self.preflight(origin=PAGE, options={"server_names": ["api.example.org"]})
        self.assertEqual(found["status"], 204)


class RuleTests(DecisionTestCase):
    """Endpoints and bodies: the line that would let the request pass."""

    ROUTE = {
        "target": GOOD,
        "endpoints": ["POST /chat", "GET /models"],
        "models": ["gpt-4o-mini"],
        "body": {"only": ["model", "n"], "rules": {"n": {"max": 1}}},
    }

    def steps(self, **fields):
        found = self.ask("/api/v1/r", mounted=self.ROUTE, **{"url": "/chat", **fields})
        shown = [(step["name"], step["passed"]) for step in found["steps"]]
        return shown, found["code"], found["hint"]

    def test_passes(self):
        """The endpoint and the body are steps between the port and the name."""
        shown, code, hint = self.steps(body='{"model":"gpt-4o-mini"}')
        names = ["method", "parse", "host", "scheme", "port", "endpoint", "body", "dns", "address"]
        self.assertEqual(shown, [(name, True) for name in names])
        self.assertEqual((code, hint), (None, None))
        shown, _, _ = self.steps()
        self.assertNotIn(("body", True), shown)

    def test_endpoint(self):
        """Nothing behind the endpoint is judged."""
        shown, code, hint = self.steps(url="/files/file-9f8a7b6c5d", body="{}")
        self.assertEqual(shown[-1], ("endpoint", False))
        line = 'endpoints = ["POST /chat", "GET /models", "POST /files/*"]'
        self.assertEqual((code, hint), ("ENDPOINT_NOT_ALLOWED", line))
        _, code, _ = self.steps(url="/chat", method="GET")
        self.assertEqual(code, "ENDPOINT_NOT_ALLOWED")

    def test_body(self):
        """Each refusal with the line of the rule that it broke."""
        for body, code, line in (
            ('{"model":"x"}', "MODEL_NOT_ALLOWED", 'models = ["gpt-4o-mini", "x"]'),
            ('{"model":"gpt-4o-mini","n":3}', "BODY_NOT_ALLOWED", "rules = { n = { max = 3 } }"),
            ('{"tools":1}', "BODY_NOT_ALLOWED", 'only = ["model", "n", "tools"]'),
            ('{"n":1,"n":1}', "BODY_NOT_ALLOWED", None),
            ("{", "INVALID_JSON", None),
            ("", "MODEL_NOT_ALLOWED", '[proxy.body] default = { model = "gpt-4o-mini" }'),
        ):
            _, found, hint = self.steps(body=body)
            self.assertEqual((found, hint), (code, line), body)
        _, code, _ = self.steps(body="{}", headers={"Content-Type": "text/plain"})
        self.assertEqual(code, "UNSUPPORTED_MEDIA_TYPE")

    def test_body_of_a_route_without_rules(self):
        """What every body has to be is judged as well."""
        self.assertEqual(self.ask(body="{")["code"], "INVALID_JSON")
        self.assertEqual(self.ask(body='"%s"' % ("x" * 2**20))["code"], "BODY_TOO_LARGE")
        self.assertTrue(self.ask(body="{}")["allowed"])


class Questions(SynchronousTestCase):
    def test_refused(self):
        """Nothing that could not stand in a request, or is not known."""
        for document in (
            None,
            [],
            {},
            {"route": 1},
            {"route": "/x", "headers": []},
            {"route": "/x", "headers": {"a b": ""}},
            {"route": "/x", "headers": {"a": 1}},
            {"route": "/x", "headers": {"a": "b\r\nc: d"}},
            {"route": "/x", "headers": {"a" * 257: ""}},
            {"route": "/x", "headers": {f"a{n}": "" for n in range(101)}},
            {"route": "/x", "method": "PO ST"},
            {"route": "/x", "method": ""},
            {"route": "/x", "method": "M" * 33},
            {"route": "/x", "origin": "http://a\r\nEvil: 1"},
            {"route": "/x", "origin": "http://a/"},
            {"route": "/x", "origin": "HTTP://A"},
            {"route": "/x", "credentials": "yes"},
            {"route": "/x", "methods": "POST"},
            {"route": "/x", "body": {}},
            {"route": "/x", "body": "\ud800"},
        ):
            with self.assertRaises(BadRequest, msg=document):
                Question.read(document)

    def test_defaults(self):
        """Only the route has to be there."""
        self.assertEqual(Question.read({"route": "/x"}), Question("/x", "POST", "", "", {}, False))
