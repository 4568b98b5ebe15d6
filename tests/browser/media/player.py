"""WHEP through the same kind of route: a stock player shows what a stock publisher sends."""

from ..support import PACKAGES, need_packages
from .clients import WHIP_WHEP
from .stage import COUNTED, PINNED, PLAYED, TOKEN, MediaTestCase

# Beside what the publisher's page has.
PLAYER = """<script type=module>
import { WHEPClient } from "/whip-whep/whep.js";
window.view = async (url, token) => {
  const viewing = (window.viewing = new RTCPeerConnection());
  viewing.addTransceiver("audio", {direction: "recvonly"});
  viewing.addTransceiver("video", {direction: "recvonly"});
  const video = document.body.appendChild(document.createElement("video"));
  video.muted = video.autoplay = true;
  viewing.ontrack = ({streams}) => { video.srcObject = streams[0]; };
  window.player = new WHEPClient();
  await player.view(viewing, url, token);
};
</script>"""


class PlayerTests(MediaTestCase):
    async def test_player(self):
        """Frames are decoded; its PATCHes and its DELETE arrive at its own session's URL."""
        need_packages("whip-whep")
        await self.begin(WHIP_WHEP + PLAYER, folders={"whip-whep": PACKAGES / "whip-whep"})
        await self.browse(lambda page: page.wait_for_function("() => window.view && window.start"))
        urls = [self.proxy.url + base + "/my-stream" for base in (PINNED, PLAYED)]
        start, view = ([url, TOKEN] for url in urls)
        await self.browse(lambda page: page.evaluate("a => start(...a)", start))
        await self.until_received(5)
        before = len(self.recorder.asked)
        await self.browse(lambda page: page.evaluate("a => view(...a)", view))
        await self.connected("window.viewing")
        decoded = ["viewing", "inbound-rtp", "framesDecoded", 20]
        self.assertTrue(await self.browse(lambda page: page.evaluate(COUNTED, decoded)))
        await self.browse(lambda page: page.evaluate("() => player.stop()"))
        self.assertIn("its client ended it", await self.until_said("viewer 2 ended"))

        offer, *patches, end = self.recorder.asked[before:]
        self.assertEqual((offer.method, offer.path, offer.status), ("POST", "/whep/my-stream", 201))
        self.assertEqual((end.method, end.status), ("DELETE", 200))
        asked = {(patch.method, patch.path, patch.status) for patch in patches}
        self.assertEqual(asked, {("PATCH", end.path, 204)})
        self.assertGreater(await self.frames(), 5)
