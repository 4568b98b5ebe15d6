"""The seams between a request, its connection and its site."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from naap_twisted.downstream.seams import Connection, Serving
from naap_twisted.downstream.site import DownstreamSite


def members(protocol: type) -> set[str]:
    """What *protocol* asks for, methods and attributes."""
    named = {*vars(protocol), *protocol.__annotations__}
    return {name for name in named if not name.startswith("_")}


class SeamTests(SynchronousTestCase):
    def test_both_sides_fit(self) -> None:
        """What is asked of a site and of a connection, they have; nothing is asked in vain."""
        site = DownstreamSite(Resource(), reactor=Clock())
        channel = site.buildProtocol(None)
        for thing, protocol in ((site, Serving), (channel, Connection)):
            # The transport is there once the connection is.
            wanted = members(protocol) - {"transport"}
            self.assertGreater(len(wanted), 5)
            self.assertEqual([name for name in wanted if not hasattr(thing, name)], [])
