"""Redirects that are followed, and those that are not."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from naap_twisted.errors import UpstreamTimeout
from naap_twisted.model import OutboundRequest, Timeouts
from naap_twisted.policy.egress import EgressPolicy
from naap_twisted.policy.target import PinnedBase, parse_target
from naap_twisted.route import redirects
from naap_twisted.route.redirects import MOST_HOPS, Hops, Trail, send_and_follow
from naap_twisted.route.scrub import Guard
from naap_twisted.secret import Secret

POLICY = EgressPolicy(["a.example", "b.example"])
PASSED = ((b"accept", b"a/b"), (b"Content-Type", b"application/sdp"), (b"X-Request-ID", b"1"))
HEADERS = (
    *PASSED,
    (b"Cookie", b"of-the-page"),
    (b"X-Team", b"blue"),
    (b"Authorization", Secret(b"Bearer the-server-s-own-key")),
    (b"User-Agent", Secret(b"ours")),
)


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
    def follow(
        self,
        *answers,
        method=b"POST",
        body=b"v=0",
        timeouts=None,
        pinned=None,
        headers=HEADERS,
        beyond=None,
    ):
        self.sender = Sender(*answers)
        vetted = POLICY.vet(parse_target(b"https://a.example/whip?x=1"))
        outbound = OutboundRequest(method, vetted, headers, body, timeouts or Timeouts())
        trail = Trail(Hops(POLICY, pinned, beyond), Guard(headers))
        return Deferred.fromCoroutine(send_and_follow(self.sender, outbound, trail))

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

    def test_pinned_and_beyond(self):
        """Other origins by a list of their own; the base's origin stays below the base."""
        base = PinnedBase.parse("https://a.example/whip")
        beyond = EgressPolicy(["files.example", "a.example"], allowed_ports=[443, 8443])
        for location, hops in (
            ("/whip/2", 2),
            ("https://files.example/any?sig=1", 2),
            ("https://files.example:8443/", 2),
            ("https://a.example:8443/", 2),
            ("https://a.example/", 1),
            ("/whip/../admin", 1),
            ("http://files.example/", 1),
            ("https://files.example:9443/", 1),
            ("https://sub.files.example/", 1),
            ("https://b.example/whip/2", 1),
        ):
            answers = Answer(302, location), Answer(200)
            done = self.follow(*answers, method=b"GET", body=None, pinned=base, beyond=beyond)
            self.successResultOf(done)
            self.assertEqual(len(self.sender.sent), hops, location)
            if hops == 2 and location != "/whip/2":
                self.assertEqual(self.headers_sent(), [HEADERS, PASSED])

    def test_back_from_beyond(self):
        """A store may lead back below the base, and gets no key back for it."""
        base = PinnedBase.parse("https://a.example/whip")
        beyond = EgressPolicy(["files.example"])
        there = Answer(302, "https://files.example/x")
        for location, hops in (("https://a.example/whip/y", 3), ("https://a.example/y", 2)):
            answers = there, Answer(302, location), Answer(200)
            done = self.follow(*answers, method=b"GET", body=None, pinned=base, beyond=beyond)
            self.successResultOf(done)
            self.assertEqual(self.headers_sent(), [HEADERS, PASSED, PASSED][:hops])

    def test_no_redirect(self):
        """One request, its answer."""
        answer = Answer(201, "/session/1")
        response, target = self.successResultOf(self.follow(answer))
        self.assertIs(response, answer)
        self.assertEqual(target.url, "https://a.example/whip?x=1")
        self.assertFalse(answer.dropped)

    def test_followed(self):
        """307 and 308, absolute and relative, with method and body as they were."""
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
        self.assertTrue(first.dropped and second.dropped)

    def headers_sent(self):
        return [outbound.headers for outbound in self.sender.sent]

    def test_within_an_origin(self):
        """Every header goes along; the default port and the host's case make no other origin."""
        answers = (Answer(307, "/x"), Answer(307, "https://A.example:443/y"), Answer(200))
        self.successResultOf(self.follow(*answers))
        self.assertEqual(self.headers_sent(), [HEADERS] * 3)

    def test_to_another_origin(self):
        """What is nobody's secret goes there, and what is somebody's does not come back."""
        answers = (
            Answer(307, "https://b.example/"),
            Answer(307, "https://a.example/"),
            Answer(200),
        )
        self.successResultOf(self.follow(*answers))
        self.assertEqual(self.headers_sent(), [HEADERS, PASSED, PASSED])

    def test_secret_on_its_way(self):
        """In the URL or the body: to its own origin, and to no other."""
        for location, body, hops in (
            ("https://b.example/?k=the-server-s-own-key", b"", 1),
            ("https://a.example/?k=the-server-s-own-key", b"", 2),
            ("https://b.example/", b"key: the-server-s-own-key", 1),
            ("https://a.example/", b"key: the-server-s-own-key", 2),
            ("https://b.example/", b"key: the-server-s-other-key", 2),
        ):
            answer = Answer(307, location)
            response, _ = self.successResultOf(self.follow(answer, Answer(200), body=body))
            self.assertEqual(len(self.sender.sent), hops, (location, body))
            self.assertEqual(response is answer, hops == 1)
        # Taken to another origin first, and written into a URL there.
        answers = (Answer(307, "https://b.example/"), Answer(307, "https://a.example/?k=ours-key"))
        headers = ((b"X-Key", Secret(b"ours-key")),)
        self.successResultOf(self.follow(*answers, Answer(200), headers=headers))
        self.assertEqual(len(self.sender.sent), 2)

    def test_reading(self):
        """GET and HEAD follow every redirect, as they are; with a body, those that repeat it."""
        for method in (b"GET", b"HEAD", b"POST", b"DELETE"):
            for code in (301, 302, 303, 307, 308):
                for body in (None, b"b"):
                    reading = method in (b"GET", b"HEAD") and body is None
                    answers = (Answer(code, "/x"), Answer(200))
                    self.successResultOf(self.follow(*answers, method=method, body=body))
                    sent = [(each.method, each.body) for each in self.sender.sent]
                    hops = 2 if reading or code >= 307 else 1
                    self.assertEqual(sent, [(method, body)] * hops, (method, code, body))

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
