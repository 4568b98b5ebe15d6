"""The stage of the WHIP tests: a route for two users, and an endpoint by script."""

from twisted.logger import globalLogPublisher

from naap_twisted.auth.static import StaticTokens
from naap_twisted.model import User

from .support import ORIGIN, PATH, IntegrationTestCase, response

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
ANSWER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n \x00\xff trailing bytes\r\n"
CANDIDATE = b"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uY\r\nm=audio 9 RTP/AVP 0\r\na=candidate:1\r\n"
LINKS = (
    '<stun:stun.example.net>; rel="ice-server"',
    '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="u1";'
    ' credential="turn-credential-1"; credential-type="password"',
)
CREATED = response(
    201,
    ANSWER,
    f"Content-Type: {SDP}",
    "Location: /session/secret-session-7?t=1",
    'ETag: "xyzzy"',
    f"Accept-Patch: {FRAGMENT}",
    f"Accept-Post: {SDP}",
    *(f"Link: {link}" for link in LINKS),
)
NO_CONTENT = response(204, b"", length=False)
USERS = {"tok-ada-1234": User("ada"), "tok-bob-1234": User("bob")}
ADA, BOB = "Bearer tok-ada-1234", "Bearer tok-bob-1234"


class WhipTestCase(IntegrationTestCase):
    def begin(self, *steps, server=None, **route):
        """A WHIP route for two users; its key is the canary."""
        options = {"require_auth": True, "authenticator": StaticTokens(USERS), **(server or {})}
        self.start(
            *(steps or (CREATED,)),
            server=options,
            **{"target_url_header": "X-WHIP-URL", "content_type": SDP, **route},
        )
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    async def ask(self, method, path, body=None, user=ADA, **headers):
        """One request of the page."""
        sent = {"Origin": ORIGIN, "Authorization": user}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value is not None}
        return await self.running.ask(method, path, sent, body)

    async def offer(self, **more):
        """POST of an offer; the answer."""
        headers = {"X_WHIP_URL": self.upstream.origin + "/whip/room", "Content_Type": SDP, **more}
        return await self.ask("POST", PATH, b"v=0\r\n", **headers)

    async def opened(self, **more):
        """The Location of a new session; the next request gets 204."""
        location = (await self.offer(**more)).header("Location")
        self.upstream.steps = (NO_CONTENT,)
        return location

    async def trickle(self, path, body=CANDIDATE, **headers):
        return await self.ask("PATCH", path, body, **{"Content_Type": FRAGMENT, **headers})

    def assert_no_upstream(self, answer, status=404, code="NOT_FOUND"):
        """Refused here; the upstream saw the offer and nothing after it."""
        self.assert_refused(answer, status, code)
        self.assertEqual(len(self.upstream.requests), 1)
