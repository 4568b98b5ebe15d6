"""What a signer is shown, what it replaces, and where its signature goes."""

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.auth.patience import Patience
from naap_twisted.route.scrub import Guard
from naap_twisted.route.signing import Signing
from naap_twisted.secret import Secret
from tests.upstream.support import outbound


class Sent:
    """An upstream that remembers."""

    closed = False

    def __init__(self):
        self.requests = []

    def send(self, request):
        self.requests.append(request)
        return succeed(len(self.requests))

    def close(self):
        self.closed = True
        return succeed(None)


class SignedExchangeTests(SynchronousTestCase):
    def setUp(self):
        self.upstream, self.seen = Sent(), []

    def exchange(self, request, **more):
        def sign(signable):
            self.seen.append(signable)
            return {"X-Signature": f"signature-number-{len(self.seen)}"}

        signing = Signing(sign, (Secret("key-of-the-signer"),), **more)
        patience = Patience(Clock(), 5.0)
        return signing.exchange(self.upstream, request.target.target, Guard(), patience)

    def test_signed(self):
        """The signature stands last; a page's field of its name, in any spelling, is gone."""
        headers = ((b"x_signature", b"page"), (b"X-Signature", b"page"), (b"A", b"b"))
        request = outbound(b"POST", headers, b"body")
        self.successResultOf(self.exchange(request).send(request))
        (sent,) = self.upstream.requests
        signature = Secret("signature-number-1")
        self.assertEqual(sent.headers, ((b"A", b"b"), (b"X-Signature", signature)))
        self.assertEqual((sent.body, sent.target), (b"body", request.target))
        (signable,) = self.seen
        self.assertEqual(signable.headers[0], ("Host", "api.example.com"))
        self.assertEqual(signable.url, "https://api.example.com/v1")

    def test_bodies(self):
        """None is empty, a stream is not shown."""
        for body, shown in ((None, b""), (b"x", b"x"), (object(), None)):
            request = outbound(b"POST", (), body)
            self.successResultOf(self.exchange(request).send(request))
            self.assertEqual(self.seen[-1].body, shown)

    def test_replaced(self):
        request = outbound(headers=((b"X-Amz-Date", b"page"), (b"A", b"b")))
        exchange = self.exchange(request, replaced=("X-Amz-Date",))
        self.successResultOf(exchange.send(request))
        names = [name for name, _ in self.upstream.requests[0].headers]
        self.assertEqual(names, [b"A", b"X-Signature"])

    def test_each_hop(self):
        """Within the origin each request has a signature of its own, and all are guarded."""
        request = outbound()
        exchange = self.exchange(request)
        for path in ("/v1", "/v2"):
            self.successResultOf(exchange.send(outbound(url_path=path)))
        elsewhere = outbound(host="other.example.com")
        self.successResultOf(exchange.send(elsewhere))
        self.assertIs(self.upstream.requests[2], elsewhere)
        self.assertEqual(len(self.seen), 2)
        for text in (b"signature-number-1", b"signature-number-2", b"key-of-the-signer"):
            self.assertTrue(exchange.guard.holds(text))

    def test_close(self):
        self.successResultOf(self.exchange(outbound()).close())
        self.assertTrue(self.upstream.closed)
