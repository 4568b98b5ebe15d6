"""URLs as Chromium spells them: what it leaves as it is reaches the upstream so."""

from naap_twisted import create_external_proxy
from naap_twisted.testing import ScriptedUpstream

from .support import BrowserTestCase, PageServer, proxy_to

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n" + b'{"ok":1}'
VISIBLE = "".join(map(chr, range(0x21, 0x7F))).replace("#", "")
RESTS = (
    '/x?filter={"a":1}&t=a|b',
    "/a^b`c|d[e]{f}/100%/%2/%zz?q=^`|[]{}\\'<>&half=50%",
    "/" + VISIBLE.replace("?", "").replace("\\", "").replace("./", ""),
    "/all?" + VISIBLE,
)
FETCH = """async ([url, headers]) => {
  const answer = await fetch(url, {
    method: "POST", headers: {"Content-Type": "application/json", ...headers}, body: "{}",
  });
  const {pathname, search} = new URL(url);
  return [answer.status, pathname + search];
}"""


class SpellingTests(BrowserTestCase):
    async def begin(self):
        self.upstream = ScriptedUpstream(self, OK)
        self.pages = PageServer(self)
        options = {"require_auth": False, "cors_origins": [self.pages.origin]}
        self.proxy = proxy_to(self, self.upstream.port, "/x", options)
        pinned = create_external_proxy(target=self.upstream.origin + "/base")
        self.proxy.server.mount("/p", pinned)
        await self.open()
        page = "<!doctype html><title>page</title><link rel=icon href=data:,>"
        url = self.pages.text("page", page)
        await self.browse(lambda page: page.goto(url))

    async def fetch(self, path, headers):
        arguments = [self.proxy.url + path, headers]
        return await self.browse(lambda page: page.evaluate(FETCH, arguments))

    async def test_pinned(self):
        """Below a pinned base the path and query of the page's own URL go up, byte for byte."""
        await self.begin()
        unescaped = set()
        for rest in RESTS:
            status, spelled = await self.fetch("/api/v1/p" + rest, {})
            self.assertEqual(status, 200, rest)
            line = f"POST /base{spelled.removeprefix('/api/v1/p')} HTTP/1.1"
            self.assertEqual(self.upstream.requests[-1].line, line.encode())
            unescaped |= set(spelled)
        self.assertLessEqual(set("|[]{}`^\\'%"), unescaped, "Chromium escapes what it did not")

    async def test_header(self):
        """The header that names the URL is the page's text, which nothing escapes."""
        await self.begin()
        for rest in RESTS:
            target = f"http://127.0.0.1:{self.upstream.port}{rest}"
            status, _ = await self.fetch("/api/v1/x", {"X-Target-URL": target})
            self.assertEqual(status, 200, rest)
            self.assertEqual(self.upstream.requests[-1].line, f"POST {rest} HTTP/1.1".encode())
