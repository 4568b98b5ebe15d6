"""Options as given, and what a WHIP route has beside them."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.headers import PASSED, PINNED_PASS, PINNED_RELAY, RELAYED, SDP_RELAY
from naap_twisted.model import ExposeHeader
from naap_twisted.options.route import RouteOptions, with_sessions


class RouteOptionsTests(SynchronousTestCase):
    def test_repr(self):
        """Server-side headers are not shown."""
        self.assertNotIn("sk-123", repr(RouteOptions(forward_headers={"A": "sk-123"})))

    def test_with_sessions(self):
        """The sessions' methods, X-WHIP-Resource."""
        found = with_sessions(RouteOptions())
        self.assertEqual(found.methods, ("POST", "PATCH", "DELETE", "GET"))
        self.assertEqual(found.expose_headers, (ExposeHeader("Location", "X-WHIP-Resource"),))


class HeaderListTests(SynchronousTestCase):
    def test_passed(self):
        """The usual ones, a pinned route's, entity-tags of WHIP; an option adds and takes out."""
        sdp = ("application/sdp",)
        for given, expected in (
            ({}, PASSED),
            ({"target": "https://x.example"}, (*PASSED, *PINNED_PASS)),
            ({"content_type": sdp}, (*PASSED, "ETag")),
            ({"pass_headers": ("X-A", "Accept")}, (*PASSED, "X-A")),
            ({"pass_headers": ("!accept", "X-A")}, (*PASSED[1:], "X-A")),
        ):
            self.assertEqual(RouteOptions(**given).passed_headers, expected)

    def test_relayed(self):
        """The same for what comes back."""
        for given, expected in (
            ({}, RELAYED),
            ({"target": "https://x.example"}, (*RELAYED, *PINNED_RELAY)),
            (
                {"content_type": ("application/sdp",)},
                tuple(dict.fromkeys((*RELAYED, *SDP_RELAY))),
            ),
            ({"response_headers": ("X-A", "!retry-after")}, (*RELAYED[1:], "X-A")),
        ):
            self.assertEqual(RouteOptions(**given).relayed_headers, expected)
