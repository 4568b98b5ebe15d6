"""Where a request wants to go: the header of a free route, the rest of the path of a pinned one."""

from .oracle import Stage, one_test_per
from .targets_vectors import REMAINDERS, TARGETS

MAY_BE_ASKED = {"api.example.com", "www.sub.example.org"}


class TargetStage(Stage):
    """Judges one row of the tables."""

    async def decided(self, row, replies):
        """Refused as the row says, or sent once with the row's request line."""
        if row.code == "REDIRECT":
            self.assertEqual([reply.status for reply in replies], [308])
            self.assertRegex(replies[0].values("location")[0], rb"^http://a(:[0-9]+)?/api/v1/p/")
        elif row.code:
            status = 404 if row.code == "NOT_FOUND" else 400
            self.assert_error(replies, status, row.code)
        else:
            self.assertEqual([(r.status, r.body) for r in replies], [(200, b'{"ok":1}')])
            self.assertEqual(self.upstream.requests[0].line, row.line)
        self.assertLessEqual(set(self.resolver.asked), MAY_BE_ASKED)
        await self.judge(sent=0 if row.code else 1)


@one_test_per(TARGETS)
class HeaderTests(TargetStage):
    """X-Target-URL."""

    async def check(self, row):
        self.start()
        await self.decided(row, await self.converse(self.request(url=row.url)))


@one_test_per(REMAINDERS)
class PinnedTests(TargetStage):
    """The request target below a mount whose base is fixed."""

    async def check(self, row):
        self.start()
        base = f"http://127.0.0.1:{self.upstream.port}/base"
        self.mount("/p", self.upstream, self.key, {"target": base})
        below = self.fill(b"/api/v1/p" + row.url)
        await self.decided(row, await self.converse(self.request(path=below)))


class RepeatedTests(Stage):
    """A second value is never a choice that we make."""

    async def test_two_headers(self):
        """The first is fine, the second is another host; and the other way round."""
        self.start()
        good, bad = b"http://127.0.0.1:{up}/", b"http://127.0.0.2:{up}/"
        for first, second in ((good, bad), (bad, good), (good, good)):
            raw = self.request(self.fill(b"X-Target-URL: " + second), url=first)
            self.assert_error(await self.converse(raw), 400, "INVALID_TARGET")
        await self.judge(sent=0)

    async def test_header_ignored_where_the_base_is_pinned(self):
        """A pinned route reads no X-Target-URL, and does not pass it on."""
        self.start()
        base = f"http://127.0.0.1:{self.upstream.port}/base"
        self.mount("/p", self.upstream, self.key, {"target": base})
        raw = self.request(url=b"http://127.0.0.2:{up}/", path=b"/api/v1/p/a")
        replies = await self.converse(raw)
        self.assertEqual([reply.status for reply in replies], [200])
        self.assertEqual(self.upstream.requests[0].values("x-target-url"), [])
        await self.judge(sent=1)
