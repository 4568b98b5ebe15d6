"""Which URL a request is for; the spine's tests have the refusals one by one."""

import os
from base64 import urlsafe_b64decode

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.route import destination as targets
from naap_twisted.secret import Secret
from tests.spine import make_spine


class TargetsTests(SynchronousTestCase):
    def test_kept(self):
        """The same header is parsed and vetted once; the memory of it is bounded."""
        self.patch(targets, "_MOST_DECIDED", 3)
        spine = make_spine()
        kept = spine.proxy._targets._decided
        for number in (1, 1, 2, 2, 3):
            self.assertEqual(spine.ask(target=f"https://api.example.com/{number}").code, 200)
        self.assertEqual(len(kept), 3)
        first = kept[b"https://api.example.com/1"]
        spine.ask(target="https://api.example.com/1")
        self.assertIs(kept[b"https://api.example.com/1"], first)
        spine.ask(target="https://api.example.com/4")
        self.assertEqual(list(kept), [b"https://api.example.com/4"])

    def test_refusals_are_not_kept(self):
        """What was refused is judged again."""
        spine = make_spine()
        for _ in range(2):
            answer = spine.ask(target="https://evil.com/")
            self.assertEqual(answer.error, (400, "HOST_NOT_ALLOWED"))
        self.assertEqual(spine.proxy._targets._decided, {})

    def test_sessions(self):
        """A Location works on our site and on a stock one, at any base path."""
        for base, stock in (("/api/v1", False), ("/api/v1", True), ("", False), ("", True)):
            spine = make_spine({"base_path": base}, stock=stock, content_type="application/sdp")
            spine.path = base + "/x"
            spine.upstream.code, spine.upstream.headers = 201, [("Location", "/s/1")]
            sdp = [("Content-Type", "application/sdp")]
            location = spine.ask(headers=sdp, body=b"v=0").header("Location")
            self.assertTrue(location.startswith(base + "/x/whip-session/"), location)
            spine.upstream.code = 200
            spine.path = location
            self.assertEqual(spine.ask("DELETE", target=None, headers=(), body=None).code, 200)
            self.assertEqual((spine.sent.method, spine.sent.uri), ("DELETE", "/s/1"))
            self.assertEqual(spine.ask("PATCH", target=None, headers=sdp, body=b"a=").code, 200)
            spine.path = location[:-1]
            gone = spine.ask("DELETE", target=None, headers=(), body=None)
            self.assertEqual(gone.error, (404, "NOT_FOUND"))

    def test_sessions_of_a_route_with_a_query(self):
        """A Location that repeats the route's parameter gets it once, from the server."""
        key = {"key": Secret("canary-key")}
        spine = make_spine(content_type="application/sdp", forward_query=key)
        spine.upstream.code = 201
        sdp = [("Content-Type", "application/sdp")]
        for location in ("/s/1", "/s/1?KEY=old", "/s/1?key=canary-key"):
            spine.path = "/api/v1/x"
            spine.upstream.headers = [("Location", location)]
            spine.path = spine.ask(headers=sdp, body=b"v=0").header("Location")
            self.assertEqual(spine.ask("DELETE", target=None, headers=(), body=None).code, 201)
            self.assertEqual(spine.sent.uri, "/s/1?key=canary-key")

    def test_sessions_below_a_secret(self):
        """A Location with the base's secret in it works, and has it neither for page nor token."""
        self.patch(os, "environ", {**os.environ, "HOOK": "canary-hook"})
        base = {"target": "https://api.example.com/s/${env:HOOK}"}
        spine = make_spine(content_type="application/sdp", **base)
        sdp = [("Content-Type", "application/sdp")]
        for location, path in (
            ("/s/canary-hook/1?a", "/s/canary-hook/1?a"),
            ("https://api.example.com/s/canary-hook/1", "/s/canary-hook/1"),
            ("/s/canary-hook", "/s/canary-hook"),
            ("/beside/1", "/beside/1"),
        ):
            spine.path = "/api/v1/x"
            spine.upstream.code, spine.upstream.headers = 201, [("Location", location)]
            answer = spine.ask(target=None, headers=sdp, body=b"v=0")
            self.assertNotIn("canary", repr(answer.headers))
            spine.path = answer.header("Location")
            token = spine.path.partition("/whip-session/")[2].partition("/")[0]
            self.assertNotIn(b"canary", urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            spine.upstream.code = 200
            self.assertEqual(spine.ask("DELETE", target=None, headers=(), body=None).code, 200)
            self.assertEqual(spine.sent.uri, path)

    def test_pinned(self):
        """What follows the mount's path follows the base's; an encoded mount is no mount."""
        spine = make_spine(target="https://api.example.com/v1", content_type="application/json")
        self.assertEqual(spine.ask(target=None, below="/chat?x=%2F").code, 200)
        self.assertEqual(spine.sent.uri, "/v1/chat?x=%2F")
        spine.path = "/api/v1/%78"
        self.assertEqual(spine.ask(target=None, below="/chat").error, (404, "NOT_FOUND"))
