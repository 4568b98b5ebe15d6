"""Clients of WHIP, RFC 9725: Python's with media, and the exchange of those of npm in a page."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from twisted.internet.utils import getProcessOutputAndValue
from twisted.web.resource import Resource

try:
    import httpx
except ImportError:
    httpx = None

from naap_twisted.demo.media.process import MediaProcess
from naap_twisted.demo.sdp import answer_to
from naap_twisted.secret import Secret

from ..browser.media.stage import Recorder
from ..browser.support import until
from ..certs import pem_pair
from ..demo.media.publisher import (
    accept,
    eventually,
    in_thread,
    need_aiortc,
    offering,
    on_loopback,
)
from .support import (
    KEY,
    TOKEN,
    Call,
    Client,
    PageClientTestCase,
    PythonClientTestCase,
    Reply,
    reactor,
)


class _Media(PythonClientTestCase):
    """The upstream is the demo's endpoint, which wants the key and receives media.

    :ivar asked: every request to it.
    """

    provider = "whip"
    base_path = "/whip"

    def upstream(self) -> Resource:
        need_aiortc()
        self.said: list[str] = []
        self.media = MediaProcess(Secret(f"Bearer {KEY}"), reactor, self.said.append)
        self.media.startService()
        self.addCleanup(self.media.stopService)
        recorder = Recorder(self.media.port)
        self.asked = recorder.asked
        return recorder

    async def ended(self) -> None:
        """The client ended its session, of which frames were received."""
        await until(lambda: any("its client ended it" in line for line in self.said))
        (line,) = (line for line in self.said if "ended" in line)
        self.assertNotIn(" 0 video frames", line)
        offer, *_, end = self.asked
        self.assertEqual((offer.method, offer.path, offer.status), ("POST", "/whip/room", 201))
        self.assertEqual((end.method, end.status), ("DELETE", 200))
        for call in self.asked:
            self.assertEqual(call.headers.getRawHeaders("authorization"), [f"Bearer {KEY}"])


# FFmpeg's libraries hold Python's lock while they talk, so they have a process of their own.
_FFMPEG = """
import sys, time
from fractions import Fraction
import av

