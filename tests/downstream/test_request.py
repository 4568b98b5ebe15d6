"""One exchange: rendered at the right time, refused in the contract's words, ended once."""

import json

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from naap_twisted.downstream.body import BrowserGone
from naap_twisted.errors import BadGateway, NotFound, RateLimited

from .support import GET, Browser, HeadResource, answer, status

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"


class Stock(Resource):
    """A resource that knows nothing of us."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.bodies = []

    def render(self, request):
        self.bodies.append(request.content.read())
        return b"stock"


def refusing(error):
    return HeadResource(lambda request: request.refuse(error))


class Making(SynchronousTestCase):
    def test_what_twisted_sets(self):
        """Our __init__ stands in for Twisted's: every attribute that it sets is there."""
        browser = Browser(HeadResource())
        browser.send(GET % b"")
        (ours,) = browser.resource.seen
        stock = Request(ours.channel, parsePOSTFormSubmission=True)
        self.assertEqual([name for name in vars(stock) if not hasattr(ours, name)], [])
        for name in ("client", "host", "transport", "queued", "cookies", "received_cookies"):
            self.assertEqual(getattr(ours, name), getattr(stock, name), name)

    def test_cookies(self):
        """A stock resource finds the browser's cookies where Twisted puts them."""
        browser = Browser(HeadResource())
        browser.send(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=2\r\n\r\n")
        self.assertEqual(browser.resource.seen[0].getCookie(b"b"), b"2")


class Relaying(SynchronousTestCase):
    def test_own_cookies(self):
        """A relayed answer carries the cookies that our side set, a sliding session's say."""

        def relayed(request):
            request.addCookie("sid", "next")
            request.relayed = True
            request.write(b"whole")
            request.finish()

        browser = Browser(HeadResource(relayed))
        browser.send(GET % b"")
        self.assertIn(b"set-cookie: sid=next\r\n", browser.received().lower())


class Rendering(SynchronousTestCase):
    def test_stock_resource_waits_for_the_body(self):
        """Any resource but a head resource is rendered when its content is there."""
        browser = Browser(Stock())
        browser.send(POST + b"ab")
        self.assertEqual(browser.resource.bodies, [])
        browser.send(b"c")
        self.assertEqual(browser.resource.bodies, [b"abc"])
        self.assertTrue(browser.received().endswith(b"stock"))

    def test_stock_resource_of_a_cut_body(self):
        """A browser that leaves in its body never reaches the handler."""
        browser = Browser(Stock())
        browser.send(POST + b"ab")
        browser.leave()
        self.assertEqual(browser.resource.bodies, [])

    def test_head_resource_must_not_return_bytes(self):
        """That is a bug, logged and answered 500."""
        resource = HeadResource()
        resource.render = lambda request: b"bytes"
        browser = Browser(resource)
        browser.send(GET % b"")
        self.assertEqual(status(browser.received()), 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class Refusing(SynchronousTestCase):
    def test_answer(self):
        """Status, JSON and the headers of section 4; the connection stays."""
        browser = Browser(refusing(NotFound("No such thing")))
        browser.send(GET % b"")
        head, _, body = browser.received().partition(b"\r\n\r\n")
        self.assertEqual(status(head), 404)
        self.assertEqual(json.loads(body)["error"]["message"], "No such thing")
        for line in (
            b"Content-Type: application/json",
            b"X-Content-Type-Options: nosniff",
            b"Cache-Control: no-store",
            b"Content-Length: %d" % len(body),
        ):
            self.assertIn(line.lower(), head.lower())
        self.assertFalse(browser.closing)
        (request,) = browser.finished
        self.assertEqual(request.record.outcome, "NOT_FOUND")

    def test_headers_of_the_error(self):
        """They go out, and a page may read them."""

        def refuse(request):
            request.setHeader(b"Access-Control-Expose-Headers", b"X-Request-ID")
            request.refuse(RateLimited(9))

        browser = Browser(HeadResource(refuse))
        browser.send(GET % b"")
        data = browser.received().lower()
        self.assertIn(b"retry-after: 9\r\n", data)
        self.assertIn(b"access-control-expose-headers: x-request-id, retry-after\r\n", data)

    def test_after_the_head(self):
        """An answer that began can not become another one: it is cut."""
        browser = Browser()
        browser.send(GET % b"")
        request = browser.resource.seen[0]
        request.write(b"part")
        browser.received()
        request.refuse(BadGateway())
        self.assertEqual(browser.received(), b"")
        self.assertTrue(browser.aborted)

    def test_after_the_end(self):
        """Too late is nothing, finished or left."""
        browser = Browser()
        browser.send(GET % b"")
        request = browser.resource.seen[0]
        answer(request)
        browser.received()
        request.refuse(BadGateway())
        self.assertEqual(browser.received(), b"")
        self.assertFalse(browser.aborted)
        gone = Browser()
        gone.send(POST)
        gone.leave()
        gone.resource.seen[0].refuse(BrowserGone())
        self.assertEqual(gone.received(), b"")

    def test_bug(self):
        """A handler's exception is logged and answered with a fixed text."""

        def broken(request):
            raise KeyError("canary")

        browser = Browser(HeadResource(broken))
        browser.send(GET % b"")
        data = browser.received()
        self.assertEqual(status(data), 500)
        self.assertNotIn(b"canary", data)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


class Ending(SynchronousTestCase):
    def test_recorded_once(self):
        """One record an exchange, with both directions' bytes."""
        browser = Browser()
        browser.send(POST + b"abc")
        answer(browser.resource.seen[0], b"four")
        browser.leave()
        (request,) = browser.finished
        self.assertEqual((request.record.bytes_in, request.record.bytes_out), (3, 4))
        self.assertEqual(request.record.outcome, "ok")

    def test_repr(self):
        """No query string: it may hold a token."""
        browser = Browser()
        browser.send(GET % b"a?token=canary")
        self.assertNotIn("canary", repr(browser.resource.seen[0]))
