"""An outbound request as bytes."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from naap_twisted.secret import Secret
from naap_twisted.upstream.wire import serialise_head

from .support import outbound


class Sized:
    def __init__(self, length):
        self.length = length


class Head(SynchronousTestCase):
    def test_whole(self):
        """Line, Host, the headers in order with secrets revealed, nothing else."""
        request = outbound(
            headers=((b"B", b"1"), (b"Authorization", Secret("Bearer k")), (b"A", b"2")),
            url_path="/v1?a=b%20c",
        )
        self.assertEqual(
            serialise_head(request),
            b"GET /v1?a=b%20c HTTP/1.1\r\nHost: api.example.com\r\n"
            b"B: 1\r\nAuthorization: Bearer k\r\nA: 2\r\n\r\n",
        )

    def test_request_target(self):
        """A target with a key in it takes the place of the page's; neither can end the line."""
        sealed = evolve(outbound(url_path="/v1"), request_target=Secret("/v1?key=k"))
        self.assertTrue(serialise_head(sealed).startswith(b"GET /v1?key=k HTTP/1.1\r\nHost: "))
        self.assertNotIn("key=k", repr(sealed))

    def test_host(self):
        """The Host names a port that is not the scheme's own, and brackets an IPv6 literal."""
        for target, host in [
            ({"port": 8443}, b"Host: api.example.com:8443\r\n"),
            ({"scheme": "http", "port": 80}, b"Host: api.example.com\r\n"),
            ({"host": "2001:db8::1"}, b"Host: [2001:db8::1]\r\n"),
        ]:
            self.assertIn(host, serialise_head(outbound(**target)))

    def test_framing(self):
        """Each body has exactly one framing field (RFC 9112 section 6)."""
        for method, body, expected in [
            (b"GET", None, b""),
            (b"DELETE", None, b""),
            (b"POST", None, b"Content-Length: 0\r\n"),
            (b"PUT", None, b"Content-Length: 0\r\n"),
            (b"PATCH", None, b"Content-Length: 0\r\n"),
            (b"POST", b"", b"Content-Length: 0\r\n"),
            (b"POST", b"abc", b"Content-Length: 3\r\n"),
            (b"POST", Sized(7), b"Content-Length: 7\r\n"),
            (b"POST", Sized(UNKNOWN_LENGTH), b"Transfer-Encoding: chunked\r\n"),
        ]:
            head = serialise_head(outbound(method, body=body))
            self.assertTrue(head.endswith(b"api.example.com\r\n" + expected + b"\r\n"), head)

    def test_breaking_out(self):
        """A header that would break out of its line is never sent."""
        for name, value in [
            (b"A", b"1\r\nB: 2"),
            (b"A", b"1\nB: 2"),
            (b"A", b"1\r"),
            (b"A", b"\0"),
            (b"A\r\nB", b"1"),
        ]:
            self.assertRaises(ValueError, serialise_head, outbound(headers=((name, value),)))
        for path in ("/a\r\nX: 1", "/a\nb", "/\0"):
            self.assertRaises(ValueError, serialise_head, outbound(url_path=path))
