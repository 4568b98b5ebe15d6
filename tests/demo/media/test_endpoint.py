"""WHIP as the endpoint speaks it, RFC 9725 by section; real media in the first."""

import asyncio
import json
from urllib.request import Request, urlopen

from naap_twisted.demo.guide import OFFER

from ..loopback import AUTHORIZATION
from .case import SDP, MediaCase
from .publisher import accept, eventually, in_thread, offering, on_loopback

SILENT = "\r\n".join(OFFER) + "\r\n"
HEAD = b"a=ice-ufrag:%s\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"


def one(answer, name):
    (value,) = answer.headers.getRawHeaders(name)
    return value


async def publish(base):
    """Send video until some of it was counted, then DELETE: the status of that."""
    peer, offer = await offering("video")

    def ask(method, path, body=None):
        headers = {"Content-Type": SDP, "Authorization": AUTHORIZATION}
        with urlopen(Request(base + path, body, headers, method=method)) as answer:
            return answer.status, answer.read().decode(), answer.headers["Location"]

    # Each in a thread: this loop is what sends the video.
    _, answer, location = await asyncio.to_thread(ask, "POST", "/whip/room", offer.encode())
    await accept(peer, answer)
    for _ in range(500):
        _, media, _ = await asyncio.to_thread(ask, "GET", "/media")
        if json.loads(media)["sessions"][0]["frames"] > 5:
            break
        await asyncio.sleep(0.02)
    status, _, _ = await asyncio.to_thread(ask, "DELETE", location)
    await eventually(lambda: peer.connectionState == "closed")
    return status


class PublishTests(MediaCase):
    async def test_media(self):
        """Frames arrive, DELETE ends the peer connection on both sides; it is said, counted."""
        on_loopback(self)
        self.assertEqual(await in_thread(publish, self.base), 200)
        self.assertIn("session 1 begins", await self.until_said("begins"))
        ended = await self.until_said("ended")
        self.assertRegex(ended, r"ended after [\d.]+ s, [1-9]\d* video frames received: its client")
        self.assertEqual(await self.media.sessions(), [])


class ProtocolTests(MediaCase):
    async def opened(self):
        """Path and ETag of a session without media."""
        answer, _ = await self.post(SILENT)
        return one(answer, "location"), one(answer, "etag")

    async def test_offer(self):
        """201, an answer that receives, on loopback only; 4.2, 4.3.1."""
        answer, text = await self.post(SILENT)
        self.assertEqual((answer.code, one(answer, "content-type")), (201, SDP))
        self.assertRegex(one(answer, "location"), r"^/whip/resource/[\w-]{20,}$")
        self.assertRegex(one(answer, "etag"), r'^"\w+"$')
        self.assertIn("a=recvonly", text)
        candidates = [line for line in text.splitlines() if line.startswith("a=candidate:")]
        self.assertEqual([line.split()[4] for line in candidates], ["127.0.0.1"])
        (session,) = await self.media.sessions()
        self.assertEqual((session["id"], session["frames"]), ("1", 0))
        self.assertNotIn(one(answer, "location").rpartition("/")[2], str(session))

    async def test_refused(self):
        """No key, another type, no SDP, nothing to receive."""
        for options, status in [
            ({"key": None}, 401),
            ({"key": "Bearer other"}, 401),
            ({"content_type": "application/json"}, 415),
            ({"offer": "{}"}, 400),
            ({"offer": SILENT.replace("sendonly", "recvonly")}, 400),
        ]:
            answer, _ = await self.post(**{"offer": SILENT, **options})
            self.assertEqual(answer.code, status, options)
        self.assertEqual(await self.media.sessions(), [])

    async def test_preconditions(self):
        """428 without If-Match, 412 with an old one, 204 with the ETag or ``*``; 4.3.1, 4.3.2."""
        path, etag = await self.opened()
        body = HEAD % b"demo"
        self.assertEqual((await self.trickle(path, body))[0], 428)
        self.assertEqual((await self.trickle(path, body, If_Match='"old"'))[0], 412)
        for tag in (etag, "*"):
            self.assertEqual(await self.trickle(path, body, If_Match=tag), (204, ""))

    async def test_restart(self):
        """A new ufrag asks for an ICE restart: 422, and the session goes on; 4.3.1, 4.3.3."""
        path, etag = await self.opened()
        self.assertEqual((await self.trickle(path, HEAD % b"other", If_Match="*"))[0], 422)
        self.assertEqual((await self.trickle(path, HEAD % b"demo", If_Match=etag))[0], 204)

    async def test_patches(self):
        """415 and 400 for what is no fragment."""
        path, etag = await self.opened()
        refused = await self.trickle(path, b"v=0", If_Match=etag, Content_Type=SDP)
        self.assertEqual(refused[0], 415)
        self.assertEqual((await self.trickle(path, b"{}", If_Match=etag))[0], 400)

    async def test_end(self):
        """DELETE ignores If-Match and works once; GET is 204 with no content; 4.1, 4.3.1."""
        path, _ = await self.opened()
        for look in ("/whip/room", path):
            self.assertEqual(await self.ask("GET", look), (204, ""))
        self.assertEqual(await self.ask("DELETE", path, If_Match='"old"'), (200, ""))
        self.assertEqual((await self.ask("DELETE", path))[0], 404)
        self.assertEqual((await self.trickle(path, b""))[0], 404)

    async def test_nobody_to_see(self):
        """A viewer of an empty room: 409 with Retry-After, as WHEP has it."""
        await self.opened()  # without media, so there is nothing to see
        for options, status in [
            ({}, 409),
            ({"content_type": "text/plain"}, 415),
            ({"key": None}, 401),
        ]:
            answer, _ = await self.post(SILENT, path="/whep/room", **options)
            self.assertEqual(answer.code, status)
            self.assertEqual(answer.headers.hasHeader("retry-after"), status == 409)

    async def test_full(self):
        """One session more than there may be: 503 with Retry-After; 4.5."""
        from naap_twisted.demo.media.endpoint import MAX_SESSIONS

        for _ in range(MAX_SESSIONS):
            self.assertEqual((await self.post(SILENT))[0].code, 201)
        answer, _ = await self.post(SILENT)
        self.assertEqual((answer.code, one(answer, "retry-after")), (503, "5"))
