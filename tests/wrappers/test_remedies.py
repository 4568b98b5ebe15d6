"""Why a browser gives up, and the line that would help."""

import tomllib

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import RouteCors
from naap_twisted.wrappers.origins import Origins
from naap_twisted.wrappers.remedies import (
    HeaderOption,
    cross_site_refused,
    header_refused,
    method_refused,
    origin_refused,
    refusals,
    wildcard_with_credentials,
)

PAGE = "http://localhost:3000"


class Lines(SynchronousTestCase):
    def test_each_is_a_line_of_config(self):
        """What is there stays, what is missing is added, and TOML can read it."""
        for problem, expected in (
            (
                header_refused("X-New", HeaderOption("cors_headers", ("X-Old",)).line(["X-New"])),
                {"cors_headers": ["X-Old", "X-New"]},
            ),
            (method_refused("PUT", ("POST", "OPTIONS")), {"methods": ["POST", "PUT"]}),
            (method_refused("PUT", ("GET", "HEAD")), {"methods": ["GET", "PUT"]}),
            (wildcard_with_credentials(PAGE), {"cors_origins": [PAGE]}),
            (
                cross_site_refused(Origins(["https://a.example"]), PAGE, named=True),
                {"cors_origins": ["https://a.example", PAGE]},
            ),
            (cross_site_refused(Origins("*"), PAGE, named=True), {"cors_origins": [PAGE]}),
            (
                origin_refused(Origins(["https://a.example"]), PAGE),
                {"cors_origins": ["https://a.example", PAGE]},
            ),
        ):
            self.assertEqual(tomllib.loads(problem.line), expected)

    def test_no_line(self):
        """Where no setting can help, none is given."""
        for origin in ("null", "file:///x", "snow\u2603"):
            self.assertIsNone(origin_refused(Origins(["https://a.example"]), origin).line)
        self.assertIsNone(cross_site_refused(Origins("*"), PAGE, named=False).line)
        self.assertIsNone(cross_site_refused(Origins("*"), "null", named=True).line)
        for method in ("patch", "BREW"):
            self.assertIsNone(method_refused(method, ("PATCH",)).line)

    def test_words(self):
        """A browser's console says it so: whoever searches for it finds it."""
        self.assertIn("'Access-Control-Allow-Origin'", origin_refused(Origins([PAGE]), "x").text)
        self.assertIn("field x-new is not allowed", header_refused("X-New", "").text)
        self.assertIn("Method PUT is not allowed", method_refused("PUT", ()).text)


class HeaderOptions(SynchronousTestCase):
    def test_of(self):
        """A proxy route has to pass what a page sends; any other path has to let it through."""
        proxied = RouteCors((b"POST",), pass_headers=("X-A",), route="/api/v1/p")
        self.assertEqual(HeaderOption.of(proxied, ["X-B"]), HeaderOption("pass_headers", ("X-A",)))
        for other in (None, RouteCors((b"GET",))):
            self.assertEqual(
                HeaderOption.of(other, ["X-B"]), HeaderOption("cors_headers", ("X-B",))
            )


class Refusals(SynchronousTestCase):
    def ask(self, method, names=()):
        found = refusals(
            method, names, ["PUT", "OPTIONS"], {"content-type"}, HeaderOption("cors_headers", ())
        )
        return [problem.line for problem in found]

    def test_method(self):
        """A safelisted method needs no list; any other stands on it, in its very case."""
        for method in ("GET", "HEAD", "POST", "PUT"):
            self.assertEqual(self.ask(method), [])
        for method in ("DELETE", "put"):
            self.assertEqual(len(self.ask(method)), 1)

    def test_headers(self):
        """Each that is not listed, whatever its case; one line lists them all."""
        self.assertEqual(self.ask("PUT", ["Content-Type"]), [])
        lines = self.ask("PATCH", ["content-type", "x-a", "X-B"])
        self.assertEqual(
            lines,
            ['methods = ["PUT", "PATCH"]', *['cors_headers = ["x-a", "X-B"]'] * 2],
        )
