"""An answer as bytes, and back: every byte of it, and where it came from."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.framing.head import ResponseHead
from naap_twisted.limits.replays import Replayed
from naap_twisted.policy.target import parse_target
from naap_twisted.route.kept_answer import packed, unpacked
from naap_twisted.route.scrub import Guard
from naap_twisted.upstream.response import UpstreamResponse
from tests.route.test_relay import Response

TARGET = parse_target(b"https://api.example.com:8443/v1/a%20b?q=%C3%A4&n=1")
ODD = [(b"x-a", b"\xe9\xff"), (b"link", b"<a>"), (b"link", b'"b"'), (b"x-empty", b"")]


class KeptAnswerTests(SynchronousTestCase):
    def test_there_and_back(self):
        """Repeated headers, bytes outside ASCII and line breaks in the body stay as they are."""
        guard = Guard()
        for status, body in ((200, b"a\nb\r\n\0\xff"), (204, b""), (402, b"\n")):
            response = UpstreamResponse(ResponseHead(status, ODD, 3, True), print, print)
            kept = packed((response, TARGET, guard), body)
            back, target, beside = unpacked(Replayed(kept, guard))
            self.assertEqual((back.code, back.fields), (status, ODD))
            self.assertEqual((back.complete_body, back.length), (body, len(body)))
            self.assertEqual((target, target.url), (TARGET, TARGET.url))
            self.assertIs(beside, guard)

    def test_of_another_client(self):
        """A treq response has a table of headers and no list."""
        response = Response(200, [("ETag", "a"), ("ETag", "b")])
        kept = packed((response, TARGET, Guard()), b"")
        self.assertIn(b'[["etag", "a"], ["etag", "b"]]', kept)
