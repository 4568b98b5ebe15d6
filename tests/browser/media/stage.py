"""The stage of the media tests: Chromium, the proxy, a recorder, the endpoint with aiortc."""

from __future__ import annotations

from ipaddress import ip_network
from urllib.parse import quote

from twisted.internet import reactor
from twisted.web.proxy import ReverseProxyResource

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.auth.static import StaticTokens
from naap_twisted.demo.media.process import MediaProcess, is_installed
from naap_twisted.demo.upstream import UpstreamSite
from naap_twisted.model import AllowedNetwork, User
from naap_twisted.secret import Secret
from naap_twisted.testing import RunningServer

from ..namespace import is_isolated
from ..support import BrowserTestCase, PageServer, lacks, listen, until

KEY = "Bearer key-of-the-endpoint"
TOKEN = "tok-ada-1234"
SDP = "application/sdp"
PATH = "/api/v1/daydream/whip-proxy"
PINNED = "/api/v1/whip"
PLAYED = "/api/v1/whep"
PAGE = "<!doctype html><title>camera</title><link rel=icon href=data:,>"


# Playwright takes a predicate's promise for true, so the page waits by itself.
COUNTED = """async ([peer, type, name, frames]) => {
  for (let tries = 0; tries < 300; tries++) {
    for (const entry of (await window[peer].getStats()).values()) {
      if (entry.type === type && entry[name] > frames) return true;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}"""


class Recorder(ReverseProxyResource):
    """Stands before the endpoint and notes what it is asked.

    :ivar asked: each :class:`Asked`, in order.
    """

    def __init__(self, port, path=b"", asked=None):
        super().__init__("127.0.0.1", port, path, reactor)
        self.asked = [] if asked is None else asked

    def getChild(self, path, request):
        return Recorder(self.port, self.path + b"/" + quote(path).encode(), self.asked)

    def render(self, request):
        self.asked.append(Asked(request))
        return super().render(request)


class Asked:
    """One request, and the status that it got."""

    def __init__(self, request):
        self._request = request
        self.method = request.method.decode()
        self.path = request.uri.decode()
        self.headers = request.requestHeaders

    @property
    def status(self):
        return self._request.code

    def __repr__(self):
        return f"{self.method} {self.path} -> {self.status}"


class MediaTestCase(BrowserTestCase):
    """A page, a proxy with one user, and an endpoint that receives.

    :ivar asked: method and path of what the endpoint was asked, in order.
    """

    async def begin(self, html=PAGE, folders=None, modules=None):
        """Start all of it and open a page of another origin than the proxy's.

        :param folders: served beside the page: paths by name.
        :param modules: likewise, JavaScript by name.
        """
        if not is_isolated():
            lacks("this has a network; tests.browser.test_media runs it where there is none")
        port = listen(self, self.site())
        self.endpoint = f"http://127.0.0.1:{port}"
        self.pages = PageServer(self)
        self.proxy = RunningServer(self, self.server(port))
        await self.open(permissions=["camera", "microphone"])
        for name, folder in (folders or {}).items():
            self.pages.folder(name, folder)
        for name, text in (modules or {}).items():
            self.pages.text(name, text, "text/javascript")
        url = self.pages.text("page", html)
        await self.browse(lambda page: page.goto(url))

    def site(self):
        """The endpoint: aiortc in a process of its own, behind a recorder."""
        if not is_installed():
            lacks("aiortc is not installed: pip install '.[webrtc]'")
        self.said = []
        self.media = MediaProcess(Secret(KEY), reactor, self.said.append)
        self.media.startService()
        self.addCleanup(self.media.stopService)
        self.recorder = Recorder(self.media.port)
        return UpstreamSite(self.recorder)

    def server(self, port):
        """A WHIP route by X-WHIP-URL, and one each that is pinned for WHIP and WHEP, to *port*."""
        reachable = (AllowedNetwork(ip_network("127.0.0.1/32"), port),)
        server = create_plugin_server(
            "media-test",
            0,
            authenticator=StaticTokens({TOKEN: User("ada")}),
            cors_origins=[self.pages.origin],
            allow_networks=reachable,
        )
        common = {"content_type": SDP, "forward_headers": {"Authorization": KEY}}
        server.mount(
            PATH.removeprefix("/api/v1"),
            create_external_proxy(
                allowed_hosts=["127.0.0.1"],
                allowed_schemes=["http"],
                allowed_ports=[port],
                target_url_header="X-WHIP-URL",
                allow_networks=reachable,
                **common,
            ),
        )
        for path in (PINNED, PLAYED):
            below = path.removeprefix("/api/v1")
            target = f"http://127.0.0.1:{port}{below}"
            server.mount(
                below, create_external_proxy(target=target, allow_networks=reachable, **common)
            )
        return server

    @property
    def asked(self):
        return [(request.method, request.path) for request in self.recorder.asked]

    async def frames(self):
        """Video frames that the one session there is received; ``None`` without one."""
        sessions = await self.media.sessions()
        return sessions[0]["frames"] if len(sessions) == 1 else None

    async def until_received(self, frames):
        """Wait until the endpoint decoded so many video frames."""
        for _ in range(200):
            count = await self.frames()
            if count is not None and count > frames:
                return
            await self.browse(lambda page: page.wait_for_timeout(100))
        self.fail(f"{count} frames; {await self.media.sessions()}; {self.said}; {self.asked}")

    async def until_ended(self):
        """Wait until the endpoint has no session; it says how it ended."""
        line = await self.until_said("ended")
        self.assertEqual(await self.media.sessions(), [])
        return line

    async def until_said(self, part):
        """Wait until the endpoint says a line with *part* in it."""
        await until(lambda: any(part in line for line in self.said), tries=1000)
        return next(line for line in self.said if part in line)

    async def connected(self, expression="window.peer"):
        """Wait until the page's peer connection is connected."""
        script = f"() => {expression}.connectionState === 'connected'"
        await self.browse(lambda page: page.wait_for_function(script))
