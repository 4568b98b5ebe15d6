"""Tests of naap_twisted.wrappers.cors.

(More than 300 lines. One test module mirrors one module: preflights and answers share a table.)
"""

from __future__ import annotations

from typing import Any

from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.caller import TrustedProxies
from naap_twisted.errors import NotFound, OriginNotAllowed
from naap_twisted.headers import CORS_ALLOWED_HEADERS
from naap_twisted.model import RouteCors
from naap_twisted.wrappers.cors import Cors

from ..support import Answer, FakeRequest

ROUTES = {
    b"/chat": RouteCors(methods=(b"POST",), route="/api/v1/chat"),
    b"/whip": RouteCors(
        methods=(b"POST", b"PATCH", b"DELETE"),
        allow_headers=("X-Stream-URL", "x-target-url"),
    ),
    b"/pinned": RouteCors(
        methods=(b"GET", b"POST"), allow_patterns=("X-Stainless-*", "OpenAI-Organization")
    ),
    b"/own": RouteCors(methods=(b"GET", b"OPTIONS")),
    b"/typed": RouteCors(methods=(b"PATCH",), accept_post=b"a/b", accept_patch=b"c/d, e/f"),
}
LISTED = "https://app.example"
REGISTRY = list(CORS_ALLOWED_HEADERS)


class Table:
    """ROUTES, counting the questions."""

    asked = 0

    def cors_for(self, path: bytes) -> RouteCors | None:
        self.asked += 1
        return ROUTES.get(path)


class CorsTestCase(SynchronousTestCase):
    def send(
        self,
        method: bytes,
        uri: bytes,
        headers: dict[str, str | list[str]] | None = None,
        *,
        origins: Any = (LISTED,),
        extra: tuple[str, ...] = (),
        secure: bool = False,
        **options: Any,
    ) -> FakeRequest:
        request = FakeRequest(method, uri, headers, secure=secure)
        Cors(Answer(), Table(), origins, extra, **options).render(request)
        return request

    def preflight(self, uri: bytes = b"/chat", **options: Any) -> FakeRequest:
        headers = {
            "Origin": LISTED,
            "Access-Control-Request-Method": "POST",
            **options.pop("headers", {}),
        }
        return self.send(b"OPTIONS", uri, headers, **options)

    def assertRefused(self, request: FakeRequest) -> None:
        self.assertIsInstance(request.refused, OriginNotAllowed)
        self.assertEqual(request.rendered, [])
        self.assertIsNone(request.sent("Access-Control-Allow-Origin"))
        self.assertIsNone(request.sent("Access-Control-Allow-Credentials"))


