"""Which routes are for WHIP, and what they have beside their options."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import ExposeHeader
from naap_twisted.whip import rules


class RulesTests(SynchronousTestCase):
    def test_is_whip(self):
        """A route to which offers can be posted, however the type is spelled."""
        for kinds, methods, expected in (
            (("application/sdp",), ("POST",), True),
            (("application/json", "Application/SDP"), ("GET", "POST"), True),
            (("application/sdp",), ("GET",), False),
            (("application/json",), ("POST",), False),
            (("*/*",), ("POST",), False),
        ):
            self.assertIs(rules.is_whip(kinds, methods), expected, kinds)

    def test_methods(self):
        """The route's first, each once."""
        self.assertEqual(rules.route_methods(["POST"]), ("POST", "PATCH", "DELETE", "GET"))
        self.assertEqual(rules.route_methods(["GET", "POST"]), ("GET", "POST", "PATCH", "DELETE"))

    def test_patch_types(self):
        """The route's and ICE fragments."""
        fragment = "application/trickle-ice-sdpfrag"
        self.assertEqual(rules.patch_types(("a/b",)), ("a/b", fragment))
        self.assertEqual(rules.patch_types((fragment,)), (fragment,))

    def test_exposed(self):
        """X-WHIP-Resource is there, once."""
        resource = ExposeHeader("Location", "X-WHIP-Resource")
        other = ExposeHeader("Location", "X-Where")
        spelled = ExposeHeader("location", "x-whip-resource")
        self.assertEqual(rules.exposed(()), (resource,))
        self.assertEqual(rules.exposed([other]), (other, resource))
        self.assertEqual(rules.exposed([spelled, other]), (spelled, other))
