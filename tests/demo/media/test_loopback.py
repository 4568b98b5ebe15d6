"""ICE binds 127.0.0.1 and nothing else."""

import asyncio

from twisted.trial.unittest import SynchronousTestCase

from .publisher import need_aiortc, offering, on_loopback


class LoopbackTests(SynchronousTestCase):
    def setUp(self):
        need_aiortc()

    def test_gathered(self):
        """Offers of this process have candidates, all of them on 127.0.0.1."""
        from naap_twisted.demo.media.loopback import all_on_loopback

        on_loopback(self)

        async def gathered():
            peer, offer = await offering("video")
            await peer.close()
            return offer

        offer = asyncio.run(gathered())
        self.assertIn("a=candidate:", offer)
        self.assertIn(" 127.0.0.1 ", offer)
        self.assertTrue(all_on_loopback(offer))
        elsewhere = offer.replace(" 127.0.0.1 ", " 192.0.2.1 ", 1)
        self.assertFalse(all_on_loopback(elsewhere))

    def test_another_aioice(self):
        """Where the function to replace is not there, nothing goes on."""
        from aioice import ice

        from naap_twisted.demo.media.loopback import gather_only_loopback

        self.patch(ice, "get_host_addresses", None)
        with self.assertRaises(RuntimeError):
            gather_only_loopback()
