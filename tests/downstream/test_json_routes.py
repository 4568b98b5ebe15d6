"""Tests of naap_twisted.downstream.json_routes: on our site, and on anybody's."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from naap_twisted import User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.downstream.json_routes import json_content, known, own_route, signed_in
from naap_twisted.errors import Forbidden, InvalidKey, Unauthorized

from ..spine import ask_site, make_server
from ..support import FakeRequest

ADA = [("Authorization", "Bearer t")]


class OwnRouteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = make_server(authenticator=StaticTokens({"t": User("ada")}))

        @own_route
        async def handler(request: Any, what: str) -> Any:
            if what == "bad":
                raise InvalidKey("not this one")
            if what == "json":
                return {"body": json_content(request, 8).decode()}
            return None if what == "nothing" else {"user": signed_in(request).id}

        rule = {"methods": ["GET", "POST"], "endpoint": "own"}
        self.server.router.route("/own/<what>", **rule)(handler)
        stock = Site(self.server.resource(), reactor=MemoryReactorClock())
        self.sites = (self.server.site(), stock)

    def test_document(self) -> None:
        """JSON, which nobody may keep."""
        for site in self.sites:
            answer = ask_site(site, "GET", "/api/v1/own/x", ADA)
            self.assertEqual((answer.code, answer.json), (200, {"user": "ada"}))
            self.assertEqual(answer.header("Content-Type"), "application/json")
            self.assertEqual(answer.header("Cache-Control"), "no-store")

    def test_nothing(self) -> None:
        """204 without a body."""
        for site in self.sites:
            answer = ask_site(site, "GET", "/api/v1/own/nothing", ADA)
            self.assertEqual((answer.code, answer.body), (204, b""))

    def test_guests(self) -> None:
        """A guest is known, and has not signed in."""
        request: Any = FakeRequest()
        self.assertRaises(Unauthorized, known, request)
        request.record.user = guest = User("guest:a", guest=True)
        self.assertIs(known(request), guest)
        self.assertRaises(Forbidden, signed_in, request)

    def test_body(self) -> None:
        """It says that it is JSON, and has no more bytes than it may."""
        for site in self.sites:
            for kind, body, told in (
                ("Application/JSON; charset=utf-8", b'{"a": 1}', {"body": '{"a": 1}'}),
                ("application/json", b'{"a": 12}', "BODY_TOO_LARGE"),
                ("text/plain", b"{}", "UNSUPPORTED_MEDIA_TYPE"),
            ):
                head = [*ADA, ("Content-Type", kind)]
                answer = ask_site(site, "POST", "/api/v1/own/json", head, body)
                found = answer.json if answer.code == 200 else answer.error[1]
                self.assertEqual(found, told)

    def test_refusals(self) -> None:
        """The contract's error, on a stock site too."""
        for site in self.sites:
            bad = ask_site(site, "GET", "/api/v1/own/bad", ADA)
            self.assertEqual((bad.error, bad.message), ((400, "INVALID_KEY"), "not this one"))
            stranger = ask_site(site, "GET", "/api/v1/own/x")
            self.assertEqual(stranger.error, (401, "UNAUTHORIZED"))
