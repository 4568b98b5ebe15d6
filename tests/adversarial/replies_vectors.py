"""Upstream replies as raw bytes, and what a browser may see of them.

``CUT``: the browser's connection is reset after the head, its answer visibly incomplete.
"""

from __future__ import annotations

import gzip

from attrs import frozen

from naap_twisted.testing import ABORT, CLOSE

from .oracle import KEY

CUT = 0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
JSON = b'{"ok":1}'
HINT = b"HTTP/1.1 103 Early Hints\r\n"
LENGTH = b"Content-Length: 8\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = HEAD + LENGTH + b"\r\n" + JSON
BOMB = gzip.compress(b"\0" * 20_000_000)


@frozen
class UpstreamReply:
    """One row.

    :ivar steps: what the upstream sends, and how it ends.
    :ivar status: what the browser gets, or CUT.
    :ivar body: the whole body of a good answer; ``None`` to leave it open.
    :ivar pooled: connections kept for reuse afterwards.
    :ivar never: bytes that must not reach the browser.
    :ivar method: of the request.
    """

    name: str
    steps: tuple
    status: int = 502
    body: bytes | None = None
    pooled: int = 0
    never: tuple[bytes, ...] = (b"evil",)
    method: bytes = b"POST"


def bad(name, *steps):
    """No answer at all: 502."""
    return UpstreamReply(name, steps)


def fields(name, *lines):
    """A good answer with further header *lines*: 502."""
    return bad(name, HEAD + LENGTH + b"".join(text + b"\r\n" for text in lines) + b"\r\n" + JSON)


def framed(name, *lines, body=JSON):
    """An answer with its own framing *lines*: 502."""
    return bad(name, HEAD + b"".join(text + b"\r\n" for text in lines) + b"\r\n" + body)


def cut(name, *steps):
    """The head is out, the body breaks."""
    return UpstreamReply(name, steps, CUT)


def fine(name, *steps, body=JSON, pooled=1, status=200, **more):
    """A whole answer."""
    return UpstreamReply(name, steps, status, body, pooled, **more)


