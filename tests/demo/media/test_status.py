"""What the demo's page is told of the media."""

import json

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from naap_twisted.demo.media.status import MediaStatus
from naap_twisted.downstream.site import DownstreamSite

from ..loopback import call, serve, until


class Counting:
    """An endpoint with one session."""

    async def sessions(self):
        return [{"id": "3", "frames": 12, "state": "connected"}]


class Silent:
    """One that does not answer."""

    def __init__(self):
        self.asked = False
        self.cancelled = []

    async def sessions(self):
        self.asked = True
        await Deferred(self.cancelled.append)


class StatusTests(TestCase):
    def url(self, media):
        root = Resource()
        root.putChild(b"media", MediaStatus(media))
        site = DownstreamSite(root, reactor=reactor)
        self.addCleanup(site.ticker.stop)
        return serve(self, site) + "/media"

    async def told(self, media):
        answer = await call("GET", self.url(media), key=None)
        self.assertEqual(answer.headers.getRawHeaders("content-type"), ["application/json"])
        self.assertEqual(answer.headers.getRawHeaders("cache-control"), ["no-store"])
        return json.loads(await answer.text())

    async def test_sessions(self):
        """The sessions that are open, as the endpoint tells them."""
        told = await self.told(Counting())
        self.assertEqual(told["media"], True)
        self.assertEqual(told["sessions"], [{"id": "3", "frames": 12, "state": "connected"}])

    async def test_without(self):
        """No endpoint: no sessions, and the command that brings one."""
        told = await self.told(None)
        self.assertEqual((told["media"], told["sessions"]), (False, []))
        self.assertIn("[webrtc]", told["install"])

    async def test_page_leaves(self):
        """A page that goes away ends the question."""
        media = Silent()
        asked = call("GET", self.url(media), key=None)
        await until(lambda: media.asked)
        asked.cancel()
        await self.assertFailure(asked, Exception)
        await until(lambda: media.cancelled)
