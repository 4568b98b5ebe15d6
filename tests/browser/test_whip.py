"""A page's requests to WHIP sessions, as far as they need no media: who may, and in what order."""

from naap_twisted.auth.static import StaticTokens
from naap_twisted.model import User
from naap_twisted.testing import ScriptedUpstream
from naap_twisted.testing.upstream import PAUSE

from .support import BrowserTestCase, PageServer, proxy_to

USERS = {"tok-ada-1234": User("ada"), "tok-bob-1234": User("bob")}
ADA, BOB = USERS
FRAGMENT = "application/trickle-ice-sdpfrag"
# A comma, a backslash and bytes over 127: all of them may stand in an entity-tag.
ETAG = b'"one, \\\xc2\xa7"'
CREATED = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nLocation: /session/7\r\n"
    b"ETag: " + ETAG + b"\r\nContent-Length: 5\r\n\r\nv=0\r\n"
)
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
RESTARTED = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/trickle-ice-sdpfrag\r\nETag: "two"\r\n'
    b"Content-Length: 18\r\n\r\na=ice-ufrag:4567\r\n"
)
ASK = """async ([method, url, token, headers, body]) => {
  const answer = await fetch(url, {
    method, body, headers: {...headers, Authorization: `Bearer ${token}`},
  });
  const {status} = answer;
  return {status, headers: Object.fromEntries(answer.headers), text: await answer.text()};
}"""
# Does not wait: what it starts is looked at by window.patches.
START = """([url, token, tag, bodies]) => {
  window.patches = bodies.map((body) => fetch(url, {
    method: "PATCH",
    headers: {
      "Authorization": `Bearer ${token}`,
      "Content-Type": "application/trickle-ice-sdpfrag",
      "If-Match": tag,
    },
    body,
  }).then((answer) => answer.status));
}"""


class WhipTests(BrowserTestCase):
    async def begin(self):
        """A WHIP route for two users, and a session that Ada opened from the page."""
        self.upstream = ScriptedUpstream(self, CREATED)
        self.pages = PageServer(self)
        self.proxy = proxy_to(
            self,
            self.upstream.port,
            "/whip",
            {"authenticator": StaticTokens(USERS), "cors_origins": [self.pages.origin]},
            target_url_header="X-WHIP-URL",
            content_type="application/sdp",
            forward_headers={"Authorization": "Bearer the-key"},
        )
        await self.open()
        page = "<!doctype html><title>page</title><link rel=icon href=data:,>"
        url = self.pages.text("page", page)
        await self.browse(lambda page: page.goto(url))
        headers = {"Content-Type": "application/sdp", "X-WHIP-URL": self.upstream.origin + "/w"}
        created = await self.ask("POST", "/api/v1/whip", headers=headers, body="v=0\r\n")
        self.assertEqual(created["status"], 201)
        self.etag = created["headers"]["etag"]
        self.location = created["headers"]["location"]
        self.upstream.steps = (NO_CONTENT,)

    async def ask(self, method, path, token=ADA, headers=None, body=None):
        """What the page's ``fetch`` was told."""
        arguments = [method, self.proxy.url + path, token, headers or {}, body]
        return await self.browse(lambda page: page.evaluate(ASK, arguments))

    async def trickle(self, path, token=ADA, tag="*"):
        headers = {"Content-Type": FRAGMENT, "If-Match": tag}
        return await self.ask("PATCH", path, token, headers, "a=ice-ufrag:1234\r\n")

    async def test_overlapping(self):
        """Two PATCHes of one page are with the upstream at once; both get their answers."""
        await self.begin()
        self.upstream.steps = (PAUSE, NO_CONTENT)
        bodies = ["a=candidate:1\r\n", "a=candidate:2\r\n"]
        start = [self.proxy.url + self.location, ADA, self.etag, bodies]
        await self.browse(lambda page: page.evaluate(START, start))
        both = self.upstream.requests
        await self.upstream.until(lambda: len(both) == 3 and all(r.complete for r in both))
        self.assertEqual(sorted(r.body.decode() for r in both[1:]), bodies)
        self.upstream.release()
        statuses = await self.browse(lambda page: page.evaluate("Promise.all(window.patches)"))
        self.assertEqual(statuses, [204, 204])

    async def test_entity_tags(self):
        """If-Match goes up and ETags come down byte for byte; a restart has a new one."""
        await self.begin()
        self.assertEqual(self.etag, ETAG.decode("latin-1"))
        self.assertEqual((await self.trickle(self.location, tag=self.etag))["status"], 204)
        self.upstream.steps = (RESTARTED,)
        restarted = await self.trickle(self.location)
        self.assertEqual((restarted["status"], restarted["headers"]["etag"]), (200, '"two"'))
        self.assertEqual(restarted["text"], "a=ice-ufrag:4567\r\n")
        tags = [received.values("If-Match") for received in self.upstream.requests[1:]]
        self.assertEqual(tags, [[ETAG], [b"*"]])

    async def test_strangers(self):
        """Another user's Location and a tampered one are 404, and no upstream is asked."""
        await self.begin()
        self.expect_console("404")
        other = "A" if self.location[-9] != "A" else "B"
        tampered = self.location[:-9] + other + self.location[-8:]
        for path, token in [(self.location, BOB), (tampered, ADA), (self.location[:-1], ADA)]:
            for answer in (
                await self.trickle(path, token),
                await self.ask("DELETE", path, token),
                await self.ask("GET", path, token),
            ):
                self.assertEqual(answer["status"], 404)
                self.assertIn('"NOT_FOUND"', answer["text"])
        self.assertEqual(len(self.upstream.requests), 1)
        self.assertEqual((await self.ask("DELETE", self.location))["status"], 204)
        self.assertEqual(self.upstream.requests[-1].line, b"DELETE /session/7 HTTP/1.1")
