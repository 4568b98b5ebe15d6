"""What Klein's url map says, without Klein's answers."""

from __future__ import annotations

from klein import Klein
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from werkzeug.exceptions import NotFound as KleinNotFound

from naap_twisted.errors import MethodNotAllowed, NotFound
from naap_twisted.server.mounts import Mount
from naap_twisted.server.url_map import Match, UrlMap


class UrlMapTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.klein = klein = Klein()
        klein.route("/page/", endpoint="page", methods=["GET"])(lambda request: b"")
        klein.route("/a/<name>", endpoint="a")(lambda request, name: b"")
        klein.route("/old", endpoint="old", redirect_to="page/")(lambda request: b"")
        klein.route("/out", endpoint="out", redirect_to="https://b.example/")(lambda request: b"")
        self.map = UrlMap(klein)
        self.mount = self.map.by_endpoint["page"] = Mount("/page/", "/page/", Resource())

    def test_found(self) -> None:
        """The rule that matches, and its mount; a rule that a plugin wrote has none."""
        self.assertEqual(self.map.match(b"GET", b"/a/%62"), Match(rule="/a/<name>"))
        self.assertEqual(self.map.match(b"GET", b"/page/"), Match(self.mount, rule="/page/"))

    def test_other_spellings(self) -> None:
        """Doubled and missing slashes have one path to go to, and no host in it."""
        for path, location in [
            (b"/page", b"/page/"),
            (b"/page//", b"/page/"),
            (b"/a//b%20c", b"/a/b%20c"),
            (b"/old", b"/page/"),
        ]:
            self.assertEqual(self.map.match(b"GET", path), Match(location=location), path)

    def test_elsewhere(self) -> None:
        """A rule that sends people to another host has Klein's own answer."""
        self.assertEqual(self.map.match(b"GET", b"/out"), Match())

    def test_refused(self) -> None:
        """404 and 405; bytes that are no UTF-8 have no rule."""
        for path in (b"/none", b"/%ff", b"/a/b/c", b"/"):
            self.assertIsInstance(self.map.match(b"GET", path).error, NotFound, path)
        error = self.map.match(b"PUT", b"/page/").error
        assert isinstance(error, MethodNotAllowed)
        self.assertEqual(error.headers, ((b"Allow", b"GET, HEAD, OPTIONS"),))

    def test_error_handlers(self) -> None:
        """Where the application answers its own errors, Klein is asked."""
        self.klein.handle_errors(KleinNotFound)(lambda request, failure: b"mine")
        self.assertEqual(self.map.match(b"GET", b"/none"), Match())
        self.assertEqual(self.map.match(b"PUT", b"/page/"), Match())

    def test_methods(self) -> None:
        """Those that some rule takes."""
        self.assertEqual(self.map.methods(b"/page/"), [b"GET", b"HEAD"])
        self.assertEqual(self.map.methods(b"/%ff"), [])