class PreflightTests(CorsTestCase):
    def test_answer(self) -> None:
        """204 without a body, answered here: the inner resource never hears of it."""
        request = self.preflight()
        self.assertEqual((request.code, request.written, request.finished), (204, [], 1))
        self.assertEqual(request.rendered, [])
        self.assertEqual(request.sent("Access-Control-Allow-Origin"), LISTED)
        self.assertEqual(request.sent("Access-Control-Allow-Credentials"), "true")
        self.assertEqual(request.sent("Vary"), "Origin")
        self.assertEqual(request.sent("Access-Control-Allow-Methods"), "POST, OPTIONS")
        self.assertEqual(request.sent_list("Access-Control-Allow-Headers"), REGISTRY)
        self.assertEqual(request.sent("Access-Control-Max-Age"), "600")

    def test_methods(self) -> None:
        """The route's own and OPTIONS, once; whatever method was asked for."""
        request = self.preflight(b"/whip", headers={"Access-Control-Request-Method": "OPTIONS"})
        methods = request.sent("Access-Control-Allow-Methods")
        self.assertEqual(methods, "POST, PATCH, DELETE, OPTIONS")
        methods = self.preflight(b"/own").sent("Access-Control-Allow-Methods")
        self.assertEqual(methods, "GET, OPTIONS")

    def test_route_headers(self) -> None:
        """A route's target header is allowed with no other edit; the registry's spelling wins."""
        allowed = self.preflight(b"/whip").sent_list("Access-Control-Allow-Headers")
        self.assertEqual(allowed, [*REGISTRY, "X-Stream-URL"])

    def test_extra_headers(self) -> None:
        """``cors_headers`` are allowed on every route, patterns only by a requested name."""
        request = self.preflight(
            headers={"Access-Control-Request-Headers": "x-my-custom-header,x-app-version,x-other"},
            extra=("X-My-Custom-Header", "X-App-*"),
        )
        allowed = request.sent_list("Access-Control-Allow-Headers")
        self.assertEqual(allowed, [*REGISTRY, "X-My-Custom-Header", "x-app-version"])

    def test_route_patterns(self) -> None:
        """A pinned route allows the names the official client sends, and no star."""
        asked = "authorization, x-stainless-lang , X-Stainless-OS,x-evil,x-stainless-lang"
        request = self.preflight(b"/pinned", headers={"Access-Control-Request-Headers": asked})
        self.assertEqual(
            request.sent_list("Access-Control-Allow-Headers"),
            [*REGISTRY, "OpenAI-Organization", "x-stainless-lang", "X-Stainless-OS"],
        )
        elsewhere = self.preflight(headers={"Access-Control-Request-Headers": asked})
        self.assertEqual(elsewhere.sent_list("Access-Control-Allow-Headers"), REGISTRY)

    def test_requested_junk(self) -> None:
        """Only header names are given back, and only so many."""
        many = ",".join(f"x-stainless-{number}" for number in range(500))
        for asked, count in [
            ("x-stainless-a b", 0),
            ("x-stainless-<script>", 0),
            ("x-stainless-é", 0),
            (",,,", 0),
            (many, 64),
        ]:
            request = self.preflight(b"/pinned", headers={"Access-Control-Request-Headers": asked})
            allowed = request.sent_list("Access-Control-Allow-Headers")
            self.assertEqual(len(allowed), len(REGISTRY) + 1 + count, asked[:40])

    def test_unknown_path(self) -> None:
        """404, marked so that the browser can tell it from a refused origin."""
        request = self.preflight(b"/nowhere")
        self.assertIsInstance(request.refused, NotFound)
        self.assertEqual(request.sent("Access-Control-Allow-Origin"), LISTED)
        self.assertEqual(request.rendered, [])

    def test_own_options_handler(self) -> None:
        """A resource that answers OPTIONS itself still gets no preflight."""
        self.assertEqual(self.preflight(b"/own").rendered, [])

    def test_private_network(self) -> None:
        """A page on the internet is not let into this network."""
        request = self.preflight(headers={"Access-Control-Request-Private-Network": "true"})
        self.assertEqual(request.code, 204)
        self.assertIsNone(request.sent("Access-Control-Allow-Private-Network"))

    def test_max_age(self) -> None:
        """A browser remembers it for ten minutes."""
        self.assertEqual(self.preflight().sent("Access-Control-Max-Age"), "600")


