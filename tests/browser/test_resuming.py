"""What goes on where it broke off: an event stream, and a file of which a page has a part."""

from naap_twisted import create_external_proxy
from naap_twisted.testing import CLOSE, ScriptedUpstream

from .support import BrowserTestCase, PageServer, proxy_to

EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1\r\n\r\nid: 7\ndata: a\n\n"
)
PART = (
    b"HTTP/1.1 206 Partial Content\r\nContent-Type: image/png\r\nContent-Length: 4\r\n"
    b'Content-Range: bytes 0-3/9\r\nAccept-Ranges: bytes\r\nETag: "a"\r\n'
    b"Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    b"Content-Disposition: attachment; filename=a.png\r\n\r\nabcd"
)
LISTEN = """url => new Promise(done => {
  const got = [], source = new EventSource(url);
  source.onmessage = event => {
    got.push(event.lastEventId);
    if (got.length === 2) { source.close(); done(got); }
  };
})"""
FETCH = """async url => {
  const answer = await fetch(url, { headers: { Range: "bytes=0-3", "If-Range": '"a"' } });
  const names = ["content-range", "accept-ranges", "etag", "last-modified", "content-disposition"];
  return [answer.status, await answer.text(), ...names.map(name => answer.headers.get(name))];
}"""


class ResumingTests(BrowserTestCase):
    async def begin(self, *steps):
        """A page of another origin, and a pinned route."""
        self.upstream = ScriptedUpstream(self, *steps)
        self.pages = PageServer(self)
        options = {"require_auth": False, "cors_origins": [self.pages.origin]}
        self.proxy = proxy_to(self, self.upstream.port, "/x", options)
        pinned = create_external_proxy(
            target=self.upstream.origin, methods=["GET"], allow_networks=["127.0.0.1/32"]
        )
        self.proxy.server.mount("/p", pinned)
        await self.open()
        url = self.pages.text("page", "<!doctype html><link rel=icon href=data:,>")
        await self.browse(lambda page: page.goto(url))

    async def ask(self, script):
        url = f"{self.proxy.url}/api/v1/p/a"
        return await self.browse(lambda page: page.evaluate(script, url))

    async def test_event_source(self):
        """It comes back with the id of the last event that it has (field case A6)."""
        await self.begin(EVENTS, CLOSE)
        self.assertEqual(await self.ask(LISTEN), ["7", "7"])
        first, second = self.upstream.requests[:2]
        self.assertEqual(first.values("Last-Event-ID"), [])
        self.assertEqual(second.values("Last-Event-ID"), [b"7"])

    async def test_range(self):
        """A page asks for a part and reads which part it got (field case A5)."""
        await self.begin(PART)
        status, text, *described = await self.ask(FETCH)
        self.assertEqual((status, text), (206, "abcd"))
        self.assertEqual(described, [
            "bytes 0-3/9", "bytes", '"a"', "Thu, 01 Jan 1970 00:00:00 GMT",
            "attachment; filename=a.png",
        ])  # fmt: skip
        self.assertEqual(self.upstream.requests[0].values("If-Range"), [b'"a"'])
