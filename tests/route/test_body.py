"""The body's door: type, size, syntax."""

from __future__ import annotations

import gc
import sys

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.json_text import check_json
from naap_twisted.downstream.body import RequestBody, StreamedBody
from naap_twisted.errors import (
    BodyRequired,
    BodyTooLarge,
    InvalidJson,
    NaapError,
    UnsupportedMediaType,
)
from naap_twisted.route.body import BodyPolicy
from tests.support import FakeRequest

JSON = "application/json"

VALID = [
    b"{}",
    b"null",
    b"0",
    b"-1.5e+10",
    b'""',
    b" \t\r\n[1, 2] ",
    b'{"a": 1, "a": 2}',
    '{"ключ": "\\u00e9"}'.encode(),
    b'"\\ud800"',
    b"1" * 10_000,
    b"1e999999",
    b"[" * 100 + b"]" * 100,
]

# The body, and what the message says after "Request body is not valid JSON: ".
INVALID = [
    (b"{", "at line 1 column 2"),
    (b'{\n "a": 1,\n "b": x\n}', "at line 3 column 7"),
    (b"{'a': 1}", "at line 1 column 2"),
    (b"{} {}", "at line 1 column 4"),
    (b"[1,]", "at line 1 column"),
    (b" ", "at line 1 column"),
    (b"undefined", "at line 1 column 1"),
    (b"01", "at line 1 column 2"),
    (b'"a\nb"', "at line 1 column 3"),
    (b"NaN", "NaN is not a JSON value"),
    (b'{"a": [Infinity]}', "Infinity is not a JSON value"),
    (b"-Infinity", "-Infinity is not a JSON value"),
    (b"\xef\xbb\xbf{}", "at line 1 column 1"),
    (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
    (b'"\xed\xa0\x80"', "byte 1 is not UTF-8"),
    ('{"a": 1}'.encode("utf-16-le"), "at line 1 column 2"),
]


class CheckJson(SynchronousTestCase):
    def test_valid(self):
        """Any JSON text passes: scalars, repeated names, lone surrogate escapes, any number."""
        for data in VALID:
            check_json(data)

    def test_invalid(self):
        """What RFC 8259 does not allow is refused, and the message says where."""
        for data, said in INVALID:
            with self.subTest(data=data), self.assertRaises(InvalidJson) as caught:
                check_json(data)
            message = caught.exception.message
            self.assertTrue(message.startswith("Request body is not valid JSON: "), message)
            self.assertIn(said, message)

    def test_nested_too_deeply(self):
        """No depth of nesting is more than a refusal."""
        for opening in (b"[", b'{"a":'):
            with self.assertRaises(InvalidJson) as caught:
                check_json(opening * 200_000)
            self.assertIn("nested too deeply", caught.exception.message)

    def test_numbers_are_not_converted(self):
        """More digits than Python's own limit for int() cost nothing and are no error."""
        digits = sys.get_int_max_str_digits()
        self.assertGreater(digits, 0)
        check_json(b'{"n": ' + b"9" * (digits + 1) + b"}")

    def test_message_repeats_nothing(self):
        """The body may hold secrets: the message shows none of it."""
        with self.assertRaises(InvalidJson) as caught:
            check_json(b'{"key": sk-very-secret}')
        self.assertNotIn("secret", str(caught.exception))


def request_with(
    data: bytes | None,
    content_type: str | list[str] | None = JSON,
    *,
    method: bytes = b"POST",
    declared: int | None = -1,
    complete: bool = True,
) -> FakeRequest:
    """A request with *data* as its body; -1: its real length is declared."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    request = FakeRequest(method, headers=headers)
    size = len(data or b"")
    request.body = RequestBody(None, size if declared == -1 else declared)
    if data:
        request.body.feed(data)
    if complete:
        request.body.end()
    return request


class GarbageCollector(SynchronousTestCase):
    """It does not run while much JSON is read, and always afterwards."""

    MUCH = b"[" + b"[]," * 100_000 + b"[]%b"

    def runs(self, data):
        """How often it ran while *data* was read."""
        seen = []
        gc.callbacks.append(lambda phase, _: seen.append(phase))
        try:
            check_json(data)
        finally:
            gc.callbacks.pop()
        return seen.count("start")

    def test_much(self):
        self.assertLessEqual(self.runs(self.MUCH % b"]"), 1)
        self.assertTrue(gc.isenabled())

    def test_much_that_is_none(self):
        self.assertRaises(InvalidJson, check_json, self.MUCH % b"}")
        self.assertTrue(gc.isenabled())

    def test_turned_off_by_others(self):
        """Who runs without it keeps running without it."""
        gc.disable()
        self.addCleanup(gc.enable)
        check_json(self.MUCH % b"]")
        self.assertFalse(gc.isenabled())


class Policy(SynchronousTestCase):
    def open(self, request, *, types=(JSON,), limit=100, required=True):
        policy = BodyPolicy(types, limit, required=required)
        return Deferred.fromCoroutine(policy.open(request))

    def opened(self, request, **policy):
        return self.successResultOf(self.open(request, **policy))

    def refusal(self, request, **policy) -> NaapError:
        return self.failureResultOf(self.open(request, **policy), NaapError).value

    def test_json(self):
        """JSON is forwarded as it came, byte for byte, with its type as written."""
        body = b' { "a" : 1 }\n'
        request = request_with(body, "Application/JSON; charset=utf-8")
        self.assertEqual(self.opened(request), (body, b"Application/JSON; charset=utf-8"))

    def test_json_waits_for_its_end(self):
        """JSON is checked whole: nothing is forwarded before its end is in."""
        request = request_with(b'{"a"', declared=None, complete=False)
        opening = self.open(request)
        self.assertNoResult(opening)
        request.body.feed(b": 1}")
        request.body.end()
        self.assertEqual(self.successResultOf(opening), (b'{"a": 1}', JSON.encode()))

    def test_content_type(self):
        """The media type must be the route's; case and parameters do not count."""
        sdp, text = "application/sdp", "text/plain"
        for types, sent, taken in [
            ((JSON,), JSON, True),
            ((JSON,), "APPLICATION/JSON", True),
            ((JSON,), "application/json;charset=utf-8", True),
            ((JSON,), "application/json ; x=y", True),
            ((JSON,), "text/json", False),
            ((JSON,), "application/json-patch+json", False),
            ((JSON,), "application/jsonx", False),
            ((JSON,), "application/*", False),
            ((JSON,), "*/*", False),
            ((JSON,), "", False),
            ((JSON,), None, False),
            ((JSON,), [JSON, JSON], False),
            ((JSON,), f"{text}, {JSON}", False),
            ((sdp, text), sdp, True),
            ((sdp, text), text, True),
            ((sdp, text), JSON, False),
            (("Application/SDP",), sdp, True),
            (("Audio/*", JSON), "audio/webm;codecs=opus", True),
            (("audio/*", JSON), JSON, True),
            (("audio/*", JSON), "audiobook/wav", False),
            (("audio/*", JSON), "video/webm", False),
            (("*/*",), "image/png", True),
            (("*/*",), "", True),
            (("*/*",), None, True),
            (("*/*",), [text, sdp], False),
        ]:
            with self.subTest(types=types, sent=sent):
                request = request_with(b"{}", sent)
                if taken:
                    self.opened(request, types=types)
                else:
                    error = self.refusal(request, types=types)
                    self.assertIsInstance(error, UnsupportedMediaType)
                    self.assertEqual(error.message, f"Content-Type must be {', '.join(types)}")

    def test_untyped_body_of_an_open_route(self):
        """No type is made up: the recipient may look into it, or take octets (RFC 9110 8.3)."""
        request = request_with(b"abc", None)
        self.assertEqual(self.opened(request, types=("*/*",)), (b"abc", None))

    def test_only_json_is_checked(self):
        """What is not JSON is nobody's business, and on a route that takes anything nothing is.

        Clients label pieces of a file as JSON there.
        """
        for name in ("text/plain", "application/x-ndjson", "application/json"):
            self.opened(request_with(b"{", name), types=("*/*",))
        error = self.refusal(request_with(b"{"), types=("text/plain", "application/json"))
        self.assertIsInstance(error, InvalidJson)

    def test_no_body(self):
        """POST, PUT and PATCH need one; other methods, and pinned routes, do not."""
        for method, required, refused in [
            (b"POST", True, True),
            (b"PUT", True, True),
            (b"PATCH", True, True),
            (b"GET", True, False),
            (b"DELETE", True, False),
            (b"POST", False, False),
        ]:
            with self.subTest(method=method, required=required):
                request = request_with(None, method=method)
                if refused:
                    error = self.refusal(request, required=required)
                    self.assertIsInstance(error, BodyRequired)
                    self.assertEqual(
                        error.message,
                        "Request body is required (Content-Type: application/json)",
                    )
                else:
                    self.assertEqual(self.opened(request, required=required), (None, None))

    def test_missing_body_comes_before_its_type(self):
        """Without a body, its Content-Type is not looked at."""
        request = request_with(None, "text/plain")
        self.assertIsInstance(self.refusal(request), BodyRequired)

    def test_empty_object_is_a_body(self):
        """``{}`` is forwarded, not taken for nothing."""
        self.assertEqual(self.opened(request_with(b"{}"))[0], b"{}")

    def test_empty_chunked_body(self):
        """A body of no declared length that turns out empty is a missing one."""
        for kind in (JSON, "text/plain"):
            with self.subTest(kind=kind):
                request = request_with(None, kind, declared=None)
                self.assertIsInstance(self.refusal(request, types=(kind,)), BodyRequired)
                self.assertEqual(
                    self.opened(
                        request_with(None, kind, declared=None), types=(kind,), required=False
                    ),
                    (None, None),
                )
                request = request_with(None, kind, declared=None, method=b"DELETE")
                self.assertEqual(self.opened(request, types=(kind,)), (None, None))

    def test_limit(self):
        """The limit itself passes, one byte more does not."""
        self.opened(request_with(b'"%s"' % (b"a" * 98)))
        error = self.refusal(request_with(b'"%s"' % (b"a" * 99)))
        self.assertIsInstance(error, BodyTooLarge)

    def test_declared_length_is_refused_at_once(self):
        """A length over the limit is refused before a byte of the body is there."""
        for kind in (JSON, "text/plain"):
            with self.subTest(kind=kind):
                request = request_with(None, kind, declared=101, complete=False)
                error = self.refusal(request, types=("*/*",))
                self.assertIsInstance(error, BodyTooLarge)
                self.assertEqual(request.body.received, 0)

    def test_undeclared_length_is_refused_when_it_is_over(self):
        """A chunked body is refused with the piece that goes over."""
        request = request_with(b"1" * 100, declared=None, complete=False)
        opening = self.open(request)
        self.assertNoResult(opening)
        request.body.feed(b"1")
        self.failureResultOf(opening, BodyTooLarge)

    def test_stream(self):
        """What is not JSON and not there yet is forwarded as it comes."""
        for declared, length in ((3, 3), (None, "unknown")):
            request = request_with(b"v=0", "application/sdp", declared=declared, complete=False)
            request.body.complete = False
            body, kind = self.opened(request, types=("application/sdp",))
            self.assertIsInstance(body, StreamedBody)
            self.assertEqual(kind, b"application/sdp")
            if length != "unknown":
                self.assertEqual(body.length, length)

    def test_complete_body_is_bytes(self):
        """A small body that came with the head needs no stream."""
        request = request_with(b"v=0", "application/sdp")
        self.assertEqual(
            self.opened(request, types=("application/sdp",)), (b"v=0", b"application/sdp")
        )

    def test_asking(self):
        """Where a stream's usage may be asked for, JSON is read whole of any length, unjudged."""
        for kind, is_read in ((JSON, True), ("audio/wav", False)):
            request = request_with(b'{"a', kind, declared=None, complete=False)
            policy = BodyPolicy(["*/*"], 100, required=True, asking=True)
            opening = Deferred.fromCoroutine(policy.open(request))
            if not is_read:
                self.assertIsInstance(self.successResultOf(opening)[0], StreamedBody)
                continue
            self.assertNoResult(opening)
            request.body.feed(b'": no}')
            request.body.end()
            self.assertEqual(self.successResultOf(opening)[0], b'{"a": no}')

    def test_noted(self):
        """To be noted, JSON and forms that say that they are short are read whole, unjudged."""
        form, other = "application/x-www-form-urlencoded", "audio/wav"
        for kind, declared, noted, is_read in (
            *((JSON, 9, 9, True), (JSON, 9, 8, False), (JSON, None, 9, False), (JSON, 9, 0, False)),
            *((form, 9, 9, True), (other, 9, 9, False)),
        ):
            request = request_with(b'{"a', kind, declared=declared, complete=False)
            policy = BodyPolicy(["*/*"], 100, required=True, noted=noted)
            opening = Deferred.fromCoroutine(policy.open(request))
            with self.subTest(kind=kind, declared=declared, noted=noted):
                if not is_read:
                    self.assertIsInstance(self.successResultOf(opening)[0], StreamedBody)
                    continue
                self.assertNoResult(opening)
                request.body.feed(b'": no}')
                request.body.end()
                self.assertEqual(self.successResultOf(opening)[0], b'{"a": no}')
