"""The way of the seed's ``useWHIP`` hook, with what came back from it used."""

from .stage import PATH, TOKEN, MediaTestCase

# ``sendSdpOffer`` has the seed's request, header by header.
START = """async ([proxyUrl, whipUrl, token]) => {
  async function sendSdpOffer(whipUrl, sdpOffer) {
    const response = await fetch(proxyUrl, {
      method: "POST",
      headers: {
        "Content-Type": "application/sdp",
        "X-WHIP-URL": whipUrl,
        "Authorization": `Bearer ${token}`,
      },
      body: sdpOffer,
    });
    if (!response.ok) throw new Error(`WHIP failed: ${response.status}`);
    window.headers = Object.fromEntries(response.headers);
    return response.text();
  }
  const stream = await navigator.mediaDevices.getUserMedia({video: true, audio: true});
  const peer = (window.peer = new RTCPeerConnection());
  for (const track of stream.getTracks()) {
    peer.addTransceiver(track, {direction: "sendonly", streams: [stream]});
  }
  await peer.setLocalDescription(await peer.createOffer());
  const sdp = await sendSdpOffer(whipUrl, peer.localDescription.sdp);
  await peer.setRemoteDescription({type: "answer", sdp});
  return window.headers;
}"""
DELETE = """async ([url, token]) => {
  const answer = await fetch(url, {method: "DELETE", headers: {Authorization: `Bearer ${token}`}});
  return answer.status;
}"""


class FlowTests(MediaTestCase):
    async def test_use_whip(self):
        """Connected; pictures and sound arrive; DELETE on the proxy's Location ends it there.

        The page's side hears of it at once (RFC 7675 section 5.2): no wait for its ICE to give up.
        """
        await self.begin()
        arguments = [self.proxy.url + PATH, self.endpoint + "/whip/my-stream", TOKEN]
        headers = await self.browse(lambda page: page.evaluate(START, arguments))
        await self.connected()
        await self.until_received(30)
        (session,) = await self.media.sessions()
        self.assertEqual(session["state"], "connected")
        self.assertGreater(session["audio_frames"], 10)

        resource = headers["x-whip-resource"]
        self.assertTrue(resource.startswith(self.endpoint + "/whip/resource/"))
        self.assertTrue(headers["location"].startswith(PATH + "/whip-session/"))
        delete = [self.proxy.url + headers["location"], TOKEN]
        self.assertEqual(await self.browse(lambda page: page.evaluate(DELETE, delete)), 200)
        self.assertIn("its client ended it", await self.until_ended())
        closed = "() => window.peer.getSenders()[0].transport.state === 'closed'"
        await self.browse(lambda page: page.wait_for_function(closed))
        self.assertEqual(
            self.asked,
            [("POST", "/whip/my-stream"), ("DELETE", resource.removeprefix(self.endpoint))],
        )

    async def test_page_leaves(self):
        """A page that is closed without DELETE leaves no session behind."""
        await self.begin()
        arguments = [self.proxy.url + PATH, self.endpoint + "/whip/my-stream", TOKEN]
        await self.browse(lambda page: page.evaluate(START, arguments))
        await self.connected()
        await self.until_received(5)
        await self.browse(lambda page: page.evaluate("() => window.peer.close()"))
        self.assertIn("the connection closed", await self.until_ended())
