"""Tests of naap_twisted.limits.announce."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.limits.announce import Announcement
from naap_twisted.model import RateDecision, RateLimit

ADDRESS = Announcement("address", RateLimit(200, 900.0))
USER = Announcement("user", RateLimit(10, 0.5))


class AnnouncementTests(SynchronousTestCase):
    def get(self, headers: Headers, name: str) -> str:
        (value,) = headers.getRawHeaders(name, [])
        return value

    def test_one(self) -> None:
        """The policy, and what is left of it."""
        headers = Headers()
        ADDRESS.put(headers, RateDecision(True, 200, 199, reset=900))
        self.assertEqual(self.get(headers, "RateLimit"), '"address";r=199;t=900')
        self.assertEqual(self.get(headers, "RateLimit-Policy"), '"address";q=200;w=900')
        self.assertFalse(headers.hasHeader("Access-Control-Expose-Headers"))

    def test_several(self) -> None:
        """Each adds itself to one list; a window is at least a second there."""
        headers = Headers({"Access-Control-Expose-Headers": ["X-Request-ID"]})
        ADDRESS.put(headers, RateDecision(True, 200, 199, reset=900))
        USER.put(headers, RateDecision(False, 10, 0, retry_after=3))
        self.assertEqual(self.get(headers, "RateLimit"), '"address";r=199;t=900, "user";r=0;t=3')
        self.assertEqual(
            self.get(headers, "RateLimit-Policy"), '"address";q=200;w=900, "user";q=10;w=1'
        )
        self.assertEqual(
            self.get(headers, "Access-Control-Expose-Headers"),
            "X-Request-ID, RateLimit, RateLimit-Policy",
        )
