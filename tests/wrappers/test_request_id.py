"""Tests of naap_twisted.wrappers.request_id."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.caller import TrustedProxies
from naap_twisted.wrappers.request_id import RequestId

from ..support import Answer, FakeRequest


def identified(headers: dict[str, str | list[str]], **options: TrustedProxies) -> FakeRequest:
    request = FakeRequest(headers=headers)
    RequestId(Answer(), **options).render(request)
    return request


class RequestIdTests(SynchronousTestCase):
    MADE = r"\A[0-9a-f]{32}\Z"

    def test_accepts(self) -> None:
        """X-Request-ID, else X-Correlation-ID, is kept, recorded and sent back."""
        for headers, expected in [
            ({"X-Request-ID": "abc-123"}, "abc-123"),
            ({"X-Correlation-ID": "A.b_c~d"}, "A.b_c~d"),
            ({"X-Request-ID": "one", "X-Correlation-ID": "two"}, "one"),
            ({"X-Request-ID": "not sane", "X-Correlation-ID": "two"}, "two"),
            ({"X-Request-ID": "a" * 128}, "a" * 128),
        ]:
            request = identified(headers)
            self.assertEqual(request.record.request_id, expected)
            self.assertEqual(request.sent("X-Request-ID"), expected)
            self.assertEqual(len(request.rendered), 1)

    def test_makes_its_own(self) -> None:
        """Nothing, too much, twice, or what a log line can not hold: a new id."""
        for headers in [
            {},
            {"X-Request-ID": ""},
            {"X-Request-ID": "a" * 129},
            {"X-Request-ID": ["one", "two"]},
            {"X-Request-ID": "a b"},
            {"X-Request-ID": "<script>"},
            {"X-Request-ID": '{"a":1}'},
            {"X-Request-ID": "é"},
            {"X-Correlation-ID": "a/b"},
        ]:
            request = identified(headers)
            self.assertRegex(request.record.request_id, self.MADE, headers)
            self.assertEqual(request.sent("X-Request-ID"), request.record.request_id)

    def test_ids_differ(self) -> None:
        """No two exchanges share an id."""
        self.assertEqual(len({identified({}).record.request_id for _ in range(100)}), 100)

    def test_client(self) -> None:
        """The caller's address is recorded, behind trusted proxies too."""
        headers = {"X-Forwarded-For": "198.51.100.1"}
        self.assertEqual(identified(headers).record.client, "192.0.2.7")
        behind = identified(headers, trusted=TrustedProxies(["192.0.2.7"]))
        self.assertEqual(behind.record.client, "198.51.100.1")