url, token, certificate, key = sys.argv[1:]
options = {"authorization": token, "cert_file": certificate, "key_file": key}
with av.open(url, "w", format="whip", options=options) as out:
    video = out.add_stream("libx264", rate=25)
    video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
    video.options = {"preset": "ultrafast", "tune": "zerolatency", "bf": "0", "g": "5"}
    video.profile = "Baseline"
    for number in range(50):
        frame = av.VideoFrame(160, 120, "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        out.mux(video.encode(frame))
        time.sleep(0.02)
    out.mux(video.encode())
"""


class FfmpegTests(_Media):
    """FFmpeg's own muxer (``-f whip``), as PyAV's package has it."""

    client = Client("av")

    async def publish(self, token: str = TOKEN) -> tuple[str, int]:
        """What it said, and its exit code."""
        folder = Path(self.mktemp())
        folder.mkdir()
        # FFmpeg with GnuTLS makes itself an RSA key, and aiortc takes none.
        key, certificate = pem_pair("ffmpeg")
        files = [folder / "certificate.pem", folder / "key.pem"]
        files[0].write_bytes(certificate)
        files[1].write_bytes(key)
        arguments = ["-c", _FFMPEG, f"{self.base}/room", token, *map(str, files)]
        _, said, code = await getProcessOutputAndValue(sys.executable, arguments)
        return said.decode("utf-8", "replace"), code

    async def test_publish(self) -> None:
        self.assertEqual(await self.publish(), ("", 0))
        await self.ended()

    async def test_token(self) -> None:
        _, code = await self.publish("other")
        self.assertEqual(code, 1)
        self.assertEqual(self.asked, [])


class AiortcTests(_Media):
    """aiortc, with the exchange that its users write."""

    client = Client("aiortc")

    async def session(self, token: str = TOKEN) -> int:
        """Publish until media flows, then end it; the status of the offer's answer."""
        peer, offer = await offering("video")
        bearer = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(headers=bearer) as http:
            types = {"Content-Type": "application/sdp"}
            made = await http.post(f"{self.base}/room", content=offer, headers=types)
            if made.status_code == 201:
                await accept(peer, made.text)
                location = made.url.join(made.headers["Location"])
                await eventually(lambda: peer.connectionState == "connected")
                while not await self.has_sent(peer):
                    await asyncio.sleep(0.02)
                await http.delete(location)
        await peer.close()
        return made.status_code

    async def has_sent(self, peer) -> bool:
        """Whether so many packets left that the endpoint has a frame of them."""
        entries = (await peer.getStats()).values()
        return any(entry.type == "outbound-rtp" and entry.packetsSent > 30 for entry in entries)

    async def test_publish(self) -> None:
        on_loopback(self)
        self.assertEqual(await in_thread(self.session), 201)
        await self.ended()

    async def test_token(self) -> None:
        on_loopback(self)
        self.assertEqual(await in_thread(self.session, "other"), 401)
        self.assertEqual(self.asked, [])


class _Page:
    """The upstream is scripted, and as strict as RFC 9725: no media flows.

    :cvar tag: the request header in which a client of its draft sends the entity-tag.
    :cvar grumbles: what a client says in the console of its own accord.
    """

    provider = "whip"
    base_path = "/whip"
    sessions = ("/whip/resource/s-1",)
    tag = "if-match"
    grumbles: tuple[str, ...] = ()

    def answer(self, call: Call) -> Reply:
        if not self.key_came(call, "authorization"):
            return Reply(401)
        kind, tag = call.headers.get("content-type"), '"tag-1"'
        if (call.method, call.path) == ("POST", "/whip/room"):
            if kind != "application/sdp":
                return Reply(415)
            headers = {
                "Content-Type": "application/sdp",
                "Location": "/whip/resource/s-1",
                "ETag": tag,
            }
            return Reply(201, headers=headers, body=answer_to(call.body.decode()).encode())
        if call.path != "/whip/resource/s-1":
            return Reply(404)
        if call.method == "PATCH":
            if kind != "application/trickle-ice-sdpfrag":
                return Reply(415)
            given = call.headers.get(self.tag)
            return Reply(204 if given == tag else 412 if given else 428)
        return Reply(200 if call.method == "DELETE" else 405)

    async def test_publish(self) -> None:
        await self.start()
        self.expect_console(*self.grumbles)
        await self.script("await publish(`${base}/room`, token)")
        await until(lambda: any(call.method == "PATCH" for call in self.vendor.calls))
        await self.script("await stop()")
        await until(lambda: self.vendor.calls[-1].method == "DELETE")
        paths = [call.path for call in self.vendor.calls]
        self.assertEqual(paths, ["/whip/room", *["/whip/resource/s-1"] * (len(paths) - 1)])
        patch = next(call for call in self.vendor.calls if call.method == "PATCH")
        self.assertEqual(patch.headers[self.tag], '"tag-1"')

    async def test_token(self) -> None:
        await self.start()
        self.expect_console("status of 401", *self.grumbles)
        await self.script('await publish(`${base}/room`, "other").catch(() => 0)')
        self.assertEqual(self.vendor.calls, [])


class WhipWhepTests(_Page, PageClientTestCase):
    client = Client("whip-whep", "npm", in_page=True)
    module = """
import { WHIPClient } from "whip-whep/whip.js";
window.publish = async (url, token) => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d");
  const stream = canvas.captureStream();
  const peer = new RTCPeerConnection();
  for (const track of stream.getTracks()) {
    peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
  }
  window.client = new WHIPClient();
  await client.publish(peer, url, token);
};
window.stop = () => client.stop();
"""


class EyevinnTests(_Page, PageClientTestCase):
    client = Client("@eyevinn/whip-web-client", "npm", in_page=True)
    tag = "etag"
    # Candidates that it finds before its own offer go up as a PATCH without a body.
    grumbles = ("^WHIPClient Missing local SDP meta data", "status of 415", "^WHIPClient IceCand")
    module = """
import { WHIPClient } from "@eyevinn/whip-web-client";
window.publish = async (endpoint, authkey) => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d");
  window.client = new WHIPClient({ endpoint, opts: { authkey, iceServers: [] } });
  await client.ingest(canvas.captureStream());
};
window.stop = () => client.destroy();
"""
