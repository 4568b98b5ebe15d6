"""Names without DNS."""

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import BadGateway
from naap_twisted.interfaces import IResolver
from naap_twisted.testing import StaticResolver
from tests.support import verify_protocol


class StaticResolverTests(SynchronousTestCase):
    def setUp(self):
        self.resolver = StaticResolver({"one.test": "10.0.0.1", "two.test": ["10.0.0.1", "::1"]})

    def test_keeps_the_interface(self):
        verify_protocol(IResolver, self.resolver)

    def test_gives_one_address_or_all_of_several(self):
        one = self.successResultOf(self.resolver.resolve("one.test")).addresses
        two = self.successResultOf(self.resolver.resolve("two.test")).addresses
        self.assertEqual(one, (ip_address("10.0.0.1"),))
        self.assertEqual(two, (ip_address("10.0.0.1"), ip_address("::1")))

    def test_a_stranger_has_no_address(self):
        self.failureResultOf(self.resolver.resolve("other.test"), BadGateway)

    def test_remembers_what_it_was_asked(self):
        self.resolver.resolve("one.test")
        self.resolver.resolve("two.test")
        self.assertEqual(self.resolver.asked, ["one.test", "two.test"])
