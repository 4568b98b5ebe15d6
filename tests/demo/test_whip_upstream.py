"""The demo's WHIP endpoint over real sockets, with stock treq."""

from twisted.trial.unittest import TestCase

from naap_twisted.demo import whip_upstream
from naap_twisted.demo.whip_upstream import WhipUpstream
from naap_twisted.secret import Secret

from .loopback import AUTHORIZATION, Tally, call, serve
from .test_sdp import OFFER

FRAGMENT = "a=ice-ufrag:x\r\na=ice-pwd:y\r\n"


class Whip(TestCase):
    def setUp(self):
        self.upstream = WhipUpstream(Secret(AUTHORIZATION))
        self.tally = Tally(self.upstream)
        self.base = serve(self, self.upstream.site())

    def offer(self, text=OFFER, content_type="application/sdp", **options):
        headers = {"Content-Type": content_type}
        return call(
            "POST", self.base + "/whip/room", headers=headers, data=text.encode(), **options
        )

    async def opened(self):
        """URL and ETag of a new session."""
        response = await self.offer()
        await response.content()
        (location,) = response.headers.getRawHeaders("location")
        (etag,) = response.headers.getRawHeaders("etag")
        return self.base + location, etag

    def trickle(self, url, content_type="application/trickle-ice-sdpfrag", **headers):
        headers = {"Content-Type": content_type, **headers}
        return call("PATCH", url, headers=headers, data=FRAGMENT.encode())

    async def test_offer(self):
        """201, an SDP answer, and all that a client needs to go on."""
        response = await self.offer()
        answer = await response.text()
        self.assertEqual(response.code, 201)
        self.assertTrue(answer.startswith("v=0\r\n"))
        for name, pattern in [
            ("content-type", r"^application/sdp$"),
            ("location", r"^/whip/resource/[\w-]+$"),
            ("etag", r'^"\w+"$'),
            ("accept-patch", r"^application/trickle-ice-sdpfrag$"),
            ("link", r'^<stun:[^>]+>; rel="ice-server"$'),
        ]:
            (value,) = response.headers.getRawHeaders(name)
            self.assertRegex(value, pattern)

    async def test_refused_offers(self):
        """Wrong key, wrong type, not SDP."""
        for options, status in [
            ({"key": None}, 401),
            ({"key": "Bearer other"}, 401),
            ({"content_type": "application/json"}, 415),
            ({"text": "{}"}, 400),
        ]:
            response = await self.offer(**options)
            await response.content()
            self.assertEqual(response.code, status, options)
        self.assertEqual(len(self.upstream.sessions), 0)
        self.assertEqual(self.tally.calls, 4)

    async def test_trickle(self):
        """PATCH: 204; another ETag 412; another type 415; no session 404."""
        url, etag = await self.opened()
        for target, options, status in [
            (url, {}, 204),
            (url, {"If-Match": etag}, 204),
            (url, {"If-Match": "*"}, 204),
            (url, {"If-Match": '"other"'}, 412),
            (url, {"content_type": "application/sdp"}, 415),
            (url + "x", {}, 404),
        ]:
            response = await self.trickle(target, **options)
            await response.content()
            self.assertEqual(response.code, status, options)

    async def test_delete(self):
        """DELETE ends the session: 200 once, then 404; without the key 401."""
        url, _ = await self.opened()
        codes = []
        for key in (None, AUTHORIZATION, AUTHORIZATION):
            response = await call("DELETE", url, key=key)
            await response.content()
            codes.append(response.code)
        self.assertEqual(codes, [401, 200, 404])

    async def test_sessions_are_bounded(self):
        """The oldest session makes room."""
        self.patch(whip_upstream, "MAX_SESSIONS", 2)
        urls = [(await self.opened())[0] for _ in range(3)]
        codes = []
        for url in urls:
            response = await self.trickle(url)
            await response.content()
            codes.append(response.code)
        self.assertEqual(codes, [404, 204, 204])
