"""The first exchange of a key, with its caller and without, over responses of any client."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from naap_twisted.downstream.record import ExchangeRecord
from naap_twisted.errors import BadGateway, IdempotencyConflict, UpstreamCut, UpstreamTimeout
from naap_twisted.limits.replays import ReplayBounds, Replayed, ReplayKey, Replays
from naap_twisted.model import User
from naap_twisted.route.first_exchange import FirstExchange
from naap_twisted.route.kept_answer import unpacked
from naap_twisted.route.passage import Passage
from naap_twisted.route.scrub import Guard
from naap_twisted.spend.tokens import USUAL_MEMBERS, Tokens
from tests.route.test_relay import TARGET, Browser, Response

TOKENS = Tokens(input=9, output=4)
OWNER = ReplayKey("/r", "u:ada", "k1")
JSON = [("Content-Type", "application/json")]
REPORT = b'{"usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}}'


class Bill:
    """Stands in for a request's reservation."""

    def __init__(self):
        self.settled = []

    def settle(self, record, error):
        self.settled.append((record.upstream_status, record.model_tokens, error))


class Case(SynchronousTestCase):
    def setUp(self):
        self.begin()

    def begin(self, **bounds):
        self.clock = Clock()
        self.replays = Replays(self.clock, ReplayBounds(**bounds))
        self.record = ExchangeRecord(route="/r", user=User("ada"))
        self.booked, self.events = [], []
        book = SimpleNamespace(late=self.booked.append)
        running = self.replays.begin(OWNER, b"f", 600.0)
        log = Logger("t", observer=self.events.append)
        self.first = FirstExchange(running, self.record, self.replays, book, log)
        self.cancels = []
        self.pending = Deferred(self.cancels.append)
        self.waiting = self.first.head(self.pending)
        self.bill = Bill()

    def leave(self):
        """The caller leaves before the head, as the spine hears of it."""
        self.waiting.cancel()
        self.failureResultOf(self.waiting, CancelledError)
        return self.first.hand_over(self.bill, USUAL_MEMBERS)

    def arrive(self, response=None, guard=None):
        self.response = response or Response(200, JSON)
        self.pending.callback((self.response, TARGET, guard or Guard()))

    def read(self):
        """The caller takes the body, as the relay does."""
        self.browser = Browser()
        passage = Passage(self.browser, [], None)
        self.successResultOf(self.waiting)[0].deliverBody(passage)
        return passage.done

    def kept(self):
        """The body that a retry gets; ``None``: its request goes upstream."""
        begun = self.replays.begin(OWNER, b"f", 600.0)
        return unpacked(begun)[0].complete_body if isinstance(begun, Replayed) else None

    def assert_over(self):
        self.assertEqual(self.replays.going_on, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WithCallerTests(Case):
    def test_whole(self):
        """It is kept when the caller has it; the spine settles the bill."""
        self.arrive()
        done = self.read()
        self.response.body.dataReceived(b"ab")
        self.response.body.dataReceived(b"cd")
        self.assertRaises(IdempotencyConflict, self.kept)
        self.response.end(ResponseDone())
        self.successResultOf(done)
        self.assertEqual(b"".join(self.browser.written), b"abcd")
        self.assertFalse(self.first.hand_over(self.bill, None))
        self.assertEqual(self.kept(), b"abcd")
        self.assertEqual((self.bill.settled, self.booked), ([], []))
        self.assert_over()

    def test_cut(self):
        """The caller sees that it is cut, and the key is free."""
        self.arrive()
        done = self.read()
        self.response.body.dataReceived(b"ab")
        self.response.end(ConnectionLost())
        self.failureResultOf(done, UpstreamCut)
        self.assertTrue(self.browser.aborted)
        self.assertFalse(self.first.hand_over(self.bill, None))
        self.assertIsNone(self.kept())

    def test_no_head(self):
        """The failure is the caller's, and the key is free."""
        self.pending.errback(BadGateway())
        self.failureResultOf(self.waiting, BadGateway)
        self.assertFalse(self.first.hand_over(self.bill, None))
        self.assertIsNone(self.kept())

    def test_never_sent(self):
        """A refusal of ours before anything was sent frees the key."""
        running = self.replays.begin(ReplayKey("/r", "u:bo", "k"), b"f", 600.0)
        first = FirstExchange(running, self.record, self.replays, None, Logger())
        self.assertFalse(first.hand_over(None, None))
        self.assertTrue(running.over)

    def test_flow(self):
        """The caller's back-pressure reaches the upstream."""
        self.arrive()
        self.read()
        self.browser.producer.pauseProducing()
        self.browser.producer.resumeProducing()
        self.assertEqual(self.response.said, ["pause", "resume"])

    def test_too_long(self):
        """It passes on; nothing of it stays here, and a caller who leaves ends it."""
        self.begin(answer=3)
        self.arrive()
        self.read()
        self.response.body.dataReceived(b"ab")
        self.response.body.dataReceived(b"cd")
        self.assertEqual(b"".join(self.browser.written), b"abcd")
        self.assertEqual(self.replays.size, 0)
        self.browser.producer.stopProducing()
        self.assertIn("lose", self.response.said)
        self.assertFalse(self.first.hand_over(self.bill, None))
        self.assertEqual(dict(self.replays.counts), {("/r", "too_long"): 1})

    def test_nobody_takes_the_body(self):
        """An answer that the caller could not be given is gathered all the same."""
        self.arrive()
        self.successResultOf(self.waiting)
        self.assertTrue(self.first.hand_over(self.bill, None))
        self.response.body.dataReceived(b"ab")
        self.response.end(ResponseDone())
        self.assertEqual(self.kept(), b"ab")
        self.assertEqual(self.bill.settled, [(200, None, None)])

    def test_nobody_takes_it_and_there_is_no_room(self):
        """Then it ends."""
        self.begin(running=0)
        self.arrive()
        self.assertFalse(self.first.hand_over(self.bill, None))
        self.assertIn("lose", self.response.said)
        self.assertIsNone(self.kept())


class AloneTests(Case):
    def test_before_the_head(self):
        """The exchange goes on, and what the answer reports is settled and booked."""
        self.assertTrue(self.leave())
        self.assertEqual((self.cancels, self.first.is_alone), ([], True))
        self.arrive()
        self.response.body.dataReceived(REPORT)
        self.response.end(ResponseDone())
        self.assertEqual(self.bill.settled, [(200, TOKENS, None)])
        self.assertEqual([record.model_tokens for record in self.booked], [TOKENS])
        # The line of the caller who left is not changed any more.
        self.assertEqual((self.record.upstream_status, self.record.model_tokens), (0, None))
        self.assertEqual(self.kept(), REPORT)
        self.assert_over()

    def test_inside_the_body(self):
        """What the caller has not read is read on, and its tokens are told once."""
        self.arrive()
        done = self.read()
        self.response.body.dataReceived(REPORT[:20])
        self.browser.producer.pauseProducing()
        self.record.model_tokens = Tokens(input=9)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.response.said, ["pause", "resume"])
        self.assertTrue(self.first.hand_over(self.bill, USUAL_MEMBERS))
        self.assertIsNone(self.record.model_tokens)
        self.response.body.dataReceived(REPORT[20:])
        self.response.end(ResponseDone())
        self.assertEqual(self.bill.settled, [(200, TOKENS, None)])
        self.assertEqual(self.kept(), REPORT)

    def test_at_once(self):
        """The rest may be there before the caller's part is over; its report is booked, too."""
        self.arrive()
        done = self.read()
        self.response.body.dataReceived(REPORT[:20])
        self.browser.producer.pauseProducing()
        rest = [lambda: self.response.body.dataReceived(REPORT[20:])]
        rest.append(lambda: self.response.end(ResponseDone()))
        self.response.resumeProducing = lambda: [step() for step in rest]
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.kept(), REPORT)
        self.assertTrue(self.first.hand_over(self.bill, USUAL_MEMBERS))
        self.assertEqual(self.bill.settled, [(200, TOKENS, None)])
        self.assert_over()

    def test_late(self):
        """At a deadline before the head the caller gets a 504 that is worth a retry."""
        self.clock.advance(30)
        self.assertEqual(self.first.late("timeout passed"), 600.0)
        error = self.failureResultOf(self.waiting, UpstreamTimeout).value
        self.assertEqual(error.headers, ((b"Retry-After", b"7"),))
        self.assertEqual(error.reason, "timeout passed")
        self.assertTrue(self.first.hand_over(self.bill, None))
        self.clock.advance(200)
        self.assertEqual(self.first.late("idle_timeout passed"), 400.0)
        self.clock.advance(400)
        self.assertEqual(self.first.late("idle_timeout passed"), 0.0)
        self.assertEqual(len(self.cancels), 1)

    def test_late_in_the_body(self):
        """A caller who has the head sees the answer cut, as everywhere."""
        self.arrive()
        self.read()
        self.assertEqual(self.first.late("idle_timeout passed"), 0.0)
        self.assertFalse(self.first.is_alone)

    def test_no_room(self):
        """Past the bound it ends with its caller."""
        self.begin(running=0)
        self.assertEqual(self.first.late("timeout passed"), 0.0)
        self.assertNoResult(self.waiting)
        self.waiting.cancel()
        self.failureResultOf(self.waiting, CancelledError)
        self.assertEqual(len(self.cancels), 1)
        self.assertFalse(self.first.hand_over(self.bill, None))
        self.assertIsNone(self.kept())

    def test_no_answer(self):
        """What was reserved is spent by the rules for an exchange without one."""
        self.leave()
        error = BadGateway().once_sent()
        self.pending.errback(error)
        self.assertEqual(self.bill.settled, [(0, None, error)])
        self.assertIsNone(self.kept())
        self.assert_over()

    def test_broken_off(self):
        """What came is what is estimated from."""
        self.leave()
        self.arrive()
        self.response.body.dataReceived(REPORT)
        self.response.end(ConnectionLost())
        ((status, tokens, error),) = self.bill.settled
        self.assertEqual((status, tokens, type(error)), (200, TOKENS, UpstreamCut))
        self.assertIsNone(self.kept())

    def test_not_to_be_kept(self):
        """A refusal frees the key at once, and its body is not read."""
        self.leave()
        self.arrive(Response(429, JSON))
        self.assertIn("lose", self.response.said)
        self.assertEqual(self.bill.settled, [(429, None, None)])
        self.assertIsNone(self.kept())

    def test_too_long(self):
        """What nobody takes and can't be kept is ended; what came of it is booked."""
        self.begin(answer=len(REPORT))
        self.leave()
        self.arrive()
        self.response.body.dataReceived(REPORT)
        self.response.body.dataReceived(b" ")
        self.assertIn("lose", self.response.said)
        self.assertEqual(self.bill.settled[0][:2], (200, TOKENS))
        self.response.end(ConnectionLost())
        self.assertEqual(len(self.bill.settled), 1)
        self.assertEqual(dict(self.replays.counts), {("/r", "too_long"): 1})

    def test_the_time_is_over(self):
        """Before the head and inside the body."""
        self.leave()
        self.clock.advance(600)
        self.assertEqual(len(self.cancels), 1)
        ((status, _, error),) = self.bill.settled
        self.assertEqual((status, type(error)), (0, CancelledError))
        self.begin()
        self.leave()
        self.arrive()
        self.response.body.dataReceived(b"ab")
        self.replays.cut()
        self.assertIn("lose", self.response.said)
        self.assertEqual(len(self.bill.settled), 1)
        self.assertIsNone(self.kept())
        self.assert_over()

    def test_a_bug(self):
        """It is logged, and neither the caller nor the key is left waiting."""
        self.patch(FirstExchange, "keep", lambda *_: 1 / 0)
        self.response = Response(200, JSON)
        self.response.complete_body = b""
        self.pending.callback((self.response, TARGET, Guard()))
        self.failureResultOf(self.waiting, ZeroDivisionError)
        self.assertIn("lost an answer", self.events[-1]["log_format"])
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertIsNone(self.kept())

    def test_told(self):
        """The log says why an answer is not kept, and what became of one whose caller had left."""
        self.record.request_id = "id-1"
        self.leave()
        self.arrive(Response(503))
        texts = [event["log_format"].format(**event) for event in self.events]
        self.assertEqual(
            texts,
            [
                "/r does not keep the answer to id-1 for a retry: status 503",
                "/r has seen the end of id-1 after its caller had left: status 503",
            ],
        )
