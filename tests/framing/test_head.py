"""Heads: what is accepted, what body it announces, and everything that is refused.

(More than 300 lines. A third of it is tables.)
"""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.framing.body import body_decoder
from naap_twisted.framing.fields import FramingError, HeadBuffer, HeadLimits, HeadTooLarge
from naap_twisted.framing.head import (
    CHUNKED,
    UNTIL_CLOSE,
    check_request_line,
    check_status_line,
    parse_request,
    parse_response,
    readable_part,
)

LIMITS = HeadLimits()
HOST = b"Host: a.example\r\n"

# Field lines after "POST / HTTP/1.1" and Host -> body announced, keep_alive
REQUEST_BODIES = [
    (b"", 0, True),
    (b"Content-Length: 0\r\n", 0, True),
    (b"Content-Length: 7\r\n", 7, True),
    (b"Content-Length:  007 \r\n", 7, True),
    (b"Transfer-Encoding: chunked\r\n", CHUNKED, True),
    (b"TRANSFER-ENCODING: CHUNKED\r\n", CHUNKED, True),
    (b"Connection: close\r\n", 0, False),
    (b"Connection: keep-alive, CLOSE\r\n", 0, False),
    (b"Connection: x\r\nConnection: close\r\n", 0, False),
]

BAD_FRAMING = {
    "CL and TE": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    "TE and CL 0": b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    "two CL": b"Content-Length: 3\r\nContent-Length: 4\r\n",
    "two equal CL": b"Content-Length: 3\r\nContent-Length: 3\r\n",
    "list CL": b"Content-Length: 3, 3\r\n",
    "signed CL": b"Content-Length: +3\r\n",
    "negative CL": b"Content-Length: -3\r\n",
    "hex CL": b"Content-Length: 0x3\r\n",
    "underscored CL": b"Content-Length: 1_0\r\n",
    "fractional CL": b"Content-Length: 3.0\r\n",
    "spaced CL": b"Content-Length: 1 0\r\n",
    "empty CL": b"Content-Length:\r\n",
    "huge CL": b"Content-Length: 1000000000000000\r\n",
    "word CL": b"Content-Length: three\r\n",
    "CL in other digits": "Content-Length: \u0663\r\n".encode(),
    "two TE": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "TE identity": b"Transfer-Encoding: identity\r\n",
    "TE gzip": b"Transfer-Encoding: gzip\r\n",
    "TE gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "TE chunked, chunked": b"Transfer-Encoding: chunked, chunked\r\n",
    "TE chunked;q=1": b"Transfer-Encoding: chunked;q=1\r\n",
    "TE xchunked": b"Transfer-Encoding: xchunked\r\n",
    "TE empty": b"Transfer-Encoding:\r\n",
    "TE quoted": b'Transfer-Encoding: "chunked"\r\n',
    "TE with a form feed": b"Transfer-Encoding: \x0cchunked\r\n",
    "obs-fold": b"X: 1\r\n 2\r\n",
    "TE folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "TE with a space before the colon": b"Transfer-Encoding : chunked\r\n",
    "bare CR": b"X: a\rb\r\n",
    "bare LF": b"X: a\nY: b\r\n",
    "NUL": b"X: a\0b\r\n",
    "control byte": b"X: a\x08b\r\n",
}

BAD_REQUESTS = {
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\n" + HOST,
    "HTTP/2.0": b"GET / HTTP/2.0\r\n" + HOST,
    "HTTP/01.1": b"GET / HTTP/01.1\r\n" + HOST,
    "lower-case http": b"GET / http/1.1\r\n" + HOST,
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST,
    "tab": b"GET\t/ HTTP/1.1\r\n" + HOST,
    "space in the target": b"GET /a b HTTP/1.1\r\n" + HOST,
    "trailing space": b"GET / HTTP/1.1 \r\n" + HOST,
    "leading space": b" GET / HTTP/1.1\r\n" + HOST,
    "bare LF": b"GET / HTTP/1.1\n" + HOST,
    "NUL in the target": b"GET /\0 HTTP/1.1\r\n" + HOST,
    "byte over 127 in the target": b"GET /\xe9 HTTP/1.1\r\n" + HOST,
    "DEL in the target": b"GET /\x7f HTTP/1.1\r\n" + HOST,
    "no target": b"GET HTTP/1.1\r\n" + HOST,
    "no method": b"/ HTTP/1.1\r\n" + HOST,
    "method is no token": b"G(T / HTTP/1.1\r\n" + HOST,
    "long method": b"G" * 33 + b" / HTTP/1.1\r\n" + HOST,
    "CONNECT": b"CONNECT a.example:443 HTTP/1.1\r\n" + HOST,
    "CONNECT in origin-form": b"CONNECT / HTTP/1.1\r\n" + HOST,
    "absolute-form": b"GET http://a.example/ HTTP/1.1\r\n" + HOST,
    "no slash": b"GET a HTTP/1.1\r\n" + HOST,
    "star for GET": b"GET * HTTP/1.1\r\n" + HOST,
    "no Host": b"GET / HTTP/1.1\r\nX: 1\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST,
    "two Hosts in 1.0": b"GET / HTTP/1.0\r\n" + HOST + HOST,
    "TE in 1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    "fields before the line": HOST + b"GET / HTTP/1.1\r\n",
}