class OptionsTests(CorsTestCase):
    """OPTIONS that is no preflight, as WHIP clients send it."""

    def test_known_path(self) -> None:
        """Answered without auth; the page may read the lists it came for."""
        request = self.send(b"OPTIONS", b"/whip", {"Origin": LISTED, "Authorization": "Bearer x"})
        self.assertEqual((request.code, request.written, request.rendered), (204, [], []))
        for name in ("Allow", "Access-Control-Allow-Methods"):
            self.assertEqual(request.sent(name), "POST, PATCH, DELETE, OPTIONS")
        exposed = request.sent_list("Access-Control-Expose-Headers")
        self.assertEqual(exposed[-2:], ["Allow", "Access-Control-Allow-Methods"])
        self.assertIn("X-Stream-URL", request.sent_list("Access-Control-Allow-Headers"))

    def test_media_types(self) -> None:
        """What a path takes is told for its own methods, readably; no preflight needs it."""
        request = self.send(b"OPTIONS", b"/typed", {"Origin": LISTED})
        self.assertEqual(request.sent("Accept-Patch"), "c/d, e/f")
        self.assertIsNone(request.sent("Accept-Post"))
        self.assertIn("Accept-Patch", request.sent_list("Access-Control-Expose-Headers"))
        preflight = {"Origin": LISTED, "Access-Control-Request-Method": "PATCH"}
        self.assertIsNone(self.send(b"OPTIONS", b"/typed", preflight).sent("Accept-Patch"))

    def test_without_origin(self) -> None:
        """A caller that is no page gets the same lists."""
        request = self.send(b"OPTIONS", b"/chat")
        self.assertEqual((request.code, request.sent("Allow")), (204, "POST, OPTIONS"))
        self.assertIsNone(request.sent("Access-Control-Allow-Origin"))
        self.assertIsNone(request.sent("Access-Control-Expose-Headers"))

    def test_foreign_origin(self) -> None:
        """It is an actual request: a page that is not allowed gets nothing."""
        self.assertRefused(self.send(b"OPTIONS", b"/whip", {"Origin": "https://evil.example"}))

    def test_passes_on(self) -> None:
        """An unknown path, ``*`` and a resource with an OPTIONS of its own are the inner one's."""
        for uri in (b"/nowhere", b"*", b"/own"):
            self.assertEqual(len(self.send(b"OPTIONS", uri).rendered), 1, uri)


class ActualRequestTests(CorsTestCase):
    def test_listed(self) -> None:
        """The origin is echoed, with credentials and what the page may read."""
        request = self.send(b"POST", b"/whip", {"Origin": LISTED})
        self.assertEqual(len(request.rendered), 1)
        self.assertEqual(request.sent("Access-Control-Allow-Origin"), LISTED)
        self.assertEqual(request.sent("Access-Control-Allow-Credentials"), "true")
        self.assertEqual(request.sent("Vary"), "Origin")
        self.assertEqual(request.sent("Access-Control-Expose-Headers"), "X-Request-ID")

    def test_preflight_words_stay_out(self) -> None:
        """Lists that only a preflight needs are not sent with every answer."""
        request = self.send(b"POST", b"/chat", {"Origin": LISTED})
        for name in ("Methods", "Headers"):
            self.assertIsNone(request.sent(f"Access-Control-Allow-{name}"))
        self.assertIsNone(request.sent("Access-Control-Max-Age"))

    def test_unknown_path(self) -> None:
        """The 404 to come must be readable too."""
        request = self.send(b"GET", b"/nowhere", {"Origin": LISTED})
        self.assertEqual(len(request.rendered), 1)
        self.assertEqual(request.sent("Access-Control-Allow-Origin"), LISTED)
        self.assertEqual(request.sent("Access-Control-Expose-Headers"), "X-Request-ID")

    def test_no_origin(self) -> None:
        """A caller that is no page is not asked; caches still learn that Origin matters."""
        request = self.send(b"POST", b"/chat")
        self.assertEqual(len(request.rendered), 1)
        self.assertEqual(request.sent("Vary"), "Origin")
        self.assertIsNone(request.sent("Access-Control-Allow-Origin"))

    def test_no_origin_costs_no_lookup(self) -> None:
        """Server-to-server traffic does not pay for CORS."""
        table = Table()
        Cors(Answer(), table, [LISTED]).render(FakeRequest(b"POST", b"/chat"))
        self.assertEqual(table.asked, 0)

    def test_foreign(self) -> None:
        """Any other origin is refused before the inner resource, preflight or not."""
        for origin in [
            "https://evil.example",
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil.example",
            "null",
            "",
            [LISTED, LISTED],
            [LISTED, "https://evil.example"],
        ]:
            request = self.send(b"POST", b"/chat", {"Origin": origin})
            self.assertRefused(request)
            self.assertEqual(request.sent("Vary"), "Origin")
            self.assertRefused(self.preflight(headers={"Origin": origin}))


