"""Other people's WHIP clients, unmodified: they know one URL and nothing of a proxy."""

import json

from ..support import PACKAGES, need_packages
from .stage import PINNED, TOKEN, MediaTestCase

CAMERA = "await navigator.mediaDevices.getUserMedia({video: true, audio: true})"
WHIP_WHEP = f"""<!doctype html><title>whip-whep</title><link rel=icon href=data:,>
<script type=module>
import {{ WHIPClient }} from "/whip-whep/whip.js";
window.start = async (url, token) => {{
  const stream = {CAMERA};
  const peer = (window.peer = new RTCPeerConnection());
  for (const track of stream.getTracks()) {{
    peer.addTransceiver(track, {{direction: "sendonly", streams: [stream]}});
  }}
  window.client = new WHIPClient();
  await client.publish(peer, url, token);
}};
window.stop = () => client.stop();
</script>"""
EYEVINN = f"""<!doctype html><title>whip-web-client</title><link rel=icon href=data:,>
<script type=importmap>
{{"imports": {{"events": "/events.js", "sdp-transform": "/sdp-transform.js"}}}}
</script>
<script type=module>
import {{ WHIPClient }} from "/eyevinn/whip-client.modern.js";
window.start = async (endpoint, authkey) => {{
  window.client = new WHIPClient({{endpoint, opts: {{authkey, iceServers: []}}}});
  window.peer = client.peer;
  await client.ingest({CAMERA});
}};
window.stop = () => client.destroy();
</script>"""
# What a bundler does with a CommonJS package.
BUNDLE = """const files = {};
%s
const loaded = {};
function load(name) {
  const key = name.replace("./", "").replace(".js", "");
  if (!loaded[key]) files[key](loaded[key] = {exports: {}}, loaded[key].exports, load);
  return loaded[key].exports;
}
export const { %s } = load("%s");
"""


def bundled(folder, entry, names):
    """The package in *folder* as one module that exports *names*."""
    files = [
        f"files[{json.dumps(path.stem)}] = function (module, exports, require) {{\n"
        f"{path.read_text()}\n}};"
        for path in sorted(folder.glob("*.js"))
    ]
    return BUNDLE % ("\n".join(files), ", ".join(names), entry)


class ClientTestCase(MediaTestCase):
    async def publish(self):
        """Start the page's client with the pinned route as its endpoint; media arrives."""
        url = self.proxy.url + PINNED + "/my-stream"
        ready = "() => window.start"
        await self.browse(lambda page: page.wait_for_function(ready))
        await self.browse(lambda page: page.evaluate("a => window.start(...a)", [url, TOKEN]))
        await self.connected()
        await self.until_received(10)

    async def stopped(self):
        """Stop it: DELETE ends the session. The PATCHes that there were, all at its URL."""
        await self.browse(lambda page: page.evaluate("() => window.stop()"))
        self.assertIn("its client ended it", await self.until_ended())
        offer, *patches, end = self.recorder.asked
        self.assertEqual((offer.method, offer.path, offer.status), ("POST", "/whip/my-stream", 201))
        self.assertRegex(end.path, r"^/whip/resource/[\w-]+$")
        self.assertEqual((end.method, end.status), ("DELETE", 200))
        self.assertEqual({(p.method, p.path) for p in patches}, {("PATCH", end.path)})
        return patches


class WhipWhepTests(ClientTestCase):
    """``whip-whep``, by the author of RFC 9725."""

    async def test_session(self):
        """Trickled candidates are taken, with the ETag; DELETE ends the session."""
        need_packages("whip-whep")
        await self.begin(WHIP_WHEP, folders={"whip-whep": PACKAGES / "whip-whep"})
        await self.publish()
        for patch in await self.stopped():
            (tag,) = patch.headers.getRawHeaders("If-Match")
            self.assertRegex(tag, r'^"\w+"$')
            self.assertEqual(patch.status, 204)


class EyevinnTests(ClientTestCase):
    """``@eyevinn/whip-web-client``."""

    async def test_session(self):
        """It looks for PATCH in what OPTIONS allows, and finds it; DELETE ends the session."""
        need_packages("@eyevinn/whip-web-client", "events", "sdp-transform")
        self.expect_console("428")
        await self.begin(EYEVINN, folders={"eyevinn": PACKAGES / "@eyevinn/whip-web-client/dist"})
        await self.publish()
        for patch in await self.stopped():
            # Of an early draft: ETag where RFC 9725 has If-Match. It passes, and the endpoint says
            # what it misses; the client then goes on without trickling.
            (tag,) = patch.headers.getRawHeaders("ETag")
            self.assertRegex(tag, r'^"\w+"$')
            self.assertEqual(patch.status, 428)

    async def begin(self, html, folders):
        events = bundled(PACKAGES / "events", "events", ["EventEmitter"])
        sdp = bundled(PACKAGES / "sdp-transform/lib", "index", ["parse", "write"])
        modules = {"events.js": events, "sdp-transform.js": sdp}
        await super().begin(html, folders=folders, modules=modules)
