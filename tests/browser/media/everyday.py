"""The demo's endpoint and the browser that people have.

Without its flag Chromium offers no loopback candidate. It sends from the machine's own address to
the endpoint's on 127.0.0.1, which is told of that address by the first packet, and by nothing else.
"""

import socket

from .. import chromium, namespace
from .flow import START
from .stage import PATH, TOKEN, MediaTestCase

LOOPBACK = "--allow-loopback-in-peer-connection"


class EverydayTests(MediaTestCase):
    async def test_connects(self):
        """Frames arrive, though no candidate of the page's can be used as it is."""
        self.patch(chromium, "FLAGS", tuple(flag for flag in chromium.FLAGS if flag != LOOPBACK))
        self.assertIn(namespace.PAIR[0], [name for _, name in socket.if_nameindex()])
        await self.begin()
        arguments = [self.proxy.url + PATH, self.endpoint + "/whip/my-stream", TOKEN]
        await self.browse(lambda page: page.evaluate(START, arguments))
        await self.connected()
        await self.until_received(10)
        sdp = await self.browse(lambda page: page.evaluate("() => peer.localDescription.sdp"))
        self.assertIn("a=candidate:", sdp)
        self.assertNotIn(" 127.0.0.1 ", sdp)
        await self.browse(lambda page: page.evaluate("() => peer.close()"))
        await self.until_ended()