HEADS = [
    bad("nothing", CLOSE),
    bad("reset", ABORT),
    bad("not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    bad("HTTP/0.9", JSON, CLOSE),
    bad("HTTP/2", b"HTTP/2 200\r\n" + LENGTH + b"\r\n" + JSON),
    bad("HTTP/1.2", GOOD.replace(b"HTTP/1.1", b"HTTP/1.2")),
    bad("ICY", GOOD.replace(b"HTTP/1.1", b"ICY")),
    bad("half a head", HEAD, CLOSE),
    *(
        bad(f"status {status}", GOOD.replace(b" 200 OK", b" " + status.encode()))
        for status in ("000", "099", "99", "1000", "0999", "2000", "20", "2OO", "")
    ),
    bad("status with a minus", GOOD.replace(b" 200", b" -200")),
    bad("status with a plus", GOOD.replace(b" 200", b" +200")),
    bad("101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nevil"),
    bad("101 then 200", b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + GOOD),
    bad("101 times 102", b"HTTP/1.1 102 Processing\r\n\r\n" * 101 + GOOD),
    bad("300 KB of hints", (HINT + b"Link: " + b"a" * 60_000 + b"\r\n\r\n") * 5 + GOOD),
    bad("100 then nothing", b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE),
    bad("100 with a length", b"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nevil" + GOOD),
    bad("100 that is chunked", b"HTTP/1.1 100 Continue\r\n" + CHUNKED + b"0\r\n\r\n" + GOOD),
    bad("bare LF, kept open", GOOD.replace(b"\r\n", b"\n")),
    bad("bare LF after the first line, kept open", HEAD + b"Content-Length: 8\n\n" + JSON),
    bad("bare LF in the last line, kept open", HEAD + b"A: b\r\nContent-Length: 8\n\r"),
    bad("bare CR, kept open", GOOD.replace(b"\r\n", b"\r")),
    bad("greeting of a mail server, kept open", b"220 mail.example ESMTP\r\n"),
    bad("bare LF", GOOD.replace(b"\r\n", b"\n") + b"\r\n\r\n"),
    bad("bare CR in the reason", GOOD.replace(b"OK", b"O\rSet-Cookie: evil=1")),
    bad("bare LF in the reason", GOOD.replace(b"OK", b"O\nSet-Cookie: evil=1")),
    bad("NUL in the reason", GOOD.replace(b"OK", b"O\0evil")),
    bad("70 KB of reason", GOOD.replace(b"OK", b"evil" * 18_000)),
    bad("8 MB of one header", HEAD + b"A: " + b"b" * 8_000_000 + b"\r\n" + LENGTH + b"\r\n" + JSON),
    bad("8 MB of headers", HEAD + b"Abcdefg: hijklm\r\n" * 500_000 + LENGTH + b"\r\n" + JSON),
    fields("201 header lines", *[b"A: b"] * 200),
    fields("folded", b"A: b", b" evil"),
    fields("no colon", b"evil"),
    fields("blank before the colon", b"A : evil"),
    fields("NUL in a value", b"A: evil\0"),
    fields("control byte in a value", b"Retry-After: 1\x0b"),
    fields("bare CR in a value", b"Location: /a\rSet-Cookie: evil=1"),
    framed("CL.TE", b"Content-Length: 8", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    framed("CL twice", b"Content-Length: 8", b"Content-Length: 8"),
    framed("CL twice, different", b"Content-Length: 8", b"Content-Length: 4"),
    framed("CL list", b"Content-Length: 8, 8"),
    framed("CL signed", b"Content-Length: +8"),
    framed("CL negative", b"Content-Length: -8"),
    framed("CL hex", b"Content-Length: 0x8"),
    framed("CL empty", b"Content-Length:"),
    framed("CL huge", b"Content-Length: 99999999999999999999"),
    framed("TE gzip", b"Transfer-Encoding: gzip, chunked"),
    framed("TE identity", b"Transfer-Encoding: identity"),
    framed("TE twice", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    bad(
        "HTTP/1.0 and TE",
        (HEAD + CHUNKED).replace(b"1.1", b"1.0") + b"8\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
]

BODIES = [
    cut("short of its length", HEAD + LENGTH + b"\r\n" + JSON[:4], CLOSE),
    cut("no byte of its length", HEAD + LENGTH + b"\r\n", CLOSE),
    cut("chunk size no hex", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\nxx\r\n"),
    cut("chunk size negative", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n-1\r\n"),
    cut("chunk size of nine digits", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n100000000\r\n"),
    cut("chunk longer than its size", HEAD + CHUNKED + b"8\r\n" + JSON + b"evil\r\n0\r\n\r\n"),
    cut("chunk size in two words", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n0 8\r\n\r\n"),
    cut("chunk size padded and LF", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n0 \n\r\n"),
    cut("chunk size padded too far", HEAD + CHUNKED + b"8" + b" " * 17 + b"\r\n" + JSON + b"\r\n"),
    cut("chunk ended by LF", HEAD + CHUNKED + b"8\r\n" + JSON + b"\n0\r\n\r\n"),
    cut("chunks without a last", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n", CLOSE),
    cut("last chunk without its line", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n0\r\n", CLOSE),
    cut("trailer folded", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n0\r\nA: b\r\n evil\r\n\r\n"),
    cut("trailer without a colon", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n0\r\nevil\r\n\r\n"),
    cut("9000 bytes of trailer", HEAD + CHUNKED + b"0\r\nA: " + b"b" * 9000 + b"\r\n\r\n"),
    cut("extension of 300 bytes", HEAD + CHUNKED + b"8;" + b"a" * 300 + b"\r\n" + JSON + b"\r\n"),
    fine("length", GOOD),
    fine("chunked", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n0\r\n\r\n"),
    fine("close-delimited", HEAD + b"\r\n" + JSON, CLOSE, pooled=0),
    fine("HTTP/1.0", GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"), pooled=0),
    fine("Connection: close", HEAD + b"Connection: close\r\n" + LENGTH + b"\r\n" + JSON, pooled=0),
    fine("nine times 102", b"HTTP/1.1 102 Processing\r\n\r\n" * 9 + GOOD),
    fine("100 times 102", b"HTTP/1.1 102 Processing\r\n\r\n" * 100 + GOOD),
    fine("102 with a length", b"HTTP/1.1 102 P\r\nContent-Length: 4\r\n\r\n" + GOOD, pooled=0),
    fine("102 that is chunked", b"HTTP/1.1 102 P\r\n" + CHUNKED + GOOD, pooled=0),
    fine("103 with a cookie", b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: evil=1\r\n\r\n" + GOOD),
    fine("no reason", GOOD.replace(b" OK", b"")),
    fine("another reason", GOOD.replace(b"OK", b"evil <script>")),
    fine("surplus byte", GOOD + b"X", pooled=0),
    fine("surplus line end", GOOD + b"\r\n", pooled=0),
    fine("second answer in one feed", GOOD + GOOD.replace(b"ok", b"evil"), pooled=0),
    fine(
        "surplus behind chunks", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n0\r\n\r\nevil", pooled=0
    ),
    fine("204", b"HTTP/1.1 204 No Content\r\n\r\n", status=204, body=b""),
    *(
        fine(
            f"204 {what}", b"HTTP/1.1 204 No Content\r\n" + raw, status=204, body=b"", pooled=pooled
        )
        for what, raw, pooled in (
            ("with a length of zero", b"Content-Length: 0\r\n\r\n", 1),
            ("with a length and no body", b"Content-Length: 2\r\n\r\n", 0),
            ("with a length and a body", b"Content-Length: 4\r\n\r\nevil", 0),
            ("with a length that is none", b"Content-Length: evil\r\n\r\n", 0),
            ("with two lengths", b"Content-Length: 4\r\nContent-Length: 0\r\n\r\n", 0),
            ("that is chunked, without chunks", CHUNKED, 0),
            ("that is chunked", CHUNKED + b"0\r\n\r\n", 0),
            ("that is chunked, with chunks", CHUNKED + b"4\r\nevil\r\n0\r\n\r\n", 0),
            ("with another answer for a body", CHUNKED + GOOD.replace(b"ok", b"evil"), 0),
        )
    ),
    fine("204 and a body", b"HTTP/1.1 204 No Content\r\n\r\nevil", status=204, body=b"", pooled=0),
    fine(
        "304 and a body", b"HTTP/1.1 304 Not Modified\r\n\r\nevil", status=304, body=b"", pooled=0
    ),
    fine(
        "304 with a length",
        b"HTTP/1.1 304 Not Modified\r\n" + LENGTH + b"\r\n",
        status=304,
        body=b"",
    ),
    *(
        fine(f"304 {what}", b"HTTP/1.1 304 Not Modified\r\n" + raw, status=304, body=b"", pooled=0)
        for what, raw in (
            ("that is chunked", CHUNKED),
            ("that is chunked, with chunks", CHUNKED + b"4\r\nevil\r\n0\r\n\r\n"),
        )
    ),
    *(
        fine(f"status {status}", GOOD.replace(b"200", status), body=None, status=int(status))
        for status in (b"599", b"600", b"799", b"999")
    ),
    fine("chunk size padded", HEAD + CHUNKED + b"8  \r\n" + JSON + b"\r\n0\r\n\r\n", pooled=0),
    fine("chunk size and a tab", HEAD + CHUNKED + b"8\t\r\n" + JSON + b"\r\n0\r\n\r\n", pooled=0),
    fine("last chunk padded", HEAD + CHUNKED + b"8\r\n" + JSON + b"\r\n0 \r\n\r\n", pooled=0),
    fine("extension", HEAD + CHUNKED + b'8;a="b c" ;d\r\n' + JSON + b"\r\n0;e\r\n\r\n"),
    fine("padded before an extension", HEAD + CHUNKED + b"8 ;a\r\n" + JSON + b"\r\n0\r\n\r\n"),
    fine(
        "padded, and another answer behind",
        HEAD + CHUNKED + b"8 \r\n" + JSON + b"\r\n0\r\n\r\n" + GOOD.replace(b"ok", b"evil"),
        pooled=0,
    ),
    fine("HEAD with a length", HEAD + LENGTH + b"\r\n", body=b"", method=b"HEAD"),
    fine("HEAD and a body", GOOD.replace(b"ok", b"evil"), body=b"", pooled=0, method=b"HEAD"),
    fine("HEAD that is chunked", HEAD + CHUNKED, body=b"", method=b"HEAD"),
    fine(
        "redirect to a sentinel",
        b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.2:9/\r\n" + LENGTH + b"\r\n" + JSON,
        status=307,
    ),
    fine(
        "gzip bomb",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB,
        body=BOMB,
    ),
]

# Header lines that stay behind: the answer is good, the line is not in it.
DROPPED = [
    fine(f"dropped: {line.decode()}", HEAD + LENGTH + line + b"\r\n\r\n" + JSON)
    for line in (
        b"Set-Cookie: evil=1",
        b"Set-Cookie2: evil=1",
        b"sEt-cOOkIE: evil=2",
        b"Server: evil",
        b"Via: evil",
        b"Access-Control-Allow-Origin: http://evil",
        b"Access-Control-Allow-Credentials: evil",
        b"Access-Control-Expose-Headers: evil",
        b"Content-Security-Policy: evil",
        b"Strict-Transport-Security: evil",
        b"Clear-Site-Data: evil",
        b"WWW-Authenticate: evil",
        b"Keep-Alive: evil",
        b"Trailer: evil",
        b"Proxy-Authenticate: evil",
        b"X-Accel-Redirect: /evil",
        b"X-Sendfile: /evil",
        b"Refresh: 0;url=http://evil",
        b"Service-Worker-Allowed: /evil",
        b"X-Frame-Options: evil",
        b"Alt-Svc: evil",
        b"X-Powered-By: evil",
    )
] + [
    fine(
        "dropped: nominated by Connection",
        HEAD + LENGTH + b"Connection: Retry-After\r\nRetry-After: evil\r\n\r\n" + JSON,
    ),
]

_ERROR = b"HTTP/1.1 %d Evil\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s"


def error(name, status, text, **more):
    """An error of the upstream, wrapped in ours."""
    raw = _ERROR % (status, len(text), text)
    return UpstreamReply(name, (raw,), status, **{"pooled": 1, **more})


_KEY = KEY.encode()
# The key comes back. The oracle looks for it in all that a browser got; ``never`` for its parts.
REFLECTED = [
    error("key in an error", 401, b"bad key: Bearer " + _KEY),
    error("key alone in an error", 500, b"bad key: " + _KEY),
    error("key twice in an error", 500, _KEY + _KEY),
    error(
        "key at the end of what is read",
        400,
        b" " * (2048 - 20) + _KEY,
        never=(_KEY[:12],),
    ),
    error("key one byte short", 400, b" " * (2049 - len(_KEY)) + _KEY, never=(_KEY[:12],)),
    error("keys that shrink the text", 400, _KEY * 60, never=(_KEY[:12],)),
    UpstreamReply(
        "error that breaks off inside the key",
        (_ERROR % (400, 99, b"bad key: " + _KEY[:-1]), CLOSE),
        400,
        never=(_KEY[:12],),
    ),
    fine("key in Location", HEAD + LENGTH + b"Location: /a?key=" + _KEY + b"\r\n\r\n" + JSON),
    fine("key in ETag", HEAD + LENGTH + b'ETag: "' + _KEY + b'"\r\n\r\n' + JSON),
    fine(
        "key in Content-Type",
        b"HTTP/1.1 200 OK\r\n" + LENGTH + b"Content-Type: " + _KEY + b"\r\n\r\n" + JSON,
    ),
    fine("key in the reason", GOOD.replace(b"OK", _KEY)),
    fine(
        "key in a header that is not relayed",
        HEAD + LENGTH + b"X-Debug: " + _KEY + b"\r\n\r\n" + JSON,
    ),
    bad("key in a broken head", HEAD + b"X: " + _KEY + b"\0\r\n\r\n"),
    bad("key in a status line", b"HTTP/1.1 " + _KEY + b"\r\n\r\n"),
]
