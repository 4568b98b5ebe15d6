"""The bounds of a site: deadlines, stuck readers, and how many may connect."""

from attrs import fields
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.errors import BadRequest, RequestTimeout

from .support import GET, Browser, HeadResource, Sink, answer, status

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


class Defaults(SynchronousTestCase):
    def test_every_bound_is_finite(self):
        """No bound is off by default."""
        limits = DownstreamLimits()
        for field in fields(DownstreamLimits):
            value = getattr(limits, field.name)
            for bound in (value.size, value.lines) if field.name == "head" else (value,):
                self.assertTrue(0 < bound < float("inf"), field.name)


class Deadlines(SynchronousTestCase):
    def test_no_head(self):
        """A connection that says nothing is closed."""
        browser = Browser(head_timeout=3.0)
        browser.later(2.5)
        self.assertFalse(browser.aborted)
        browser.later(1)
        self.assertTrue(browser.aborted)

    def test_slow_head(self):
        """A head that trickles is answered 408 at an absolute time, not an idle one."""
        browser = Browser(head_timeout=3.0)
        for _ in range(5):
            browser.send(b"GET / HTTP/1.1\r\n" if not len(browser.channel._head) else b"X: 1\r\n")
            browser.later(0.4)
        self.assertEqual(browser.received(), b"")
        browser.send(b"X: 1\r\n")
        browser.later(1)
        self.assertEqual(status(browser.received()), 408)
        self.assertTrue(browser.transport.half_closed)

    def test_stray_lines_buy_no_time(self):
        """Empty lines do not push the head's deadline away."""
        browser = Browser(head_timeout=3.0)
        for byte in (b"\r", b"\n"):
            browser.later(1.5)
            browser.send(byte)
        browser.later(1)
        self.assertTrue(browser.aborted)

    def test_slow_body(self):
        """A body below the minimum rate fails with 408, for its handler to answer."""
        browser = Browser(body_grace=5.0, body_rate=100.0)
        browser.send(POST % 5000)
        request = browser.resource.seen[0]
        sink = Sink()
        request.body.start(sink)
        browser.later(4)
        self.assertIsNone(sink.error)
        browser.later(2)
        self.assertIsInstance(sink.error, RequestTimeout)
        request.refuse(sink.error)
        data = browser.received()
        self.assertEqual(status(data), 408)
        self.assertIn(b"Connection: close", data)

    def test_body_at_the_rate(self):
        """A body at the minimum rate takes as long as it takes."""
        browser = Browser(body_grace=5.0, body_rate=100.0)
        browser.send(POST % 5000)
        sink = Sink()
        browser.resource.seen[0].body.start(sink)
        for _ in range(50):
            browser.later(0.9)
            browser.send(b"x" * 100)
        self.assertEqual((sink.error, sink.ended, len(sink.data)), (None, 1, 5000))

    def test_our_own_waiting_is_not_theirs(self):
        """While nobody takes the body, the browser is not the slow one."""
        browser = Browser(body_grace=5.0, body_rate=100.0)
        browser.send(POST % 5000)
        body, sink = browser.resource.seen[0].body, Sink()
        browser.later(30)
        body.start(sink)
        browser.later(4)
        body.pause()
        browser.later(30)
        body.resume()
        browser.later(4)
        self.assertIsNone(sink.error)
        self.assertFalse(browser.aborted)
        browser.later(2)
        self.assertIsInstance(sink.error, RequestTimeout)

    def test_idle(self):
        """A connection between requests is closed after ``keep_alive``, without a 408."""
        browser = Browser(HeadResource(answer), keep_alive=8.0)
        browser.send(GET % b"")
        browser.received()
        browser.later(7.5)
        self.assertFalse(browser.closing)
        browser.later(1)
        self.assertTrue(browser.closing)
        self.assertEqual(browser.received(), b"")

    def test_an_answer_may_take_its_time(self):
        """The browser side has no deadline of its own for a handler."""
        browser = Browser()
        browser.send(GET % b"")
        browser.later(500)
        self.assertFalse(browser.closing)
        answer(browser.resource.seen[0])
        self.assertEqual(status(browser.received()), 200)

    def test_stuck_reader(self):
        """Who takes nothing for ``write_timeout`` is cut off, and the handler told."""
        browser = Browser(write_timeout=5.0)
        browser.send(GET % b"")
        browser.resource.seen[0].write(b"x")
        browser.channel.pauseProducing()
        browser.later(4)
        self.assertFalse(browser.aborted)
        browser.later(2)
        self.assertTrue(browser.aborted)
        browser.leave()
        self.assertEqual(len(browser.resource.left), 1)

    def test_reader_that_goes_on(self):
        """One that takes something in time is not."""
        browser = Browser(write_timeout=5.0)
        browser.send(GET % b"")
        for _ in range(3):
            browser.channel.pauseProducing()
            browser.later(4)
            browser.channel.resumeProducing()
        browser.later(20)
        self.assertFalse(browser.aborted)

    def test_stuck_reader_of_a_last_answer(self):
        """Also where the answer is complete and only its bytes are not taken."""
        browser = Browser(HeadResource(answer), write_timeout=5.0)
        browser.send(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(browser.closing)
        browser.later(6)
        self.assertTrue(browser.aborted)


class Crumbs(SynchronousTestCase):
    """Reads of fewer than eight bytes, of which a request may have so many."""

    def feed(self, browser, data):
        for at in range(len(data)):
            browser.channel.dataReceived(data[at : at + 1])

    def test_of_a_head(self):
        """One more is a 400, and what still comes is drained, so that it is read."""
        browser = Browser(crumbs=50)
        self.feed(browser, b"GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaa")
        self.assertEqual(browser.received(), b"")
        self.feed(browser, b"aaaaaaaaa")
        self.assertEqual(status(browser.received()), 400)
        self.assertFalse(browser.aborted)
        self.assertEqual(browser.resource.seen, [])

    def test_of_a_body(self):
        """The handler is told, once."""
        browser = Browser(crumbs=50)
        browser.send(POST % 500)
        sink = Sink()
        request = browser.resource.seen[0]
        request.body.start(sink)
        self.feed(browser, b"a" * 50)
        self.assertIsNone(sink.error)
        self.feed(browser, b"a" * 20)
        self.assertIsInstance(sink.error, BadRequest)
        self.assertEqual(len(sink.data), 50)
        request.refuse(sink.error)
        self.assertEqual(status(browser.received()), 400)
        self.feed(browser, b"a" * 40)
        self.assertFalse(browser.aborted)

    def test_behind_a_request(self):
        """What waits for its turn is no excuse: nobody is there to be answered."""
        browser = Browser(crumbs=50)
        browser.send(GET % b"")
        self.feed(browser, b"G" * 51)
        self.assertTrue(browser.aborted)

    def test_larger_reads_are_none(self):
        """Eight bytes a read go on for as long as the body does."""
        browser = Browser(crumbs=50)
        browser.send(POST % 800)
        sink = Sink()
        browser.resource.seen[0].body.start(sink)
        for _ in range(100):
            browser.channel.dataReceived(b"12345678")
        self.assertEqual((len(sink.data), sink.ended), (800, 1))

    def test_payload_pays(self):
        """Each chunk's size line and end may come by themselves, as long as chunks carry enough."""
        for size, ended in ((2048, 1), (1024, 0)):
            browser = Browser(crumbs=50, bytes_per_crumb=1024)
            browser.send(POST.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked"))
            sink = Sink()
            browser.resource.seen[0].body.start(sink)
            for piece in (b"%x\r\n" % size, b"a" * size, b"\r\n") * 200:
                browser.channel.dataReceived(piece)
            browser.channel.dataReceived(b"0\r\n\r\n")
            self.assertEqual((sink.ended, sink.error is None), (ended, bool(ended)))

    def test_each_request_anew(self):
        """A kept connection is not worn out by the ends of its bodies."""

        def answer_later(request):
            request.body.collect(3).addCallback(lambda _: answer(request))

        browser = Browser(HeadResource(answer_later), crumbs=5)
        for _ in range(20):
            browser.send(POST % 3)
            self.feed(browser, b"abc")
            self.assertEqual(status(browser.received()), 200)


class Connections(SynchronousTestCase):
    def peer(self, host):
        return IPv4Address("TCP", host, 50000)

    def test_per_address(self):
        """One address has its bound; another is not its hostage; leaving makes room."""
        first = Browser(connections_per_address=2, peer=self.peer("192.0.2.1"))
        second = Browser(site=first.site, peer=self.peer("192.0.2.1"))
        self.assertIsNone(Browser(site=first.site, peer=self.peer("192.0.2.1")).channel)
        self.assertIsNotNone(Browser(site=first.site, peer=self.peer("192.0.2.2")).channel)
        second.leave()
        self.assertIsNotNone(Browser(site=first.site, peer=self.peer("192.0.2.1")).channel)

    def test_of_one_subscriber(self):
        """Who has an IPv6 network has all of its addresses, and one bound."""
        made = []
        for host in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
            site = made[0].site if made else None
            peer = IPv6Address("TCP", host, 50000)
            made.append(Browser(connections_per_address=2, site=site, peer=peer))
        opened = [browser.channel is not None for browser in made]
        self.assertEqual(opened, [True, True, False, True])
        for browser in (made[0], made[1], made[3]):
            browser.leave()
        self.assertEqual(len(made[0].site._per_address), 0)

    def test_total(self):
        """All addresses together have theirs."""
        first = Browser(connections=2, peer=self.peer("192.0.2.1"))
        Browser(site=first.site, peer=self.peer("192.0.2.2"))
        self.assertIsNone(Browser(site=first.site, peer=self.peer("192.0.2.3")).channel)
        self.assertEqual(len(first.site.open), 2)
        first.leave()
        self.assertIsNotNone(Browser(site=first.site, peer=self.peer("192.0.2.3")).channel)
