"""One browser connection: what it reads, when it stops reading, and how it ends.

(More than 300 lines. The channel's states share one deadline, and so their tests one stage.)
"""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.body import BrowserGone
from naap_twisted.errors import BadRequest
from naap_twisted.framing.fields import HeadLimits

from .support import GET, Browser, HeadResource, Sink, answer, status

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Requests(SynchronousTestCase):
    def test_at_the_end_of_the_head(self):
        """A request is handed on before a byte of its body came; nobody reads for nobody."""
        browser = Browser()
        browser.send(POST[:-2] % 5)
        self.assertEqual(browser.resource.seen, [])
        browser.send(b"\r\n")
        (request,) = browser.resource.seen
        self.assertFalse(request.body.complete)
        self.assertFalse(browser.reading)

    def test_kept_alive(self):
        """A complete exchange leaves the connection open for the next."""
        browser = Browser(HeadResource(answer))
        for _ in range(3):
            browser.send(GET % b"a")
            data = browser.received()
            self.assertEqual(status(data), 200)
            self.assertNotIn(b"Connection: close", data)
        self.assertFalse(browser.closing)
        self.assertEqual(len(browser.finished), 3)

    def test_closed_when_asked(self):
        """``Connection: close`` and HTTP/1.0 end it after the answer, which says so."""
        for head in (
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ):
            browser = Browser(HeadResource(answer))
            browser.send(head)
            self.assertIn(b"\r\nConnection: close\r\n", browser.received())
            self.assertTrue(browser.closing)
            self.assertFalse(browser.aborted)

    def test_pipelined(self):
        """Requests in one piece are answered in order, one at a time."""
        browser = Browser()
        browser.send(GET % b"1" + POST % 3 + b"abc" + GET % b"2")
        seen = browser.resource.seen
        self.assertEqual([r.uri for r in seen], [b"/1"])
        answer(seen[0], b"one")
        self.assertEqual([r.uri for r in seen], [b"/1", b"/"])
        self.assertEqual(self.successResultOf(seen[1].body.collect(10)), b"abc")
        answer(seen[1], b"two")
        answer(seen[2], b"three")
        bodies = [part.rpartition(b"\r\n")[2] for part in browser.received().split(b"HTTP/1.1")]
        self.assertEqual(bodies, [b"", b"one", b"two", b"three"])

    def test_pipelined_and_answered_at_once(self):
        """The same with answers that come at once."""
        browser = Browser(HeadResource(lambda r: answer(r, r.uri)))
        browser.send(b"".join(GET % b"%d" % n for n in range(50)))
        self.assertEqual(len(browser.resource.done), 50)
        self.assertEqual(browser.received().count(b"HTTP/1.1 200"), 50)

    def test_not_answered_while_the_reader_is_stuck(self):
        """Requests behind an answer that nobody takes wait: their answers would be held here."""
        browser = Browser()
        browser.resource.on_request = lambda r: (answer(r), browser.channel.pauseProducing())
        browser.send((GET % b"a") * 5)
        self.assertEqual(len(browser.resource.seen), 1)
        for seen in (2, 3, 4, 5):
            browser.channel.resumeProducing()
            browser.clock.advance(0)
            self.assertEqual(len(browser.resource.seen), seen)

    def test_junk_behind_a_request(self):
        """More than ``pipelined`` bytes behind an unanswered request abort it."""
        browser = Browser(pipelined=1000)
        browser.send(GET % b"a")
        browser.send(b"x" * 1000)
        self.assertFalse(browser.aborted)
        browser.send(b"x")
        self.assertTrue(browser.aborted)
        browser.leave()
        self.assertEqual(len(browser.resource.left), 1)

    def test_stray_line(self):
        """One CRLF between requests is forgiven, however it is cut (RFC 9112 section 2.2)."""
        for pieces in ([b"\r\n" + GET % b"a"], [b"\r\n", GET % b"a"], [b"\r", b"\n" + GET % b"a"]):
            browser = Browser(HeadResource(answer))
            for piece in pieces:
                browser.send(piece)
            self.assertEqual(status(browser.received()), 200, pieces)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.integers(1, 400), max_size=10))
    def test_any_split(self, cuts):
        """The same requests and bodies, however the bytes are cut."""
        got = []

        def take(request):
            def done(body):
                got.append((request.method, request.uri, body))
                answer(request)

            request.body.collect(100).addCallback(done)

        wire = GET % b"1" + POST % 4 + b"abcd" + CHUNKED + b"2\r\nef\r\n0\r\n\r\n" + GET % b"2"
        edges = [0, *sorted({cut for cut in cuts if cut < len(wire)}), len(wire)]
        browser = Browser(HeadResource(take))
        for start, stop in pairwise(edges):
            browser.send(wire[start:stop])
        expected = [(b"GET", b"/1", b""), (b"POST", b"/", b"abcd"), (b"POST", b"/", b"ef")]
        self.assertEqual(got, [*expected, (b"GET", b"/2", b"")])


