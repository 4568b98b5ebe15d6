"""What Klein's url map says, without Klein's answers."""

from __future__ import annotations

from klein import Klein
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.exceptions import NotFound as KleinNotFound

from naap_twisted.errors import MethodNotAllowed, NotFound
from naap_twisted.server.url_map import Said, UrlMap


class UrlMapTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.klein = klein = Klein()
        klein.route("/page/", endpoint="page", methods=["GET"])(lambda request: b"")
        klein.route("/a/<name>", endpoint="a")(lambda request, name: b"")
        klein.route("/old", endpoint="old", redirect_to="page/")(lambda request: b"")
        klein.route("/out", endpoint="out", redirect_to="https://b.example/")(lambda request: b"")
        self.map = UrlMap(klein)

    def test_found(self) -> None:
        """The rule that matches."""
        self.assertEqual(self.map.ask(b"GET", b"/a/%62"), Said("a", "/a/<name>"))
        self.assertEqual(self.map.ask(b"GET", b"/page/"), Said("page", "/page/"))

    def test_other_spellings(self) -> None:
        """Doubled and missing slashes have one path to go to, and no host in it."""
        for path, location in [
            (b"/page", b"/page/"),
            (b"/page//", b"/page/"),
            (b"/a//b%20c", b"/a/b%20c"),
            (b"/old", b"/page/"),
        ]:
            self.assertEqual(self.map.ask(b"GET", path), Said(location=location), path)

    def test_elsewhere(self) -> None:
        """A rule that sends people to another host has Klein's own answer."""
        self.assertEqual(self.map.ask(b"GET", b"/out"), Said())

    def test_refused(self) -> None:
        """404 and 405; bytes that are no UTF-8 have no rule."""
        for path in (b"/none", b"/%ff", b"/a/b/c", b"/"):
            self.assertIsInstance(self.map.ask(b"GET", path).error, NotFound, path)
        error = self.map.ask(b"PUT", b"/page/").error
        assert isinstance(error, MethodNotAllowed)
        self.assertEqual(error.headers, ((b"Allow", b"GET, HEAD, OPTIONS"),))

    def test_error_handlers(self) -> None:
        """Where the application answers its own errors, Klein is asked."""
        self.klein.handle_errors(KleinNotFound)(lambda request, failure: b"mine")
        self.assertEqual(self.map.ask(b"GET", b"/none"), Said())
        self.assertEqual(self.map.ask(b"PUT", b"/page/"), Said())

    def test_methods(self) -> None:
        """Those that some rule takes."""
        self.assertEqual(self.map.methods(b"/page/"), [b"GET", b"HEAD"])
        self.assertEqual(self.map.methods(b"/%ff"), [])