class OwnOriginTests(CorsTestCase):
    def own(self, origin: str, host: str | list[str], **options: Any) -> FakeRequest:
        headers = {"Origin": origin, "Host": host, **options.pop("headers", {})}
        options.setdefault("own", {b"localhost", b"api.example"})
        return self.send(b"POST", b"/chat", headers, **options)

    def test_a_name_that_is_not_ours(self) -> None:
        """Host and Origin that equal each other prove nothing: the name has to be known here."""
        for name in ("evil.example", "localhost.evil.example", "192.0.2.1:4020"):
            for scheme, secure in (("http", False), ("https", False), ("https", True)):
                self.assertRefused(self.own(f"{scheme}://{name}", name, secure=secure))
        self.assertRefused(self.send(b"POST", b"/chat", {"Origin": "http://a", "Host": "a"}))
        fine = self.send(b"POST", b"/chat", {"Origin": "http://[::1]:9", "Host": "[::1]:9"})
        self.assertEqual(len(fine.rendered), 1)

    def test_allowed(self) -> None:
        """A page that this server gave out may call it, listed or not."""
        for origin, host, secure in [
            ("http://localhost:4020", "localhost:4020", False),
            ("http://localhost:4020", "LOCALHOST:4020", False),
            ("https://api.example", "api.example", True),
            # TLS ends in front of us.
            ("https://api.example", "api.example", False),
        ]:
            self.assertEqual(len(self.own(origin, host, secure=secure).rendered), 1, origin)

    def test_not_quite(self) -> None:
        """Another port, host or scheme is another origin; so is a Host that is none."""
        for origin, host, secure in [
            ("http://localhost:4021", "localhost:4020", False),
            ("http://localhost", "localhost:4020", False),
            ("http://xlocalhost:4020", "localhost:4020", False),
            # What http served can have been changed on the way.
            ("http://api.example", "api.example", True),
            ("https://a/b", "a/b", True),
            ("null", "null", False),
        ]:
            self.assertRefused(self.own(origin, host, secure=secure))
        self.assertRefused(self.own("http://a", ["a", "a"]))
        self.assertRefused(self.send(b"POST", b"/chat", {"Origin": "http://"}))

    def test_behind_a_proxy(self) -> None:
        """Where a trusted proxy took the request over TLS, an http page is another origin."""
        headers = {"X-Forwarded-Proto": "https"}
        origin, host = "http://api.example", "api.example"
        trusted = TrustedProxies(["192.0.2.7"])
        self.assertRefused(self.own(origin, host, headers=headers, trusted=trusted))
        self.assertEqual(len(self.own(origin, host, headers=headers).rendered), 1)


class AnyOriginTests(CorsTestCase):
    def test_star(self) -> None:
        """Every answer is the same for every origin: a star, no credentials, no Vary."""
        for headers in ({"Origin": "https://whatever.example"}, {}):
            request = self.send(b"POST", b"/chat", headers, origins="*")
            self.assertEqual(len(request.rendered), 1)
            self.assertEqual(request.sent("Access-Control-Allow-Origin"), "*")
            self.assertEqual(request.sent("Access-Control-Expose-Headers"), "X-Request-ID")
            self.assertIsNone(request.sent("Access-Control-Allow-Credentials"))
            self.assertIsNone(request.sent("Vary"))

    def test_preflight(self) -> None:
        """Headers are listed by name: ``*`` does not cover Authorization (Fetch standard)."""
        request = self.preflight(origins="*")
        self.assertEqual(request.sent("Access-Control-Allow-Origin"), "*")
        self.assertEqual(request.sent_list("Access-Control-Allow-Headers"), REGISTRY)
        self.assertIsNone(request.sent("Access-Control-Allow-Credentials"))

    def test_null(self) -> None:
        """null is never let in."""
        self.assertRefused(self.send(b"POST", b"/chat", {"Origin": "null"}, origins="*"))


