"""URLs of the upstream in headers: below this route, or as they were."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.downstream.caller import NOBODY, TrustedProxies
from naap_twisted.policy.target import PinnedBase
from naap_twisted.route.homeward import Homeward

PINNED = PinnedBase.parse("https://api.example.com/v1")


class _Asked:
    def __init__(self, secure=False, **headers):
        given = {name.replace("_", "-"): [value] for name, value in headers.items()}
        self.requestHeaders = Headers(given)
        self.secure = secure
        self.outer = b""

    def isSecure(self):
        return self.secure

    def getClientAddress(self):
        return type("Address", (), {"host": "127.0.0.1"})()


class HomewardTests(SynchronousTestCase):
    def moved(self, url, asked=None, trusted=NOBODY):
        homeward = Homeward(["X-Goog-Upload-URL"], PINNED, "/api/v1/x", trusted)
        asked = asked or _Asked(host="proxy.example:4020")
        return homeward.locate(asked)[b"X-Goog-Upload-Url"](url)

    def test_below_the_base(self):
        """Path and query stay byte for byte; the base's own path is in the route's."""
        for url, home in (
            (b"https://api.example.com/v1/up?id=a%2Fb", b"/up?id=a%2Fb"),
            (b"https://api.example.com:443/v1", b""),
            (b"https://api.example.com/v1?a", b"?a"),
        ):
            self.assertEqual(self.moved(url), b"http://proxy.example:4020/api/v1/x" + home)

    def test_on_a_site_of_others(self):
        """Where the whole server stands below a path, so does the URL."""
        asked = _Asked(host="a")
        asked.outer = b"/site"
        moved = self.moved(b"https://api.example.com/v1/up", asked)
        self.assertEqual(moved, b"http://a/site/api/v1/x/up")

    def test_elsewhere(self):
        """Another host's, scheme's or path's stays what it was, as does what is no URL."""
        for url in (
            b"https://files.example.com/v1/up",
            b"http://api.example.com/v1/up",
            b"https://api.example.com/v10/up",
            b"https://api.example.com/v1/%2e%2e/up",
            b"/v1/up",
            b"",
        ):
            self.assertEqual(self.moved(url), url)

    def test_scheme(self):
        """The scheme is the caller's: of the connection, or by a trusted proxy's word."""
        url = b"https://api.example.com/v1/up"
        secure = _Asked(secure=True, host="a")
        self.assertEqual(self.moved(url, secure), b"https://a/api/v1/x/up")
        told = _Asked(host="a", x_forwarded_proto="https")
        self.assertEqual(self.moved(url, told), b"http://a/api/v1/x/up")
        trusted = TrustedProxies(["127.0.0.1"])
        self.assertEqual(self.moved(url, told, trusted), b"https://a/api/v1/x/up")

    def test_no_host(self):
        """Where the caller named no host (HTTP/1.0), there is no URL to tell."""
        url = b"https://api.example.com/v1/up"
        self.assertEqual(self.moved(url, _Asked()), url)

    def test_beside_sessions(self):
        """A WebRTC session's Location is rewritten beside them."""
        homeward = Homeward(["X-Up"], PINNED, "/x")
        found = homeward.locate(_Asked(host="a"), bytes.upper)
        self.assertEqual(found[b"Location"](b"a"), b"A")
        self.assertEqual(set(found), {b"X-Up", b"Location"})

    def test_unpinned(self):
        """A route to many hosts has no base, so nothing to rewrite."""
        self.assertFalse(Homeward(["X-Up"], None, "/x"))
        self.assertFalse(Homeward([], PINNED, "/x"))
