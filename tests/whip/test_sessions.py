"""A route's sessions: which Locations are signed, and which requests are for one."""

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.errors import NotFound
from naap_twisted.model import User
from naap_twisted.whip.key import LocationKey
from naap_twisted.whip.location import sign
from naap_twisted.whip.sessions import WebRtcSessions

PATH = "/api/v1/whip"
URL = b"https://media.example.com/session/7?t=1"


def asked(uri=b"/api/v1/whip", method=b"POST", user="ada"):
    user = None if user is None else User(user)
    return SimpleNamespace(uri=uri, outer=b"", method=method, record=SimpleNamespace(user=user))


def answered(code, **headers):
    return SimpleNamespace(
        code=code, headers=Headers({name: [value] for name, value in headers.items()})
    )


class SessionsTests(SynchronousTestCase):
    def setUp(self):
        self.key = LocationKey()
        self.now = 5000.0
        self.sessions = WebRtcSessions(self.key, PATH, 60, clock=lambda: self.now)

    def test_round_trip(self):
        """What was signed for a user is found again for that user."""
        for user in ("ada", None):
            location = self.sessions.locate(asked(user=user), answered(201))(URL)
            self.assertTrue(location.startswith(b"/api/v1/whip/whip-session/"))
            request = asked(location, b"PATCH", user)
            self.assertTrue(self.sessions.holds(request))
            self.assertEqual(self.sessions.target(request).url.encode(), URL)
            self.now += 60
            with self.assertRaises(NotFound) as caught:
                self.sessions.target(request)
            self.assertEqual(caught.exception.message, "No such session")
            self.assertEqual(caught.exception.reason, "Location: its time is over")

    def test_name(self):
        """A Location ends as the session's own URL does, if it ends in a plain name."""
        locate = self.sessions.locate(asked(), answered(201))
        for url, name in (
            (URL, b"7"),
            (b"https://api.example.com/v1/realtime/calls/rtc_u1-2", b"rtc_u1-2"),
            (b"https://a.example/calls/a.b~c?x=/d", b"a.b~c"),
            (b"https://a.example/calls/", b""),
            (b"https://a.example/", b""),
            (b"https://a.example/calls/a%2Fb", b""),
            (b"https://a.example/calls/a;b", b""),
            (b"https://a.example/" + b"n" * 129, b""),
        ):
            location = locate(url)
            _, slash, named = location.removeprefix(b"/api/v1/whip/whip-session/").partition(b"/")
            self.assertEqual((slash, named), (b"/" if name else b"", name), url)
            self.assertEqual(self.sessions.target(asked(location)).url.encode(), url)
            for other in (location + b"x", location + b"/", location + b"/x"):
                with self.assertRaises(NotFound):
                    self.sessions.target(asked(other))
        location = locate(URL)
        for other in (location.removesuffix(b"/7"), location[:-1] + b"8"):
            with self.assertRaises(NotFound):
                self.sessions.target(asked(other))

    def test_other_paths(self):
        """The route itself, and what only looks like a Location, is for no session."""
        for uri in (b"/api/v1/whip", b"/api/v1/whip?x", b"/api/v1/whip/whip-session", b"/x"):
            self.assertFalse(self.sessions.holds(asked(uri)))
            self.assertIsNone(self.sessions.target(asked(uri)))

    def test_what_is_signed(self):
        """Answers to offers; a redirect's Location and another method's stay."""
        for method, code, signed in (
            (b"POST", 201, True),
            (b"POST", 200, True),
            (b"POST", 406, True),
            (b"POST", 307, False),
            (b"POST", 303, False),
            (b"PATCH", 200, False),
            (b"GET", 201, False),
        ):
            locate = self.sessions.locate(asked(method=method), answered(code))
            self.assertIs(locate is not None, signed, (method, code))

    def test_no_target(self):
        """What no request may ask for is not signed."""
        locate = self.sessions.locate(asked(), answered(201))
        for url in (b"urn:session:7", b"ftp://a.example/", b"https://u:p@a.example/", b""):
            self.assertEqual(locate(url), url)

    def test_signed_but_no_target(self):
        """A token of an older version's with a URL that is none any more is no session."""
        token = sign(self.key.open(), b"not a URL", user="ada", route=PATH, expires=9000)
        uri = f"{PATH}/whip-session/".encode() + token
        with self.assertRaises(NotFound) as caught:
            self.sessions.target(asked(uri, b"PATCH"))
        self.assertNotIn("not a URL", caught.exception.reason)

    def test_relays_error(self):
        """A session's errors are the protocol's; an offer's only where SDP comes with it."""
        relays = self.sessions.relays_error
        self.assertTrue(relays(asked(method=b"PATCH"), answered(412)))
        self.assertTrue(relays(asked(), answered(406, **{"content-type": "application/sdp; x=1"})))
        self.assertFalse(relays(asked(), answered(406, **{"content-type": "application/json"})))
        self.assertFalse(relays(asked(), answered(503)))
