"""The headers that usual clients send and read."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.headers import HOP_BY_HOP, HeaderPatterns
from naap_twisted.policy import usual_headers
from naap_twisted.policy.own_headers import why_not_relayed


class UsualHeadersTests(SynchronousTestCase):
    def test_sent(self) -> None:
        """What passes upstream describes the request: no credential, nothing of one connection."""
        passed = HeaderPatterns(usual_headers.PINNED_PASS)
        for name in (*HOP_BY_HOP, b"authorization", b"cookie", b"host", b"content-length"):
            self.assertFalse(passed.match(name), name)
        for name in (b"accept", b"if-none-match", b"idempotency-key", b"x-stainless-lang"):
            self.assertTrue(passed.match(name), name)

    def test_read(self) -> None:
        """What is relayed is nothing that an upstream may never set here."""
        for name in (*usual_headers.PINNED_RELAY, *usual_headers.SDP_RELAY):
            self.assertEqual(why_not_relayed(name), "", name)