class Refusals(SynchronousTestCase):
    def test_statuses(self):
        """What is no request gets its status, our JSON, and a close."""
        small = {"head": HeadLimits(size=300, lines=5), "uri": 50}
        for wire, expected in [
            (b"nonsense\r\n\r\n", 400),
            (b"GET /\r\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET /" + b"a" * 60 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 9 + b"\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300, 431),
        ]:
            browser = Browser(**small)
            browser.send(wire)
            data = browser.received()
            self.assertEqual(status(data), expected, wire)
            self.assertIn(b'"success": false', data)
            self.assertIn(b"Connection: close", data)
            self.assertEqual(browser.resource.seen, [])
            self.assertTrue(browser.transport.half_closed)

    def test_a_refusal_can_be_quoted(self):
        """Its X-Request-ID is in its log line, also where no request came to be."""
        browser = Browser()
        with capturedLogs() as logs:
            browser.send(b"nonsense\r\n\r\n")
        (event,) = [event for event in logs if "request_id" in event]
        line = b"\r\nX-Request-ID: %s\r\n" % event["request_id"].encode()
        self.assertIn(line, browser.received())
        self.assertIn(event["request_id"], formatEvent(event))

    def test_nothing_after_a_refusal(self):
        """Bytes behind what was refused are never read as a request."""
        browser = Browser()
        browser.send(b"nonsense\r\n\r\n" + GET % b"a")
        browser.send(GET % b"a")
        self.assertEqual(browser.resource.seen, [])
        self.assertEqual(browser.received().count(b"HTTP/1.1"), 1)

    def test_bad_chunk_with_the_head(self):
        """A body that is broken in the head's own packet: one 400, and no handler sees it."""
        browser = Browser(HeadResource(answer))
        browser.send(CHUNKED + b"nonsense\r\n")
        data = browser.received()
        self.assertEqual((status(data), data.count(b"HTTP/1.1 ")), (400, 1))
        self.assertEqual(browser.resource.seen, [])

    def test_bad_chunk_later(self):
        """The handler is told, and what follows is not read as body or request."""
        browser = Browser()
        browser.send(CHUNKED)
        sink = Sink()
        browser.resource.seen[0].body.start(sink)
        browser.send(b"2\r\nab\r\nnonsense\r\n")
        self.assertIsInstance(sink.error, BadRequest)
        browser.send(b"0\r\n\r\n" + GET % b"a")
        self.assertEqual((sink.ended, len(browser.resource.seen)), (0, 1))
        browser.resource.seen[0].refuse(sink.error)
        data = browser.received()
        self.assertEqual(status(data), 400)
        self.assertIn(b"Connection: close", data)


class Continue(SynchronousTestCase):
    HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"

    def test_when_the_body_is_wanted(self):
        """100 is said once, when somebody takes the body (RFC 9110 section 10.1.1)."""
        browser = Browser()
        browser.send(self.HEAD)
        self.assertEqual(browser.received(), b"")
        done = browser.resource.seen[0].body.collect(10)
        self.assertEqual(browser.received(), b"HTTP/1.1 100 Continue\r\n\r\n")
        browser.send(b"abc")
        self.assertEqual(self.successResultOf(done), b"abc")
        self.assertEqual(browser.received(), b"")

    def test_not_before_a_refusal(self):
        """An answer without reading says no 100 and closes: the body may or may not come."""
        browser = Browser(HeadResource(answer))
        browser.send(self.HEAD)
        data = browser.received()
        self.assertNotIn(b"100 Continue", data)
        self.assertIn(b"Connection: close", data)

    def test_not_when_the_body_is_here(self):
        """A browser that did not wait is told nothing."""
        browser = Browser(
            HeadResource(lambda r: r.body.collect(9).addCallback(lambda _: answer(r)))
        )
        browser.send(self.HEAD + b"abc")
        self.assertTrue(browser.received().startswith(b"HTTP/1.1 200"))


class HeldBodies(SynchronousTestCase):
    """Whatever happens to requests whose bodies are held, everything held is given back."""

    FRAMED = (b"Content-Length: 12\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n")
    STEPS = (
        *("request", "request", "bytes", "bytes", "bytes", "junk", "leave"),
        *("cancel", "answer", "refuse", "abort", "discard", "later"),
    )

    def start(self, request):
        self.collected.append(request.body.collect(20))
        self.collected[-1].addErrback(lambda _: None)

    def step(self, browser, what, chunked):
        if what == "request":
            browser.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + self.FRAMED[chunked])
        elif what == "bytes":
            browser.send(b"6\r\nabcdef\r\n" if chunked else b"abcdef")
        elif what == "junk":
            browser.send(b"0\r\n\r\n" if chunked else b"!")
        elif what == "leave":
            browser.leave()
        elif what == "later":
            browser.later(30)
        elif what == "cancel":
            for done in self.collected:
                done.cancel()
        for request in browser.resource.seen[-1:]:
            if request.finished or request._disconnected:
                continue
            if what == "answer":
                answer(request)
            elif what == "refuse":
                request.refuse(BadRequest())
            elif what == "abort":
                request.abort()
            elif what == "discard":
                request.body.discard()

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from(STEPS), st.booleans(), st.integers(0, 1)), max_size=25)
    )
    def test_any_order(self, steps):
        """Two connections of one address; bounds that their bodies reach."""
        self.collected = []
        first = Browser(HeadResource(self.start), held=40, held_per_address=24)
        browsers = [first, Browser(first.resource, site=first.site)]
        account, gone = first.site.held, set()
        for what, chunked, number in steps:
            browser = browsers[number]
            if number in gone or browser.transport.disconnected:
                continue
            self.step(browser, what, chunked)
            if what == "leave":
                gone.add(number)
            self.assertLessEqual(account.total, 24)
        for number, browser in enumerate(browsers):
            if number not in gone:
                browser.leave()
        self.assertEqual((account.total, len(account.by_key)), (0, 0))

    def test_given_back_with_the_answer(self):
        """Not with the connection, which serves on; and there was something to give back."""
        self.collected = []
        browser = Browser(HeadResource(self.start))
        for _ in range(3):
            self.step(browser, "request", False)
            self.step(browser, "bytes", False)
            self.assertEqual(browser.site.held.total, 6)
            self.step(browser, "bytes", False)
            self.assertEqual(browser.site.held.total, 12)
            self.step(browser, "answer", False)
            self.assertEqual(browser.site.held.total, 0)


