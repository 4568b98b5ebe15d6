"""An observing route: it opens everything, and logs each thing that is new, by name."""

from __future__ import annotations

import json

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.policy.learned import MOST, NAMESPACE
from naap_twisted.route import observation
from tests.spine import make_spine

FORM = ("Content-Type", "application/x-www-form-urlencoded")
BASE = "https://api.example.com/v1"


class ObservationTests(SynchronousTestCase):
    def observing(self, **options):
        """A spine whose route observes."""
        options = {"methods": ["GET", "POST", "DELETE"], "observe": True, **options}
        return make_spine(**options)

    def seen(self, spine, *asked, code=200):
        """What is logged while *asked* go through: keyword arguments of ``Spine.ask``."""
        spine.upstream.code = code
        with capturedLogs() as events:
            for each in asked:
                self.assertEqual(spine.ask(**each).code, code)
        lines = [formatEvent(e) for e in events if e["log_namespace"] == NAMESPACE]
        return [json.loads(line) for line in lines]

    def test_pinned(self):
        """Endpoint below the base, names of query and body, the model; no value of any other."""
        spine = self.observing(target=BASE)
        below = {"target": None, "below": "/chat/completions?api-version=secret-1"}
        (line,) = self.seen(spine, {**below, "body": b'{"model": "gpt-5", "user": "ada", "n": 2}'})
        self.assertEqual(
            line,
            {
                "route": "/api/v1/x",
                "endpoint": "POST /chat/completions",
                "query": ["api-version"],
                "models": ["gpt-5"],
                "members": ["model", "n", "user"],
            },
        )

    def test_named_by_the_page(self):
        """With the origin; ids and the like become a star."""
        ask = {
            "method": "GET",
            "target": "https://api.example.com/v1/files/file-9A7c31",
            "body": None,
        }
        (line,) = self.seen(self.observing(), ask)
        self.assertEqual(line["endpoint"], "GET https://api.example.com/v1/files/*")

    def test_form(self):
        """The fields of a form."""
        spine = self.observing(content_type="application/x-www-form-urlencoded")
        (line,) = self.seen(spine, {"headers": (FORM,), "body": b"amount=5&metadata[a]=b"})
        self.assertEqual(line["members"], ["amount", "metadata"])
        self.assertEqual(line["unlisted"], {"model": "a request names none"})

    def test_news_only(self):
        """The log grows with what is new, not with traffic."""
        spine = self.observing(target=BASE)
        ask = {"target": None, "below": "/a", "body": b'{"model": "m"}'}
        more = {**ask, "body": b'{"model": "m", "n": 1}'}
        lines = self.seen(spine, *[ask] * 5, more, *[ask] * 5, more)
        self.assertEqual([line.get("members") for line in lines], [["model"], ["n"]])

    def test_refused_by_the_upstream(self):
        """What the upstream refuses was of no use: it is not learned."""
        spine = self.observing(target=BASE)
        for code in (400, 404, 500):
            self.assertEqual(self.seen(spine, {"target": None, "below": "/a"}, code=code), [])
        self.assertEqual(len(self.seen(spine, {"target": None, "below": "/a"}, code=304)), 1)

    def test_not_observing(self):
        """Without the option nothing is noted."""
        self.assertEqual(self.seen(make_spine(), {}), [])

    def test_provider(self):
        """Models stand where the provider's API has them."""
        spine = self.observing(provider="gemini", target=BASE, key="AIza-123456789012345")
        below = "/v1beta/models/gemini-2.5-flash:generateContent"
        (line,) = self.seen(spine, {"target": None, "below": below, "body": b'{"contents": []}'})
        self.assertEqual(line["models"], ["gemini-2.5-flash"])
        self.assertNotIn("unlisted", line)

    def test_odd_query(self):
        """A query that no list would let pass: said, so that no rule is written."""
        spine = self.observing(target=BASE)
        for path, query, reason in (
            ("/twice", "a=1&a=2", 'repeated query parameter "a"'),
            ("/semicolon", "a=1;b=2", "semicolon"),
            ("/method", "_method=DELETE", "some servers"),
            ("/bare", "sk-live-1Ab9&a=1", "has no value"),
            ("/star", "a*=1", "is not the name of a parameter"),
        ):
            (line,) = self.seen(spine, {"target": None, "below": f"{path}?{query}"})
            self.assertIn(reason, line["unlisted"]["query"])
            self.assertNotIn("sk-live", str(line))

    def test_encoded_slash(self):
        """The option that such a path needs is noted."""
        spine = self.observing(target=BASE)
        (line,) = self.seen(spine, {"target": None, "below": "/projects/a%2Fb"})
        self.assertEqual(line["endpoint"], "POST /projects/*")
        self.assertIn("encoded_slashes", line["unlisted"])

    def test_odd_path(self):
        """A path that no endpoint opens."""
        spine = self.observing(target=BASE)
        (line,) = self.seen(spine, {"target": None, "below": "/a//b"})
        self.assertEqual(line["endpoint"], "")
        self.assertIn("empty segment", line["unlisted"]["endpoint"])

    def test_bounded(self):
        """After so many names one line says that no more are noted."""
        self.patch(observation, "MOST", 10)
        spine = self.observing(target=BASE)
        asked = [{"target": None, "below": f"/word?name{n}=1"} for n in range(30)]
        lines = self.seen(spine, *asked)
        self.assertLess(len(lines), 12)
        self.assertIn("no more", lines[-1]["unlisted"]["endpoint"])
        self.assertEqual(self.seen(spine, {"target": None, "below": "/another"}), [])
        self.assertEqual(MOST, 1_000)

    def test_redirect(self):
        """A redirect that is followed would be judged: where it led to is noted, too."""
        spine = self.observing(follow_redirects=True)
        sent = []

        def render(request, stock=spine.upstream.render):
            spine.upstream.code = 200 if sent else 302
            spine.upstream.headers = [("Location", "https://api.example.com/v2/there")]
            sent.append(request.uri)
            return stock(request)

        self.patch(spine.upstream, "render", render)
        with capturedLogs() as events:
            spine.ask("GET", target="https://api.example.com/v1/here", body=None)
        lines = [formatEvent(e) for e in events if e["log_namespace"] == NAMESPACE]
        ends = [json.loads(line)["endpoint"][-8:] for line in lines]
        self.assertEqual(ends, ["/v1/here", "v2/there"])

    def test_hostile_names(self):
        """A caller's names can't break a line, nor fill the log; what is odd is not told."""
        spine = self.observing(target=BASE)
        odd = {"a\n[naap.observed#info] {}": 1, "b" * 5_000: 2, '"}': 3, "*": 5}
        body = json.dumps({**odd, "model": "\x1b[2J" * 99}).encode()
        below = f"/a?{'c' * 5_000}=1&%0Ad=2"
        (line,) = self.seen(spine, {"target": None, "below": below, "body": body})
        self.assertEqual(line["members"], ["model"])
        self.assertEqual(set(line), {"route", "endpoint", "members", "unlisted"})
        self.assertEqual(set(line["unlisted"]), {"query", "model", "body"})
        self.assertTrue(all(len(why) < 200 for why in line["unlisted"].values()), line)

    def test_many_members(self):
        """One request notes so many names, in lines that observers do not cut."""
        spine = self.observing(target=BASE, body_limit="9mb")
        body = json.dumps({f"{n:099}": 1 for n in range(9_000)}).encode()
        lines = self.seen(spine, {"target": None, "below": "/a", "body": body})
        self.assertEqual(sum(len(line["members"]) for line in lines), 200)
        self.assertLess(max(len(json.dumps(line)) for line in lines), 4_000)
        self.assertIn("too many", lines[0]["unlisted"]["body"])

    def test_session(self):
        """No list of endpoints opens the Location of a WebRTC session: none is learned of it."""
        sdp = ("Content-Type", "application/sdp")
        spine = self.observing(target=BASE, content_type="application/sdp", methods=["POST"])
        spine.upstream.headers = [sdp, ("Location", "/sessions/1")]
        offer = {"target": None, "below": "/whip", "headers": [sdp], "body": b"v=0"}
        (line,) = self.seen(spine, offer, code=201)
        self.assertEqual(line["endpoint"], "POST /whip")
        self.assertIn("'application/sdp' is not read", line["unlisted"]["body"])
        location = spine.ask(**offer).header("location")
        self.assertTrue(location.startswith("/api/v1/x/"), location)
        below = location.removeprefix("/api/v1/x")
        end = {"method": "DELETE", "target": None, "below": below, "headers": [], "body": None}
        self.assertEqual(self.seen(spine, end), [])
        self.assertEqual(spine.sent.uri, "/sessions/1")

    def test_a_note_that_fails(self):
        """An exchange that was served stays one, and the log has the failure."""
        self.patch(observation.Observation, "_sighting", lambda *_: 1 / 0)
        spine = self.observing(target=BASE)
        self.assertEqual(spine.ask(target=None, below="/a", body=b"{}").code, 200)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
