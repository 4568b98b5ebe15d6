"""examples/frontend's camera: preview, status, and the session's life through the proxy."""

import json
from io import StringIO
from ipaddress import ip_network

from twisted.internet import reactor

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.demo.upstream import new_authorization
from naap_twisted.demo.whip_upstream import WhipUpstream
from naap_twisted.model import AllowedNetwork
from naap_twisted.testing import RunningServer

from ...demo.loopback import Tally
from ..frontend import FrontendTestCase
from ..namespace import is_isolated
from ..support import lacks, until

STATUS = "section:has(video) [role=status]"
ERROR = "section:has(video) .error"
# No size before the first frame is there.
PLAYS = """() => new Promise((resolve) => {
  const video = document.querySelector("video");
  const plays = () => video.srcObject?.active && video.videoWidth > 0 && !video.paused;
  const look = () => (plays() ? resolve(!video.hidden) : setTimeout(look, 50));
  look();
})"""

NOTE_ANSWER = """() => {
  const apply = RTCPeerConnection.prototype.setRemoteDescription;
  window.answered = new Promise((resolve) => {
    RTCPeerConnection.prototype.setRemoteDescription = function (answer) {
      resolve(answer.type);
      return apply.call(this, answer);
    };
  });
}"""


class CameraTestCase(FrontendTestCase):
    def setUp(self):
        if not is_isolated():
            lacks("this has a network; tests.browser.test_media runs it where there is none")

    async def start_camera(self):
        await self.browse(lambda page: page.get_by_role("button", name="Start camera").click())

    async def stop_camera(self):
        await self.browse(lambda page: page.get_by_role("button", name="Stop camera").click())


