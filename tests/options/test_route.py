"""Options as given, and what a WHIP route has beside them."""

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.headers import DEFAULT_PASS, PINNED_PASS
from naap_twisted.model import ExposeHeader
from naap_twisted.options.route import RouteOptions, with_sessions


def options(**given):
    every = {attribute.name: None for attribute in fields(RouteOptions)}
    return RouteOptions(**(every | {"methods": ("POST",), "expose_headers": ()} | given))


class RouteOptionsTests(SynchronousTestCase):
    def test_repr(self):
        """Server-side headers are not shown."""
        self.assertNotIn("sk-123", repr(options(forward_headers={"A": "sk-123"})))

    def test_with_sessions(self):
        """The sessions' methods, X-WHIP-Resource; entity-tags even where pass_headers are given."""
        found = with_sessions(options(pass_headers=("Accept",)))
        self.assertEqual(found.methods, ("POST", "PATCH", "DELETE", "GET"))
        self.assertEqual(found.expose_headers, (ExposeHeader("Location", "X-WHIP-Resource"),))
        self.assertEqual(found.pass_headers, ("Accept", "If-Match", "ETag"))
        for target, passed in ((None, DEFAULT_PASS), ("https://x.example", PINNED_PASS)):
            found = with_sessions(options(target=target))
            self.assertEqual(found.pass_headers, (*passed, "ETag"))
