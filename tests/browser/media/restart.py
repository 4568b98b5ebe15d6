"""An ICE restart through the proxy: a stock client, and an endpoint by script.

By script because aiortc can't restart ICE; there is no media here, only what is said about it.
"""

from klein import Klein

from naap_twisted.demo import sdp
from naap_twisted.demo.upstream import UpstreamSite

from ..support import PACKAGES, need_packages, until
from .clients import WHIP_WHEP
from .stage import PINNED, SDP, TOKEN, MediaTestCase

FRAGMENT = "application/trickle-ice-sdpfrag"
RESTARTED = b"a=ice-lite\r\na=ice-ufrag:restarted\r\na=ice-pwd:restarted-0123456789abcd\r\n"


class Script:
    """Takes every offer and every candidate; ``If-Match: *`` restarts.

    :ivar patches: the If-Match and the body of each PATCH.
    """

    app = Klein()

    def __init__(self):
        self.patches = []

    @app.route("/whip/my-stream", methods=["POST"])
    def offer(self, request):
        request.setResponseCode(201)
        request.setHeader("content-type", SDP)
        request.setHeader("location", "/session/1")
        request.setHeader("etag", '"one"')
        return sdp.answer_to(request.content.read().decode()).encode()

    @app.route("/session/1", methods=["PATCH"])
    def patch(self, request):
        tag = request.getHeader("if-match")
        self.patches.append((tag, request.content.read().decode()))
        if tag != "*":
            request.setResponseCode(204)
            return b""
        request.setHeader("content-type", FRAGMENT)
        request.setHeader("etag", '"two"')
        return RESTARTED

    @app.route("/session/1", methods=["DELETE"])
    def end(self, request):
        return b""


class RestartTests(MediaTestCase):
    def site(self):
        self.script = Script()
        return UpstreamSite(self.script.app.resource())

    def tags(self):
        return [tag for tag, _ in self.script.patches]

    async def test_restart(self):
        """``*`` goes up, the new fragment and ETag come down, and further candidates carry it."""
        need_packages("whip-whep")
        await self.begin(WHIP_WHEP, folders={"whip-whep": PACKAGES / "whip-whep"})
        await self.browse(lambda page: page.wait_for_function("() => window.start"))
        url = self.proxy.url + PINNED + "/my-stream"
        await self.browse(lambda page: page.evaluate("a => window.start(...a)", [url, TOKEN]))
        await until(lambda: any("a=end-of-candidates" in body for _, body in self.script.patches))
        self.assertEqual(set(self.tags()), {'"one"'})
        before = len(self.script.patches)

        await self.browse(lambda page: page.evaluate("() => client.restart()"))
        await until(lambda: len(self.script.patches) > before + 1)
        self.assertEqual(self.tags()[before], "*")
        self.assertEqual(set(self.tags()[before + 1 :]), {'"two"'})
        self.assertNotIn("a=candidate", self.script.patches[before][1])
        remote = await self.browse(lambda page: page.evaluate("() => peer.remoteDescription.sdp"))
        self.assertIn("a=ice-ufrag:restarted\r\n", remote)
