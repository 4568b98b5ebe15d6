"""Tests of naap_twisted.route.usage_asking."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.model import Target
from naap_twisted.policy.endpoints import Endpoint, Endpoints
from naap_twisted.route.opening import Opening
from naap_twisted.route.sent_body import SentBody
from naap_twisted.route.usage_asking import UsageAsking

ASKING = UsageAsking(
    Opening(),
    Endpoints([Endpoint.parse("POST /v1/chat")]),
    ("stream_options", "include_usage"),
)
JSON = b"application/json; charset=utf-8"


def asked(body, kind=JSON, method=b"POST", path="/v1/chat?x=1"):
    return ASKING.asked(method, Target("https", "a.example", 443, path), SentBody(body, kind))


class UsageAskingTests(SynchronousTestCase):
    def test_asked(self) -> None:
        """Where a stream's body does not ask; all other bytes stay."""
        on = b'"include_usage":true'
        for body, wanted in (
            (b'{ "stream" : true }', b'{ "stream" : true,"stream_options":{%b} }' % on),
            (
                b'{"stream_options": null, "stream": true}',
                b'{"stream_options": {%b}, "stream": true}' % on,
            ),
            (
                b'{"stream": true, "stream_options": {"a": 1.0}}',
                b'{"stream": true, "stream_options": {"a": 1.0,%b}}' % on,
            ),
            (
                b'{"stream": true, "stream_options": {"include_usage": false}}',
                b'{"stream": true, "stream_options": {"include_usage": true}}',
            ),
            (
                b'{"\\u0073tream": true}',
                b'{"\\u0073tream": true,"stream_options":{%b}}' % on,
            ),
        ):
            self.assertEqual(asked(body), wanted)

    def test_left_alone(self) -> None:
        """One that asks, no stream, no JSON, no body of the API, and what has two readings."""
        for body in (
            b'{"stream": true, "stream_options": {"include_usage": true}}',
            *(b"{}", b"[]", b"", b"{", b'{"stream": false}', b'{"stream": "true"}'),
            *(b'{"stream": true, "stream_options": []}', b'{"stream": true, "stream": true}'),
        ):
            self.assertIsNone(asked(body), body)
        body = b'{"stream": true}'
        self.assertIsNone(asked(body, b"text/plain"))
        self.assertIsNone(asked(body, None))
        self.assertIsNone(asked(body, method=b"PUT"))
        self.assertIsNone(asked(body, path="/v1/other"))
        self.assertIsNone(asked(None))