class SessionTests(CameraTestCase):
    """Before an endpoint that answers and receives nothing."""

    def begin(self, host="127.0.0.1", **whip):
        """A WHIP endpoint, the proxy before it, and the app told to ask for the endpoint."""
        self.serve()
        key = new_authorization()
        self.endpoint = WhipUpstream(key)
        self.whip = Tally(self.endpoint)
        port = reactor.listenTCP(0, self.endpoint.site(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        port = port.getHost().port
        reachable = (AllowedNetwork(ip_network("127.0.0.1/32"), port),)
        plugin = create_plugin_server(
            "daydream-video",
            0,
            require_auth=False,
            cors_origins=[self.origin],
            allow_networks=reachable,
            drain_timeout=1.0,
        )
        proxy = create_external_proxy(
            allowed_hosts=[host],
            allowed_schemes=["http"],
            allowed_ports=[port],
            allow_networks=reachable,
            target_url_header="X-WHIP-URL",
            content_type="application/sdp",
            forward_headers={"Authorization": key},
        )
        plugin.mount("/daydream/whip-proxy", proxy)
        self.proxy = RunningServer(self, plugin)
        self.whip_url = f"http://127.0.0.1:{port}/whip/room"
        settings = {
            "backends": {"daydream-video": self.proxy.url},
            "whip": {"whipUrl": self.whip_url, **whip},
        }
        self.config.data = f"window.NAAP = {json.dumps(settings)};".encode()

    async def test_session(self):
        """Preview, one offer, and Stop deletes the session and switches the camera off."""
        self.begin()
        await self.visit(permissions=["camera", "microphone"])
        self.assertEqual(await self.shown(STATUS, "off"), "The camera is off")
        await self.start_camera()
        self.assertTrue(await self.browse(lambda page: page.evaluate(PLAYS)))
        await until(lambda: self.endpoint.sessions)
        self.assertEqual(await self.shown(STATUS, "Connecting"), "Connecting...")
        await self.picture("camera")
        await self.stop_camera()
        await self.shown(STATUS, "Stopped")
        await until(lambda: not self.endpoint.sessions)
        self.assertEqual(self.whip.calls, 2)
        shown = await self.browse(lambda page: page.locator("video").is_visible())
        self.assertFalse(shown)
        self.assertEqual(await self.browse(lambda page: page.locator(ERROR).count()), 0)

    async def test_trickle(self):
        """Candidates follow the offer in PATCHes, under the entity-tag of the answer."""
        self.begin(trickle=True)
        await self.visit(permissions=["camera", "microphone"])

        def scenario(page):
            with page.expect_request(lambda request: request.method == "PATCH") as patch:
                page.get_by_role("button", name="Start camera").click()
            sent = patch.value
            return sent.url, sent.all_headers(), sent.post_data, sent.response().status

        url, headers, body, status = await self.browse(scenario)
        self.assertTrue(url.startswith(self.proxy.url + "/api/v1/daydream/whip-proxy/"), url)
        (etag,) = self.endpoint.sessions.values()
        self.assertEqual(headers["if-match"], etag.decode())
        self.assertIn("a=candidate:", body)
        self.assertEqual(status, 204)
        await self.stop_camera()
        await until(lambda: not self.endpoint.sessions)

    async def test_leaving(self):
        """A page that is left ends its session."""
        self.begin()
        await self.visit(permissions=["camera", "microphone"])
        # A page that has not read the answer yet knows of no session to end.
        await self.browse(lambda page: page.evaluate(NOTE_ANSWER))
        await self.start_camera()
        await self.browse(lambda page: page.evaluate("() => window.answered"))
        self.assertEqual(len(self.endpoint.sessions), 1)
        await self.browse(lambda page: page.goto("about:blank"))
        await until(lambda: not self.endpoint.sessions)

    async def test_refused(self):
        """A refusal is shown, and the camera goes off."""
        self.begin(host="media.example.org")
        self.expect_console("status of 400")
        await self.visit(permissions=["camera", "microphone"])
        await self.start_camera()
        text = await self.shown(ERROR, "is not in the allowed list")
        self.assertIn("code HOST_NOT_ALLOWED", text)
        self.assertEqual(await self.shown(STATUS, "Not"), "Not connected")
        live = await self.browse(
            lambda page: page.evaluate("document.querySelector('video').srcObject")
        )
        self.assertIsNone(live)
        self.assertEqual(self.whip.calls, 0)

    async def test_looks(self):
        """axe-core has no serious finding while the camera is on."""
        self.begin()
        await self.visit(permissions=["camera", "microphone"])
        await self.start_camera()
        await until(lambda: self.endpoint.sessions)
        self.assertEqual(await self.findings(), [])
        await self.stop_camera()
        await until(lambda: not self.endpoint.sessions)


class DemoTests(CameraTestCase):
    """As shipped, before the demo: nothing to fill in."""

    async def test_media(self):
        """On air: the endpoint decodes the camera's pictures, until Stop deletes the session."""
        out = StringIO()
        demo = self.demo(media=True, out=out)
        await self.visit(permissions=["camera", "microphone"])
        self.assertEqual(await self.browse(lambda page: page.get_by_label("WHIP").count()), 0)
        await self.start_camera()
        await self.shown(STATUS, "On air")
        for _ in range(100):
            (session,) = await demo.media.sessions()
            if session["frames"] > 20 and session["audio_frames"]:
                break
            await self.browse(lambda page: page.wait_for_timeout(100))
        else:
            self.fail(f"few frames: {session}")
        await self.picture("on-air")
        await self.stop_camera()
        await self.shown(STATUS, "Stopped")
        await until(lambda: "ended it" in out.getvalue())
        self.assertEqual(await demo.media.sessions(), [])

    async def test_trickle(self):
        """The same with candidates in PATCHes."""
        demo = self.demo(media=True)
        self.config.data += b"window.NAAP.whip.trickle = true;"
        await self.visit(permissions=["camera", "microphone"])
        await self.start_camera()
        await self.shown(STATUS, "On air")
        await self.stop_camera()
        await self.shown(STATUS, "Stopped")
        for _ in range(100):
            if not await demo.media.sessions():
                return
            await self.browse(lambda page: page.wait_for_timeout(50))
        self.fail("the session goes on")

    async def test_no_camera(self):
        """A user who does not let the page have the camera is told so."""
        self.demo()
        await self.visit()
        refuse = """() => {
          navigator.mediaDevices.getUserMedia = () =>
            Promise.reject(new DOMException("no", "NotAllowedError"));
        }"""
        await self.browse(lambda page: page.evaluate(refuse))
        await self.start_camera()
        await self.shown(ERROR, "The camera is not allowed")
        self.assertEqual(await self.shown(STATUS, "Not"), "Not connected")