class LogTests(CorsTestCase):
    def refused_with(self, origin: str | list[str]) -> str:
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.send(b"POST", b"/chat", {"Origin": origin})
        (event,) = events
        self.assertEqual(event["log_level"].name, "warn")
        return formatEvent(event)

    def test_names_the_line(self) -> None:
        """Whoever owns the server reads what to write, whole."""
        said = self.refused_with("http://localhost:5173")
        self.assertIn('cors_origins = ["https://app.example", "http://localhost:5173"]', said)

    def test_holds_no_junk(self) -> None:
        """Text that is no origin is not repeated: the log is not the caller's to write."""
        for origin in ("null", "evil\x1b[2J{0}", "a" * 9999, [LISTED, "evil"]):
            said = self.refused_with(origin)
            self.assertNotIn("evil", said)
            self.assertLess(len(said), 100)

    def test_null(self) -> None:
        """No line lets ``null`` in: said is what such a page is."""
        self.assertIn("a page opened as a file", self.refused_with("null"))

    def preflight_with(self, headers: dict[str, str], **options: Any) -> list[str]:
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.preflight(headers=headers, **options)
        return [formatEvent(event) for event in events]

    def test_refused_preflight(self) -> None:
        """A browser that will not go on is told of here, once, with all that would let it."""
        asked = {
            "Access-Control-Request-Method": "DELETE",
            "Access-Control-Request-Headers": "x-new,content-type,x-other",
        }
        (said,) = self.preflight_with(asked)
        self.assertIn("refused on /api/v1/chat: Method DELETE is not allowed", said)
        headers = 'pass_headers = ["x-new", "x-other"]'
        self.assertIn(f'to allow it: methods = ["POST", "DELETE"] and {headers}', said)
        del asked["Access-Control-Request-Method"]
        (said,) = self.preflight_with(asked, extra=("X-Old", "X-Set-*"))
        self.assertIn("Request header field x-new is not allowed", said)
        self.assertIn('pass_headers = ["x-new", "x-other"]', said)

    def test_refused_for_good(self) -> None:
        """A method in lower case is another one; no line is given that the config would refuse."""
        (said,) = self.preflight_with({"Access-Control-Request-Method": "patch"})
        self.assertIn("Method patch is not allowed", said)
        self.assertTrue(said.endswith("no setting allows it"), said)

    def test_refused_is_bounded(self) -> None:
        """A preflight that asks for a great deal writes one short line."""
        asked = ",".join(f"x-{number}-" + "a" * 80 for number in range(64))
        (said,) = self.preflight_with({"Access-Control-Request-Headers": asked})
        self.assertLess(len(said), 2000)

    def test_preflight_that_passes(self) -> None:
        """Nothing is said of one that a browser goes on from; nor of names that are none."""
        for headers, options in (
            ({}, {}),
            ({"Access-Control-Request-Method": "GET"}, {}),
            ({"Access-Control-Request-Headers": "Content-Type, x-target-url"}, {}),
            ({"Access-Control-Request-Headers": "x-set-a"}, {"extra": ("X-Set-*",)}),
            ({"Access-Control-Request-Headers": "a b, evil\x1b, " + "a" * 200}, {}),
            ({"Access-Control-Request-Method": "EVIL\x1b"}, {}),
            ({"Access-Control-Request-Method": "X" * 200}, {}),
        ):
            self.assertEqual(self.preflight_with(headers, **options), [], headers)


class SettingsTests(CorsTestCase):
    def test_refuses(self) -> None:
        """A bad pattern stops the start."""
        with self.assertRaises(ValueError):
            Cors(Answer(), Table(), "*", ("*",))
