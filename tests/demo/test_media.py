"""The demo with media behind its WebRTC sessions, and without."""

import json

from .case import DemoCase
from .loopback import call, until
from .media.case import is_running
from .media.publisher import need_aiortc


class WithoutMedia(DemoCase):
    async def test_said(self):
        """It says what is missing and how to get it, to the terminal and to the page."""
        self.assertIn("pip install 'naap-twisted[webrtc]'", self.out.getvalue())
        answer = await call("GET", self.guide.root + "/demo/media", key=None)
        self.assertEqual((await answer.json())["media"], False)


class WithMedia(DemoCase):
    media = True

    def setUp(self):
        need_aiortc()
        super().setUp()

    async def test_session(self):
        """The printed offer opens a session; terminal and page are told of it, not its URL."""
        answer = await self.run_printed(self.guide.whip())
        await answer.content()
        self.assertEqual(answer.code, 201)
        (resource,) = answer.headers.getRawHeaders("x-whip-resource")
        (location,) = answer.headers.getRawHeaders("location")
        told = await (await call("GET", self.guide.root + "/demo/media", key=None)).text()
        self.assertEqual(json.loads(told)["media"], True)
        (session,) = json.loads(told)["sessions"]
        self.assertEqual((session["id"], session["frames"]), ("1", 0))
        await (await call("DELETE", self.guide.root + location, key=None)).content()
        await until(lambda: "session 1 ended" in self.out.getvalue())
        secret = resource.rpartition("/")[2]
        self.assertNotIn(secret, told + self.out.getvalue())

    async def test_key(self):
        """The endpoint asks for the key, which only the proxy has."""
        answer = await call("GET", self.guide.whip_url, key=None)
        await answer.content()
        self.assertEqual(answer.code, 401)

    async def test_starts_again(self):
        """Stopped, its process is gone; started again, it is another."""
        pid = self.demo.media._child.transport.pid
        await self.demo.stopService()
        self.assertFalse(is_running(pid))
        self.demo.startService()
        self.guide = self.demo.guide
        answer = await self.run_printed(self.guide.whip())
        await answer.content()
        self.assertEqual(answer.code, 201)
