"""A refusal as an answer."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.downstream.answer import PHRASES, keep_host_out, send_refusal
from naap_twisted.errors import Forbidden, RateLimited, Unauthorized, UpstreamStatus
from tests.support import FakeRequest


class SendRefusal(SynchronousTestCase):
    def send(self, error, **headers):
        request = FakeRequest(b"POST")
        for name, value in headers.items():
            request.setHeader(name.replace("_", "-"), value)
        send_refusal(request, error)
        self.assertEqual(request.finished, 1)
        return request

    def test_answer(self):
        """Status, headers and body of the contract's section 4."""
        request = self.send(Forbidden())
        body = b"".join(request.written)
        self.assertEqual(request.code, 403)
        self.assertEqual(
            json.loads(body),
            {
                "success": False,
                "error": {
                    "message": "Proxy request not authorized",
                    "code": "FORBIDDEN",
                    "type": "permission_error",
                    "param": None,
                },
            },
        )
        self.assertEqual(request.sent("content-type"), "application/json")
        self.assertEqual(request.sent("content-length"), str(len(body)))
        self.assertEqual(request.sent("x-content-type-options"), "nosniff")
        self.assertEqual(request.sent("cache-control"), "no-store")

    def test_replaces_what_stood_there(self):
        """Half an answer that a handler prepared does not show through; CORS headers stay."""
        request = self.send(
            Forbidden(),
            content_type="text/html",
            content_length="7",
            cache_control="public",
            access_control_allow_origin="*",
        )
        self.assertEqual(request.sent("content-type"), "application/json")
        self.assertEqual(request.sent("cache-control"), "no-store")
        self.assertNotEqual(request.sent("content-length"), "7")
        self.assertEqual(request.sent("access-control-allow-origin"), "*")

    def test_headers_of_the_error(self):
        """They are sent; readable by a page where the CORS layer let one in, once each."""
        self.assertEqual(self.send(RateLimited(7)).sent("retry-after"), "7")
        self.assertIn("Bearer", self.send(Unauthorized()).sent("www-authenticate"))
        request = self.send(RateLimited(7), access_control_expose_headers="X-Request-ID")
        self.assertEqual(
            request.sent_list("access-control-expose-headers"), ["X-Request-ID", "Retry-After"]
        )
        self.assertIsNone(self.send(RateLimited(7)).sent("access-control-expose-headers"))

    def test_status_of_an_upstream(self):
        """An enveloped error has the upstream's status."""
        self.assertEqual(self.send(UpstreamStatus(418, "tea")).code, 418)


class Phrases(SynchronousTestCase):
    def test_later_than_rfc_2616(self):
        """The codes that Twisted's own table lacks."""
        for code in (421, 429, 431):
            self.assertIn(code, PHRASES)


class KeepHostOut(SynchronousTestCase):
    def after(self, location, data=b"", *, secure=False, **headers):
        request = FakeRequest(headers={"Host": "a.example:81"}, secure=secure)
        request.getRequestHostname = lambda: b"a.example"
        request.setHeader("Location", location)
        for name, value in headers.items():
            request.setHeader(name.replace("_", "-"), value)
        return keep_host_out(request, data), request

    def test_location(self):
        """What names the host that was asked becomes a path of it; other places stay."""
        own = FakeRequest().getHost().port
        for location, expected in (
            ("http://a.example:81/b", "/b"),
            (f"http://a.example:{own}/b?c#d", "/b?c#d"),
            ("HTTP://A.example", "/"),
            ("http://a.example#b", "/#b"),
            ("http://a.example:81//evil.example", "/.//evil.example"),
            ("http://a.example:81\\evil.example", "\\evil.example"),
            ("http://a.example:81/\\evil.example", "/./\\evil.example"),
            ("http://a.example:82/b", "http://a.example:82/b"),
            ("https://a.example:81/b", "https://a.example:81/b"),
            ("http://b.example/", "http://b.example/"),
            ("http://a.example:81@b.example/", "http://a.example:81@b.example/"),
            ("/b", "/b"),
        ):
            _, request = self.after(location)
            self.assertEqual(request.sent("location"), expected, location)
        _, request = self.after("https://a.example/b", secure=True)
        self.assertEqual(request.sent("location"), "/b")

    def test_body(self):
        """A page that shows the link shows the path, and is as long as it says."""
        page = b"<a href='http://a.example:81/b'>http://a.example:81/b</a>"
        kept, request = self.after("http://a.example:81/b", page, Content_Length=str(len(page)))
        self.assertEqual(kept, b"<a href='/b'>/b</a>")
        self.assertEqual(request.sent("content-length"), str(len(kept)))
        kept, request = self.after("http://b.example/", page, Content_Length="9")
        self.assertEqual((kept, request.sent("content-length")), (page, "9"))

    def test_nothing_to_do(self):
        """Most answers have no Location."""
        request = FakeRequest()
        self.assertEqual(keep_host_out(request, b"data"), b"data")
        self.assertEqual(list(request.responseHeaders.getAllRawHeaders()), [])
