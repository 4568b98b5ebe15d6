"""One session and one publisher, in one asyncio loop."""

import asyncio

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.demo.media.fragment import Fragment

from ..test_sdp import OFFER
from .publisher import accept, eventually, need_aiortc, offering, on_loopback, watching_offer


class SessionTests(SynchronousTestCase):
    def setUp(self):
        need_aiortc()
        on_loopback(self)
        self.ended = []

    def session(self):
        from naap_twisted.demo.media.session import Publisher

        return Publisher("room", 7, self.end)

    def end(self, session, reason):
        self.ended.append((session.number, reason))

    def test_media(self):
        """Frames of both kinds are counted; when the publisher leaves it ends, once."""

        async def scenario():
            session = self.session()
            peer, offer = await offering("video", "audio")
            await accept(peer, await session.answer(offer))
            await eventually(lambda: session.frames >= 5 and session.sounds >= 5)
            self.assertEqual(session.state, "connected")
            await peer.close()
            await eventually(lambda: self.ended)
            await session.close("again")

        asyncio.run(scenario())
        self.assertEqual(self.ended, [(7, "the connection closed")])

    def test_viewer(self):
        """A viewer sees what is published, and is over when its publisher is."""
        from naap_twisted.demo.media.session import Viewer

        async def scenario():
            session = self.session()
            peer, offer = await offering("video")
            await accept(peer, await session.answer(offer))
            await eventually(lambda: session.frames)
            viewer = Viewer(session, 8, self.end)
            watching, offer = await watching_offer()
            await accept(watching, await viewer.answer(offer))
            (receiver,) = watching.getReceivers()
            await receiver.track.recv()
            self.assertEqual(viewer.count(), "of session 7")
            await peer.close()
            await eventually(lambda: len(self.ended) == 2)
            await watching.close()

        asyncio.run(scenario())
        gone = [(7, "the connection closed"), (8, "its publisher is gone")]
        self.assertEqual(sorted(self.ended), gone)

    def test_viewer_s_offer(self):
        """An offer that receives nothing of what is published is refused."""
        from naap_twisted.demo.media.session import BadOffer, Viewer

        async def scenario():
            session = self.session()
            peer, offer = await offering("audio")
            await session.answer(offer)
            viewer = Viewer(session, 8, self.end)
            watching, offer = await watching_offer()
            with self.assertRaises(BadOffer):
                await viewer.answer(offer)
            for done in (viewer, session):
                await done.close("enough")
            for done in (peer, watching):
                await done.close()

        asyncio.run(scenario())

    def test_trickled(self):
        """A candidate that only a PATCH brings connects; others are dropped in silence."""

        async def scenario():
            session = self.session()
            peer, offer = await offering("video")
            lines = offer.splitlines()
            (near,) = {line for line in lines if line.startswith("a=candidate:")}
            ufrag = next(line[12:] for line in lines if line.startswith("a=ice-ufrag:"))
            bare = "".join(f"{line}\r\n" for line in lines if "candidate" not in line)
            answer = await session.answer(bare)
            far = "1 1 udp 1 192.0.2.1 9 typ host"
            broken = "1 1 udp 1 127.0.0.1 9 typ host rport x"
            texts = (far, broken, near.partition(":")[2])
            await session.add(Fragment(ufrag, tuple(("0", text) for text in texts)))
            await accept(peer, answer)
            await eventually(lambda: session.frames)
            await session.close("enough")
            await peer.close()

        asyncio.run(scenario())

    def test_restart(self):
        """Another ICE user name is a restart, which there is not."""
        from naap_twisted.demo.media.session import RestartRefused

        async def scenario():
            session = self.session()
            peer, offer = await offering("audio")
            await session.answer(offer)
            try:
                with self.assertRaises(RestartRefused):
                    await session.add(Fragment("other", ()))
            finally:
                await session.close("enough")
                await peer.close()

        asyncio.run(scenario())

    def test_silence(self):
        """A session that gets no media ends by itself."""
        from naap_twisted.demo.media import session as module

        self.patch(module, "IDLE", 0.5)

        async def scenario():
            session = self.session()
            peer, offer = await offering("audio")
            await session.answer(offer)
            await eventually(lambda: self.ended)
            self.assertEqual(session.state, "closed")
            await peer.close()

        asyncio.run(scenario())
        self.assertIn("no media", self.ended[0][1])

    def test_bad_offers(self):
        """Not SDP, nothing to receive, no ICE: each says why."""
        from naap_twisted.demo.media.session import BadOffer

        async def refused(offer):
            session = self.session()
            try:
                with self.assertRaises(BadOffer) as caught:
                    await session.answer(offer)
            finally:
                await session.close("refused")
            self.assertTrue(str(caught.exception))

        many = OFFER + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 17
        for offer in ("", "{}", "v=0\r\n", "v=0\r\nm=x\r\n", OFFER, many):
            asyncio.run(refused(offer))
