"""What an upstream can do to a browser, to the next exchange, and to us."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from naap_twisted.testing import ABORT, CLOSE, PAUSE

from .oracle import KEY, OK, PATH, Stage, one_test_per
from .replies_vectors import BODIES, CUT, DROPPED, HEAD, HEADS, JSON, REFLECTED


class ReplyStage(Stage):
    """Judges one row."""

    route = {"methods": ["POST", "GET", "HEAD"]}

    async def check(self, row):
        self.start(*row.steps, **self.route)
        replies = await self.converse(self.request(method=row.method), method=row.method)
        self.assertEqual(len(replies), 1 if row.status else len(replies), replies)
        if row.status == CUT:
            self.assertFalse(self.clean, "the connection ended in order")
            self.assertFalse(any(reply.complete for reply in replies), replies)
        elif row.status == 502:
            self.assert_error(replies, 502, "BAD_GATEWAY")
        else:
            self.assertEqual((replies[0].status, replies[0].complete), (row.status, True))
            if row.body is not None:
                self.assertEqual(replies[0].body, row.body)
        for text in row.never if row.status != CUT else ():
            self.assertNotIn(text, self.heard[0])
        await self.until(lambda: len(self.way_out.pool) == row.pooled, "the pool")
        await self.judge(sent=1)


@one_test_per(HEADS)
class HeadTests(ReplyStage):
    """Heads that are none."""


@one_test_per(BODIES)
class BodyTests(ReplyStage):
    """Where a body ends, and what may follow."""


@one_test_per(DROPPED)
class DroppedTests(ReplyStage):
    """Headers that stay behind."""


@one_test_per(REFLECTED)
class ReflectedTests(ReplyStage):
    """The key comes back."""


@one_test_per([row for row in REFLECTED if row.status >= 400 and row.status != 502])
class PassedThroughTests(ReplyStage):
    """The key comes back in an error that is relayed as it is."""

    route = {"errors": "passthrough"}

    async def check(self, row):
        self.start(*row.steps, **self.route)
        await self.converse(self.request())
        for text in (KEY[:30].encode(), *row.never):
            self.assertNotIn(text, self.heard[0])
        await self.judge(sent=1)


class TimeTests(Stage):
    """Upstreams that take their time."""

    async def test_silence(self):
        """No head in time: 504."""
        self.start(PAUSE, timeout=0.2)
        self.assert_error(await self.converse(self.request()), 504, "UPSTREAM_TIMEOUT")
        await self.judge(sent=1)

    async def test_interim_then_silence(self):
        """An interim answer does not move the deadline."""
        self.start(b"HTTP/1.1 100 Continue\r\n\r\n", PAUSE, timeout=0.2)
        self.assert_error(await self.converse(self.request()), 504, "UPSTREAM_TIMEOUT")
        await self.judge(sent=1)

    async def test_head_that_drips(self):
        """Nor does a header line now and then."""
        self.start(HEAD, *[step for _ in range(500) for step in (PAUSE, b"A: b\r\n")], timeout=0.3)
        asked = Deferred.fromCoroutine(self.converse(self.request()))
        while not asked.called:
            self.upstream.release()
            await deferLater(reactor, 0.02)
        self.assert_error(await asked, 504, "UPSTREAM_TIMEOUT")
        await self.judge(sent=1)

    async def test_body_that_stalls(self):
        """The head is out: the browser's connection is cut."""
        self.start(HEAD + b"Content-Length: 8\r\n\r\n", PAUSE, idle_timeout=0.2)
        replies = await self.converse(self.request())
        self.assertEqual([reply.complete for reply in replies], [False])
        self.assertFalse(self.clean)
        await self.judge(sent=1)

    async def test_close_delimited_and_reset(self):
        """Only an orderly close ends a body that has no length."""
        self.start(HEAD + b"\r\n" + JSON, PAUSE, ABORT)
        client = await self.running.client()
        client.send(self.request())
        self.heard.append(await client.read_until(JSON))
        self.upstream.release()
        self.heard.append(await client.read_to_end())
        self.assertFalse(client.clean)
        self.assertNotIn(b"\r\n0\r\n\r\n", b"".join(self.heard))
        await self.judge(sent=1)


class PoolTests(Stage):
    """What one exchange leaves for the next."""

    async def test_late_surplus(self):
        """Bytes after the answer, in a packet of their own: the connection is not used again."""
        self.start(OK, PAUSE, OK.replace(b"ok", b"no"))
        await self.converse(self.request())
        self.assertEqual(len(self.way_out.pool), 1)
        self.upstream.release()
        await self.until(lambda: not len(self.way_out.pool), "the dirty connection")
        replies = await self.converse(self.request())
        self.assertEqual(replies[0].body, b'{"ok":1}')
        self.assertEqual(self.upstream.connections, 2)
        await self.judge(sent=2)

    async def test_post_is_never_sent_twice(self):
        """A kept connection dies under the second request: 502, not a second attempt."""
        self.start(OK)
        await self.converse(self.request())
        self.upstream.steps = (CLOSE,)
        for connection in self.upstream._open:
            connection._steps.clear()
        self.assert_error(await self.converse(self.request()), 502, "BAD_GATEWAY")
        await self.judge(sent=2)

    async def test_get_is_sent_again_once(self):
        """The one exception, where nothing can have been done: and never a third time."""
        self.start(OK, methods=["GET"])
        await self.converse(self.request(method=b"GET", body=b""), method=b"GET")
        for connection in self.upstream._open:
            connection._steps.clear()
        self.upstream.steps = (CLOSE,)
        replies = await self.converse(self.request(method=b"GET", body=b""), method=b"GET")
        self.assert_error(replies, 502, "BAD_GATEWAY")
        await self.judge(sent=3)

    async def test_users_do_not_share_cookies(self):
        """A cookie that the upstream sets is in nobody's next request."""
        self.start(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: evil=1; Path=/\r\n\r\n"))
        for _ in range(2):
            await self.converse(self.request(path=PATH))
        for received in self.upstream.requests:
            self.assertEqual(received.values("cookie"), [])
        await self.judge(sent=2)
