"""Redirects that are followed, and those that are not."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted import redirects
from naap_twisted.egress import EgressPolicy
from naap_twisted.errors import UpstreamTimeout
from naap_twisted.model import OutboundRequest, Timeouts
from naap_twisted.redirects import MOST_HOPS, send_and_follow
from naap_twisted.target import PinnedBase, parse_target

POLICY = EgressPolicy(["a.example", "b.example"])


class Answer:
    """A response whose body nobody reads to its end."""

    def __init__(self, code, *locations):
        self.code = code
        self.headers = Headers({"location": list(locations)} if locations else {})
        self.dropped = False

    def deliverBody(self, protocol):
        protocol.makeConnection(SimpleNamespace(loseConnection=self.drop))

    def drop(self):
        self.dropped = True


class Sender:
    """Answers one after the other; the last for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []

    def send(self, outbound):
        self.sent.append(outbound)
        return succeed(self.answers[min(len(self.sent), len(self.answers)) - 1])


class FollowTests(SynchronousTestCase):
    def follow(self, *answers, body=b"v=0", timeouts=None, pinned=None):
        self.sender = Sender(*answers)
        vetted = POLICY.vet(parse_target(b"https://a.example/whip?x=1"))
        headers = ((b"X-Key", b"k"),)
        outbound = OutboundRequest(b"POST", vetted, headers, body, timeouts or Timeouts())
        return Deferred.fromCoroutine(send_and_follow(self.sender, outbound, POLICY, pinned))

    def urls(self):
        return [outbound.target.target.url for outbound in self.sender.sent]

    def test_pinned(self):
        """A redirect leads out of a pinned base no more than a browser's path does."""
        base = PinnedBase.parse("https://a.example/whip")
        for location, hops in (
            ("/whip/2", 2),
            ("/whip?y", 2),
            ("/whip2", 1),
            ("/", 1),
            ("/whip/../admin", 1),
            ("/whip/%2e%2e/admin", 1),
            ("/whip/..%2fadmin", 1),
            ("https://b.example/whip/2", 1),
        ):
            self.successResultOf(self.follow(Answer(307, location), Answer(201), pinned=base))
            self.assertEqual(len(self.sender.sent), hops, location)

    def test_no_redirect(self):
        """One request, its answer."""
        answer = Answer(201, "/session/1")
        response, target = self.successResultOf(self.follow(answer))
        self.assertIs(response, answer)
        self.assertEqual(target.url, "https://a.example/whip?x=1")
        self.assertFalse(answer.dropped)

    def test_followed(self):
        """307 and 308, absolute and relative, with method, headers and body as they were."""
        first, second, last = Answer(307, "https://b.example/w"), Answer(308, "../x?y"), Answer(201)
        response, target = self.successResultOf(self.follow(first, second, last))
        self.assertIs(response, last)
        self.assertEqual(target.url, "https://b.example/x?y")
        self.assertEqual(
            self.urls(),
            ["https://a.example/whip?x=1", "https://b.example/w", "https://b.example/x?y"],
        )
        for sent in self.sender.sent:
            self.assertEqual((sent.method, sent.body), (b"POST", b"v=0"))
            self.assertEqual(sent.headers, ((b"X-Key", b"k"),))
        self.assertTrue(first.dropped and second.dropped)

    def test_not_followed(self):
        """Others' hosts, schemes and ports; other codes; no Location, two, no URL."""
        for answer in (
            Answer(307, "https://evil.example/"),
            Answer(307, "http://a.example/"),
            Answer(307, "https://a.example:8443/"),
            Answer(307, "https://a.example@evil.example/"),
            Answer(307, "//evil.example/"),
            Answer(307, "https://127.0.0.1/"),
            Answer(307),
            Answer(307, "/a", "/b"),
            Answer(307, "\x7f"),
            *(Answer(code, "/x") for code in (200, 201, 300, 301, 302, 303, 304)),
        ):
            response, target = self.successResultOf(self.follow(answer, Answer(200)))
            self.assertIs(response, answer)
            self.assertEqual(target.url, "https://a.example/whip?x=1")
            self.assertFalse(answer.dropped)

    def test_streamed_body(self):
        """A body that is gone can't be sent again; none at all can."""
        answer = Answer(307, "/x")
        response, _ = self.successResultOf(self.follow(answer, Answer(200), body=object()))
        self.assertIs(response, answer)
        self.successResultOf(self.follow(Answer(307, "/x"), Answer(200), body=None))
        self.assertEqual(len(self.sender.sent), 2)

    def test_most_hops(self):
        """A circle ends; the last redirect is the answer, and its body is there to be relayed."""
        answers = [Answer(307, "/x") for _ in range(9)]
        response, _ = self.successResultOf(self.follow(*answers))
        self.assertEqual(len(self.sender.sent), MOST_HOPS + 1)
        self.assertIs(response, answers[MOST_HOPS])
        self.assertFalse(response.dropped)

    def test_total_time(self):
        """All hops share one total_timeout."""
        now = iter((0.0, 4.0, 11.0))
        self.patch(redirects, "monotonic", lambda: next(now))
        again = Answer(307, "/x")
        done = self.follow(again, again, again, timeouts=Timeouts(total=10.0))
        self.failureResultOf(done, UpstreamTimeout)
        self.assertEqual([sent.timeouts.total for sent in self.sender.sent], [10.0, 6.0])