class EarlyAnswer(SynchronousTestCase):
    def begin(self, request=POST % 5000, **limits):
        bounds = {"linger_timeout": 2.0, "linger_time": 30.0, **limits}
        browser = self.browser = Browser(HeadResource(answer), **bounds)
        browser.send(request)
        return browser

    def test_lingers(self):
        """The answer says close; the rest is read for a while, so that no reset destroys it."""
        browser = self.begin()
        self.assertIn(b"Connection: close", browser.received())
        self.assertTrue(browser.transport.half_closed)
        self.assertTrue(browser.reading)
        browser.send(b"x" * 4999)
        self.assertFalse(browser.closing)

    def test_the_whole_body(self):
        """There is nothing to wait for behind it."""
        for request, end in (
            (POST % 5000, b"x" * 5000),
            (CHUNKED, b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n"),
        ):
            browser = self.begin(request)
            browser.send(end[:-1])
            self.assertFalse(browser.closing)
            browser.send(end[-1:])
            self.assertEqual((browser.closing, browser.aborted), (True, False))
            browser.leave()
            self.assertEqual(browser.site.lingering.total, 0)

    def test_broken_framing(self):
        """Its end can't be told, so the gap ends it."""
        browser = self.begin(CHUNKED)
        browser.send(b"nonsense\r\n" * 50)
        self.assertFalse(browser.closing)
        browser.later(2)
        self.assertTrue(browser.closing)

    def test_bounded_by_a_gap(self):
        """Not longer than ``linger_timeout``; what is not out then has the write timeout."""
        browser = self.begin()
        for seconds, closing in ((1.5, False), (1, True)):
            browser.later(seconds)
            self.assertEqual((browser.closing, browser.aborted), (closing, False))
        browser.later(browser.site.limits.write_timeout)
        self.assertTrue(browser.aborted)

    def test_bounded_by_time(self):
        """Who goes on sending has ``linger_time``, and no more."""
        browser = self.begin(POST % 10**15)
        for _ in range(28):
            browser.send(b"x" * 1_000_000)
            browser.later(0.9)
            self.assertFalse(browser.closing)
        browser.later(2)
        self.assertTrue(browser.closing)
        browser.send(b"x" * 1000)
        self.assertFalse(browser.reading)

    def test_bounded_by_rate(self):
        """Past it the socket is not read, until there is room again."""
        browser = self.begin(linger_rate=1000)
        browser.send(b"x" * 1500)
        self.assertFalse(browser.reading)
        browser.later(0.3)
        self.assertFalse(browser.reading)
        browser.later(0.3)
        self.assertTrue(browser.reading)
        browser.later(1.5)
        self.assertFalse(browser.closing)
        browser.later(1)
        self.assertTrue(browser.closing)

    def test_bounded_in_number(self):
        """A further connection is closed with its answer; who leaves makes room."""
        first = self.begin(lingering_per_address=1)
        second = Browser(site=first.site)
        second.send(POST % 5000)
        self.assertIn(b"Connection: close", second.received())
        self.assertTrue(second.closing)
        first.leave()
        third = Browser(site=first.site)
        third.send(POST % 5000)
        self.assertFalse(third.closing)

    def test_a_head_that_is_none(self):
        """What follows it is drained just so, and counts just so."""
        browser = self.begin(b"nonsense\r\n\r\n")
        self.assertEqual(browser.site.lingering.total, 1)
        browser.send(b"x" * 1000)
        self.assertTrue(browser.reading)
        browser.later(2)
        self.assertTrue(browser.closing)

    def test_the_server_stops(self):
        """A gap is all that is left then."""
        browser = self.begin(POST % 10**15)
        browser.site.drain()
        for _ in range(2):
            browser.send(b"x" * 1000)
            browser.later(0.9)
        browser.later(0.5)
        self.assertTrue(browser.closing)


class Endings(SynchronousTestCase):
    def gone(self, *pieces, start_body=False):
        browser = Browser()
        for piece in pieces:
            browser.send(piece)
        sink = Sink()
        if start_body:
            browser.resource.seen[0].body.start(sink)
        browser.leave()
        self.assertEqual(len(browser.site.ticker), 0)
        self.assertEqual(browser.site.open, set())
        self.assertEqual(browser.site._per_address, {})
        return browser, sink

    def test_without_a_request(self):
        """Leaving before a request leaves nothing behind."""
        for wire in (b"", b"GET / HT", GET[:-2] % b""):
            browser, _ = self.gone(wire)
            self.assertEqual(browser.finished, [])

    def test_cancels_the_request(self):
        """In any state of a request its handler is told that the browser left."""
        for wire in (
            POST % 5,
            POST % 5 + b"ab",
            GET % b"",
            GET % b"" + GET % b"",
            CHUNKED + b"5\r\na",
        ):
            browser, _ = self.gone(wire)
            self.assertEqual(len(browser.resource.left), 1)
            self.assertEqual([r.record.outcome for r in browser.finished], ["client_gone"])
            answer(browser.resource.seen[0])
            self.assertEqual(browser.received(), b"")

    def test_fails_the_body(self):
        """A cut body is never a complete one."""
        for wire in (POST % 5, POST % 5 + b"abcd", CHUNKED + b"5\r\nabcde\r\n0\r\n"):
            _, sink = self.gone(wire, start_body=True)
            self.assertIsInstance(sink.error, BrowserGone)
            self.assertEqual(sink.ended, 0)

    def test_while_answering(self):
        """So it is after the head of the answer."""
        browser = Browser()
        browser.send(GET % b"")
        browser.resource.seen[0].write(b"part")
        browser.leave()
        self.assertEqual(len(browser.resource.left), 1)
        self.assertEqual(len(browser.site.ticker), 0)

    def test_drain(self):
        """Idle connections close at once, others after their answer; none is reused."""
        idle, busy = Browser(), Browser()
        other = Browser(site=idle.site)
        idle.site.drain()
        self.assertTrue(idle.closing and other.closing)
        busy.send(GET % b"")
        busy.site.drain()
        self.assertFalse(busy.closing)
        answer(busy.resource.seen[0])
        self.assertIn(b"Connection: close", busy.received())
        self.assertTrue(busy.closing)