BAD_HOSTS = [
    b"", b"a b", b"a,b", b"a/b", b"a@b", b"u:p@b", b"a:b", b"a:123456", b"a:", b"a:-1", b"a:80:80",
    b"a?b", b"a#b", b"a\\b", b"a%41", b"[::1", b"::1", b"[g::1]", b"[::1]x", b"caf\xc3\xa9", b"<a>",
    b"a;b", b"[fe80::1%25eth0]",
]  # fmt: skip
GOOD_HOSTS = [b"a", b"A.example", b"a.example:8080", b"127.0.0.1:1", b"[::1]", b"[::1]:80", b"a_b"]


def post(fields):
    return parse_request(b"POST / HTTP/1.1\r\n" + HOST + fields, LIMITS)


def response(line, fields=b"", method=b"GET"):
    return parse_response(line + b"\r\n" + fields, method, LIMITS)


class TableCase(SynchronousTestCase):
    def refused(self, name, call, *args):
        try:
            call(*args)
        except FramingError:
            return
        self.fail(f"accepted: {name}")


class Requests(TableCase):
    def test_fields(self):
        """Everything as it was received, names in lower case."""
        head = parse_request(b"PUT /a%2Fb?c=//d HTTP/1.1\r\n" + HOST + b"X-A: B\r\n", LIMITS)
        self.assertEqual((head.method, head.target, head.minor), (b"PUT", b"/a%2Fb?c=//d", 1))
        self.assertEqual(head.host, b"a.example")
        self.assertEqual(head.fields, [(b"host", b"a.example"), (b"x-a", b"B")])

    def test_bodies(self):
        """A request's body is what its fields announce, and none without them."""
        for fields, body, keep_alive in REQUEST_BODIES:
            head = post(fields)
            self.assertEqual((head.body_length, head.keep_alive), (body, keep_alive), fields)

    def test_old_version(self):
        """HTTP/1.0 needs no Host and closes unless asked otherwise (RFC 9112 section 9.3)."""
        head = parse_request(b"GET / HTTP/1.0\r\n", LIMITS)
        self.assertEqual((head.minor, head.host, head.keep_alive), (0, b"", False))
        kept = parse_request(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", LIMITS)
        self.assertTrue(kept.keep_alive)

    def test_star(self):
        """``OPTIONS *`` is the one target without a slash (RFC 9112 section 3.2.4)."""
        self.assertEqual(parse_request(b"OPTIONS * HTTP/1.1\r\n" + HOST, LIMITS).target, b"*")

    def test_expectation(self):
        """100-continue is HTTP/1.1's, in any case (RFC 9110 section 10.1.1)."""
        self.assertTrue(post(b"Expect: 100-Continue\r\n").expect_continue)
        self.assertFalse(post(b"Expect: other\r\n").expect_continue)
        old = parse_request(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\n", LIMITS)
        self.assertFalse(old.expect_continue)

    def test_bad(self):
        """What two parsers could read in two ways is refused."""
        for name, block in BAD_REQUESTS.items():
            self.refused(name, parse_request, block, LIMITS)
        for name, fields in BAD_FRAMING.items():
            self.refused(name, post, fields)

    def test_host(self):
        """A Host is a name or address and a port, in their alphabet (RFC 9112 section 3.2)."""
        for host in GOOD_HOSTS:
            line = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n"
            self.assertEqual(parse_request(line, LIMITS).host, host)
        for host in BAD_HOSTS:
            line = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n"
            self.refused(host, parse_request, line, LIMITS)

    def test_refused_names(self):
        """No name that CGI-like glue takes for another."""
        for name in (b"Content_Length", b"transfer_encoding", b"X_Target_URL"):
            self.refused(name, post, name + b": 1\r\n")
        self.assertEqual(post(b"My_Header: 1\r\n").fields[-1], (b"my_header", b"1"))

    def test_upgrades(self):
        """An offer to switch the protocol is no reason to refuse (RFC 9110 section 7.8)."""
        for fields in (
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
            b"Upgrade: TLS/1.0, HTTP/2.0\r\n",
        ):
            head = post(fields)
            self.assertEqual((head.body_length, head.keep_alive), (0, True))

    def test_lines(self):
        """Too many lines are told apart: they are a 431."""
        block = b"GET / HTTP/1.1\r\n" + HOST + b"X: 1\r\n" * 3
        self.assertRaises(HeadTooLarge, parse_request, block, HeadLimits(lines=3))
        self.assertEqual(len(parse_request(block, HeadLimits(lines=4)).fields), 4)

    def test_repr(self):
        """Nothing of the URL or the fields is shown: both may hold a token."""
        head = parse_request(b"GET /?token=canary HTTP/1.1\r\n" + HOST + b"X: canary\r\n", LIMITS)
        self.assertNotIn("canary", repr(head))

    def test_early(self):
        """A first line that is none is refused before the head is complete."""
        check_request_line(b"GET / HTTP/1.1\r\n")
        for line in (b"GET /\r\n", b"\n", b"\x16\x03\x01\n", b"GET / HTTP/1.1\n"):
            self.refused(line, check_request_line, line)


class Readable(SynchronousTestCase):
    """What is read of a head that is refused."""

    def test_readable(self):
        """Its line, its host, and the fields before the first that is none; never a body."""
        line = b"POST /a?b HTTP/1.1\r\n"
        origin = b"Origin: https://a.example\r\n"
        for block, names in (
            (line + HOST + origin, [b"host", b"origin"]),
            (line + HOST + origin + b"X: " + b"a" * 90, [b"host", b"origin"]),
            (line + HOST + b"folded\r\n" + origin, [b"host"]),
            (line + HOST + b"Content-Length: 1\r\n" * 2, [b"host", *[b"content-length"] * 2]),
        ):
            head = readable_part(block, LIMITS)
            self.assertEqual((head.method, head.target), (b"POST", b"/a?b"))
            self.assertEqual([name for name, _ in head.fields], names)
            self.assertEqual((head.body_length, head.keep_alive), (CHUNKED, False))

    def test_unreadable(self):
        """Nobody can say which page sent it, or to whom."""
        for block in (
            b"",
            b"POST /a HTTP/1.1\r\n",
            b"POST /a HTTP/1.1\r\nOrigin: https://a.example\r\n",
            b"POST /a HTTP/1.1\r\n" + HOST + HOST,
            b"POST /a HTTP/1.1\r\nHost: a@b\r\n",
            b"POST /a HTTP/1.1\n" + HOST,
            b"POST http://a.example/ HTTP/1.1\r\n" + HOST,
            b"OPTIONS * HTTP/1.1\r\n" + HOST,
            b"CONNECT / HTTP/1.1\r\n" + HOST,
            b"POST /a HTTP/1.2\r\n" + HOST,
            b"POST /" + b"a" * 90,
        ):
            self.assertIsNone(readable_part(block, LIMITS), block)


class Responses(TableCase):
    def test_bodies(self):
        """Length, chunked, or until the close, which ends reuse (RFC 9112 section 6.3)."""
        for line, fields, expected in [
            (b"HTTP/1.1 200 OK", b"", (200, UNTIL_CLOSE, False)),
            (b"HTTP/1.1 200 OK", b"Content-Length: 5\r\n", (200, 5, True)),
            (b"HTTP/1.1 500 No", b"Transfer-Encoding: chunked\r\n", (500, CHUNKED, True)),
            (b"HTTP/1.1 201 ", b"Content-Length: 0\r\n", (201, 0, True)),
            (b"HTTP/1.1 599", b"Content-Length: 0\r\nConnection: close\r\n", (599, 0, False)),
            (b"HTTP/1.0 200 OK", b"Content-Length: 5\r\n", (200, 5, False)),
            (
                b"HTTP/1.0 200 OK",
                b"Content-Length: 5\r\nConnection: keep-alive\r\n",
                (200, 5, True),
            ),
            (b"HTTP/1.1 204 No", b"", (204, 0, True)),
            (b"HTTP/1.1 204 No", b"Content-Length: 0\r\n", (204, 0, True)),
            (b"HTTP/1.1 304 No", b"Content-Length: 99\r\n", (304, 0, True)),
            (b"HTTP/1.1 304 No", b"Transfer-Encoding: chunked\r\n", (304, 0, False)),
            (b"HTTP/1.1 100 Continue", b"", (100, 0, True)),
            (b"HTTP/1.1 600 X", b"Content-Length: 0\r\n", (600, 0, True)),
            (b"HTTP/1.1 999", b"Content-Length: 1\r\n", (999, 1, True)),
        ]:
            head = response(line, fields)
            self.assertEqual(
                (head.status, head.body_length, head.keep_alive), expected, line + fields
            )

    def test_no_room_for_a_body(self):
        """A 204 or a 1xx that announces a body has none, and nothing follows it."""
        for status in (b"204 No", b"100 Go", b"102 Wait"):
            for fields in (
                b"Content-Length: 5\r\n",
                b"Content-Length: x\r\n",
                b"Content-Length: 5\r\nContent-Length: 0\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Transfer-Encoding: gzip\r\nContent-Length: 0\r\n",
            ):
                head = response(b"HTTP/1.1 " + status, fields)
                self.assertEqual((head.body_length, head.keep_alive), (0, False), fields)
            plain = response(b"HTTP/1.1 " + status, b"Content-Length: 0\r\n")
            self.assertTrue(plain.keep_alive)

    def test_early(self):
        """A first line that is none is refused before the head is complete."""
        check_status_line(b"HTTP/1.1 200 OK\r\n")
        for line in (b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n", b"HTTP/1.1 200 OK\n"):
            self.refused(line, check_status_line, line)

    def test_head(self):
        """No answer to HEAD has a body, whatever it announces (RFC 9110 section 9.3.2)."""
        for fields in (b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"):
            head = response(b"HTTP/1.1 200 OK", fields, b"HEAD")
            self.assertEqual((head.body_length, head.keep_alive), (0, True), fields)

    def test_reason_phrase(self):
        """It may be missing, strange or huge; it is not kept."""
        for phrase in (b"", b" ", b" \xff\xfe ", b" " + b"a" * 20_000):
            head = response(b"HTTP/1.1 200" + phrase, b"Content-Length: 0\r\n")
            self.assertEqual(head.status, 200)
            self.assertFalse(hasattr(head, "phrase"))

    def test_bad(self):
        """What is no status line, or announces what can not be, is refused."""
        for line in (
            b"HTTP/1.1 1000 X", b"HTTP/1.1 099 X", b"HTTP/1.1 000 X", b"HTTP/1.1 20 X",
            b"HTTP/1.1 2000 X", b"HTTP/1.1 +20 X", b"HTTP/1.1 20a X", b"HTTP/1.1  200 X",
            b"HTTP/1.1\t200 X", b"HTTP/1.2 200 X", b"HTTP/2 200 X", b"HTTP/2.0 200", b"ICY 200 OK",
            b"http/1.1 200 OK", b" HTTP/1.1 200 OK", b"200 OK", b"", b"<html>",
            b"HTTP/1.1 200 a\0b", b"HTTP/1.1 200 a\x1bb", b"HTTP/1.1 200 a\rb", b"HTTP/1.1 200OK",
        ):  # fmt: skip
            self.refused(line, response, line)
        self.refused("bare LF", parse_response, b"HTTP/1.1 200 OK\n", b"GET", LIMITS)
        for name, fields in BAD_FRAMING.items():
            self.refused(name, response, b"HTTP/1.1 200 OK", fields)
            self.refused(f"{name}, to HEAD", response, b"HTTP/1.1 200 OK", fields, b"HEAD")
        for line, fields in [
            (b"HTTP/1.1 304 No", b"Content-Length: 5, 5\r\n"),
            (b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked\r\n"),
        ]:
            self.refused(line + fields, response, line, fields)


MESSAGES = [
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\nX: 1\r\n\r\nGET",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n",
    *(b"POST / HTTP/1.1\r\n" + HOST + fields + b"\r\n0\r\n\r\n" for fields in BAD_FRAMING.values()),
]


class AnySplit(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(MESSAGES), st.lists(st.integers(1, 120), max_size=8))
    def test_same_events(self, wire, cuts):
        """Head and body are the same however the bytes are cut."""
        edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
        pieces = [wire[a:b] for a, b in pairwise(edges)]
        self.assertEqual(read_message(pieces), read_message([wire]))


def read_message(pieces):
    """One request out of *pieces*: its head, payload and what follows; or that it was refused."""
    buffer, head, decoder, payload, rest = HeadBuffer(LIMITS), None, None, b"", None
    try:
        for piece in pieces:
            data = piece
            if head is None:
                found = buffer.feed(data)
                if found is None:
                    line = buffer.first_line()
                    if line is not None:
                        check_request_line(line)
                    continue
                head, data = parse_request(found[0], LIMITS), found[1]
                decoder = body_decoder(head.body_length)
                if head.body_length == 0:
                    rest = b""
            if rest is not None:
                rest += data
                continue
            got, rest = decoder.feed(data)
            payload += b"".join(got)
    except FramingError:
        return FramingError
    return head and (head.method, head.target, head.fields, head.body_length), payload, rest
