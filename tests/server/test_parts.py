"""What a server is made of."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.server.parts import Parts
from tests.spine import make_server


class PartsTests(SynchronousTestCase):
    def test_of_a_server(self):
        """The same parts each time, and nothing of them is shown in a log."""
        server = make_server(jwt_secret="a-secret-of-32-characters-or-more", require_auth=True)
        parts = server.parts
        self.assertIsInstance(parts, Parts)
        self.assertIs(parts.upstream, server.parts.upstream)
        self.assertIs(parts.tally, server.parts.tally)
        self.assertEqual(parts.options.name, "spine")
        self.assertNotIn("a-secret-of", repr(parts))
