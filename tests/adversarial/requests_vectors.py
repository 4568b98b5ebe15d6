"""Requests as raw bytes: framing that two parsers could read in two ways.

Behind each stands a good request (NEXT) on the same connection. A row says which answers come back
and how many requests the upstream got in all: one more would be the smuggled one.
"""

from __future__ import annotations

from attrs import frozen

HEAD = b"POST /api/v1/x HTTP/1.1\r\n"
TARGET = b"X-Target-URL: http://127.0.0.1:{up}/v1\r\n"
REST = b"Content-Type: application/json\r\n" + TARGET
COMMON = b"Host: a\r\n" + REST
BODY = b"Content-Length: 2\r\n\r\n{}"
NEXT = HEAD + COMMON + b"Connection: close\r\n" + BODY
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
H2C = b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


@frozen
class Request:
    """One row.

    :ivar statuses: of the answers, NEXT's included where it is served.
    :ivar sent: requests that the upstream gets, NEXT's included.
    :ivar bodies: of those that are not ``{}``, the first of them.
    """

    name: str
    raw: bytes
    statuses: tuple[int, ...] = (400,)
    sent: int = 0
    bodies: tuple[bytes, ...] = ()


def refused(name, raw, status=400):
    """Answered once, then the connection is closed: NEXT is not served."""
    return Request(name, raw, (status,))


def fine(name, raw):
    """Served, and so is NEXT."""
    return Request(name, raw, (200, 200), 2)


def line(name, *lines):
    """A good request with further header *lines*: refused."""
    return refused(name, HEAD + COMMON + b"".join(text + b"\r\n" for text in lines) + BODY)


def framed(name, *lines, body=b"2\r\n{}\r\n0\r\n\r\n"):
    """A request with its own framing *lines*: refused."""
    return refused(
        name, HEAD + COMMON + b"".join(text + b"\r\n" for text in lines) + b"\r\n" + body
    )


def chunks(name, body):
    """A chunked body that is none: refused."""
    return refused(name, HEAD + COMMON + CHUNKED + body)


LENGTHS = [
    framed("CL.TE", b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nG"),
    framed(
        "TE.CL",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 3",
        body=b"8\r\nSMUGGLED\r\n0\r\n\r\n",
    ),
    framed("CL zero and TE", b"Content-Length: 0", b"Transfer-Encoding: chunked"),
    framed("TE.TE", b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    framed("TE twice", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    framed("TE list with identity", b"Transfer-Encoding: chunked, identity"),
    framed("TE list with gzip", b"Transfer-Encoding: gzip, chunked"),
    framed("TE identity", b"Transfer-Encoding: identity"),
    framed("TE xchunked", b"Transfer-Encoding: xchunked"),
    framed("TE quoted", b'Transfer-Encoding: "chunked"'),
    framed("TE with a parameter", b"Transfer-Encoding: chunked;q=1"),
    framed("TE empty", b"Transfer-Encoding:"),
    framed("TE with a comma", b"Transfer-Encoding: chunked,"),
    framed("TE after a vertical tab", b"Transfer-Encoding: \x0bchunked"),
    framed("TE with a space before the colon", b"Transfer-Encoding : chunked"),
    framed("TE with a tab before the colon", b"Transfer-Encoding\t: chunked"),
    framed("TE folded", b"Transfer-Encoding:", b" chunked"),
    framed("TE underscored", b"Transfer_Encoding: chunked", b"Content-Length: 2", body=b"{}"),
    framed("TE behind a bare CR", b"X: a\rTransfer-Encoding: chunked", b"Content-Length: 2"),
    framed("TE behind a bare LF", b"X: a\nTransfer-Encoding: chunked", b"Content-Length: 2"),
    framed("TE behind a NUL", b"X: a\0", b"Transfer-Encoding: chunked"),
    framed("CL underscored", b"Content_Length: 2", body=b"{}"),
    framed("CL twice, different", b"Content-Length: 2", b"Content-Length: 3", body=b"{}"),
    framed("CL twice, the same", b"Content-Length: 2", b"Content-Length: 2", body=b"{}"),
    framed("CL list", b"Content-Length: 2, 2", body=b"{}"),
    framed("CL with a plus", b"Content-Length: +2", body=b"{}"),
    framed("CL negative", b"Content-Length: -2", body=b"{}"),
    framed("CL hex", b"Content-Length: 0x2", body=b"{}"),
    framed("CL decimal point", b"Content-Length: 2.0", body=b"{}"),
    framed("CL exponent", b"Content-Length: 2e0", body=b"{}"),
    framed("CL underscore between digits", b"Content-Length: 0_2", body=b"{}"),
    framed("CL two numbers", b"Content-Length: 2 2", body=b"{}"),
    framed("CL empty", b"Content-Length:", body=b"{}"),
    framed("CL Arabic digit", "Content-Length: ٢".encode(), body=b"{}"),
    framed("CL of 19 digits", b"Content-Length: 9223372036854775809", body=b"{}"),
    framed("CL that wraps around", b"Content-Length: 18446744073709551618", body=b"{}"),
    refused("HTTP/1.0 and TE", HEAD.replace(b"1.1", b"1.0") + COMMON + CHUNKED + b"0\r\n\r\n"),
    fine("CL with leading zeros", HEAD + COMMON + b"Content-Length: 002\r\n\r\n{}"),
    fine("TE in capitals", HEAD + COMMON + CHUNKED.upper() + b"2\r\n{}\r\n0\r\n\r\n"),
    fine(
        "TE between blanks",
        HEAD + COMMON + b"Transfer-Encoding: \t chunked \t\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    Request("no length is no body", HEAD + COMMON + b"\r\n", (200, 200), 2, (b"",)),
    Request("length zero", HEAD + COMMON + b"Content-Length: 0\r\n\r\n", (200, 200), 2, (b"",)),
    Request("no chunk", HEAD + COMMON + CHUNKED + b"0\r\n\r\n", (200, 200), 2, (b"",)),
    Request(
        "body longer than its length", HEAD + COMMON + BODY + b"X" * 10 + b"\r\n", (200, 400), 1
    ),
    Request(
        "half a request behind a body",
        HEAD + COMMON + BODY + b"GET /secret HTTP/1.1\r\nX: ",
        (200, 404),
        1,
    ),
]

CHUNKS = [
    chunks("size in 0x", b"0x2\r\n{}\r\n0\r\n\r\n"),
    chunks("size with a plus", b"+2\r\n{}\r\n0\r\n\r\n"),
    chunks("size negative", b"-2\r\n{}\r\n0\r\n\r\n"),
    chunks("size after a space", b" 2\r\n{}\r\n0\r\n\r\n"),
    chunks("size before a space", b"2 \r\n{}\r\n0\r\n\r\n"),
    chunks("size before a tab", b"2\t\r\n{}\r\n0\r\n\r\n"),
    chunks("last size before a space", b"2\r\n{}\r\n0 \r\n\r\n"),
    chunks("size empty", b"\r\n{}\r\n0\r\n\r\n"),
    chunks("size no hex", b"g\r\n{}\r\n0\r\n\r\n"),
    chunks("size with an underscore", b"0_2\r\n{}\r\n0\r\n\r\n"),
    chunks("size of nine digits", b"100000002\r\n{}\r\n0\r\n\r\n"),
    chunks("size that wraps around", b"10000000000000002\r\n{}\r\n0\r\n\r\n"),
    chunks("size ended by LF", b"2\n{}\r\n0\r\n\r\n"),
    chunks("size ended by CR", b"2\r{}\r\n0\r\n\r\n"),
    chunks("size ended by CR CR LF", b"2\r\r\n{}\r\n0\r\n\r\n"),
    chunks("chunk without its end", b"2\r\n{}0\r\n\r\n"),
    chunks("chunk ended by LF", b"2\r\n{}\n0\r\n\r\n"),
    chunks("chunk longer than its size", b"2\r\n{}}\r\n0\r\n\r\n"),
    chunks("extension with a bare LF", b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
    chunks("extension with a bare CR", b"2;a\rb\r\n{}\r\n0\r\n\r\n"),
    chunks("extension with a NUL", b"2;a\0b\r\n{}\r\n0\r\n\r\n"),
    chunks("extension of 300 bytes", b"2;" + b"a" * 300 + b"\r\n{}\r\n0\r\n\r\n"),
    chunks("last chunk ended by LF", b"2\r\n{}\r\n0\n\n"),
    chunks("trailer without a colon", b"2\r\n{}\r\n0\r\nabc\r\n\r\n"),
    chunks("trailer folded", b"2\r\n{}\r\n0\r\nA: b\r\n c\r\n\r\n"),
    chunks("trailer ended by LF", b"2\r\n{}\r\n0\r\nA: b\n\r\n\r\n"),
    chunks("trailer with a NUL", b"2\r\n{}\r\n0\r\nA: \0\r\n\r\n"),
    chunks("21 trailers", b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 21 + b"\r\n"),
    chunks("9000 bytes of trailer", b"2\r\n{}\r\n0\r\nA: " + b"b" * 9000 + b"\r\n\r\n"),
    fine("extension", HEAD + COMMON + CHUNKED + b"2;a=b\r\n{}\r\n0\r\n\r\n"),
    fine("size with leading zeros", HEAD + COMMON + CHUNKED + b"0002\r\n{}\r\n000\r\n\r\n"),
    fine("one byte a chunk", HEAD + COMMON + CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
    fine(
        "trailers that would be framing",
        HEAD
        + COMMON
        + CHUNKED
        + b"2\r\n{}\r\n0\r\nContent-Length: 9\r\nHost: b\r\nX-Target-URL: b\r\n\r\n",
    ),
]

LINES = [
    refused("HTTP/0.9", b"GET /api/v1/x\r\n"),
    refused("HTTP/1.2", HEAD.replace(b"1.1", b"1.2") + COMMON + BODY),
    refused("HTTP/2.0", HEAD.replace(b"1.1", b"2.0") + COMMON + BODY),
    refused("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    refused("HTTP/01.1", HEAD.replace(b"1.1", b"01.1") + COMMON + BODY),
    refused("http in lower case", HEAD.replace(b"HTTP", b"http") + COMMON + BODY),
    refused("version missing", b"POST /api/v1/x\r\n" + COMMON + BODY),
    refused("blank behind the version", HEAD[:-2] + b" \r\n" + COMMON + BODY),
    refused("two blanks", HEAD.replace(b" ", b"  ") + COMMON + BODY),
    refused("tabs for blanks", HEAD.replace(b" ", b"\t") + COMMON + BODY),
    refused("blank before the method", b" " + HEAD + COMMON + BODY),
    refused("two empty lines first", b"\r\n\r\n" + HEAD + COMMON + BODY),
    refused("bare LF first", b"\n" + HEAD + COMMON + BODY),
    refused("request line ended by LF", HEAD[:-2] + b"\n" + COMMON + BODY),
    refused("request line ended by CR", HEAD[:-2] + b"\r" + COMMON + BODY),
    refused("all lines ended by LF", (HEAD + COMMON + BODY).replace(b"\r\n", b"\n") + b"\r\n\r\n"),
    refused("NUL in the method", b"PO\0ST" + HEAD[4:] + COMMON + BODY),
    refused("method not a token", b"PO(ST" + HEAD[4:] + COMMON + BODY),
    refused("method of 33 letters", b"A" * 33 + HEAD[4:] + COMMON + BODY),
    refused("non-ASCII in the path", HEAD.replace(b"/x", b"/\xc3\xa9") + COMMON + BODY),
    refused("NUL in the path", HEAD.replace(b"/x", b"/\0x") + COMMON + BODY),
    refused("relative path", HEAD.replace(b" /api", b" api") + COMMON + BODY),
    refused("absolute-form", HEAD.replace(b" /", b" http://127.0.0.2:{up}/") + COMMON + BODY),
    refused("absolute-form for us", HEAD.replace(b" /", b" http://a/") + COMMON + BODY),
    refused("authority-form", b"CONNECT 127.0.0.2:{up} HTTP/1.1\r\nHost: a\r\n\r\n"),
    refused("CONNECT in origin-form", b"CONNECT /api/v1/x HTTP/1.1\r\n" + COMMON + b"\r\n"),
    refused("asterisk-form for POST", HEAD.replace(b"/api/v1/x", b"*") + COMMON + BODY),
    refused("no Host", HEAD + REST + BODY),
    line("Host twice", b"Host: a"),
    line("Host twice, another", b"Host: b"),
    *(
        refused(f"Host {what}", HEAD + b"Host: " + value + b"\r\n" + REST + BODY)
        for what, value in (
            ("empty", b""),
            ("with a path", b"a/b"),
            ("with userinfo", b"a@b"),
            ("list", b"a, b"),
            ("with a blank", b"a b"),
            ("with a word for a port", b"a:http"),
            ("with a query", b"a?b"),
            ("with half a bracket", b"[::1"),
            ("non-ASCII", "é".encode()),
            ("with a percent sign", b"a%2fb"),
        )
    ),
    line("no colon", b"abc"),
    line("empty name", b": abc"),
    line("blank in a name", b"A b: c"),
    line("non-ASCII name", "é: c".encode()),
    line("control byte in a value", b"A: b\x01c"),
    line("DEL in a value", b"A: b\x7fc"),
    line("NUL in a value", b"A: b\0c"),
    line("NUL in a name", b"A\0b: c"),
    line("bare CR in a value", b"A: b\rc"),
    line("bare LF in a value", b"A: b\nc"),
    line("folded value", b"A: b", b" c"),
    line("folded with a tab", b"A: b", b"\tc"),
    refused("first line folded", HEAD + b" A: b\r\n" + COMMON + BODY),
    refused("all lines but the first ended by LF", HEAD + (COMMON + BODY).replace(b"\r\n", b"\n")),
    refused("last line ended by LF", HEAD + COMMON + BODY.replace(b"\r\n", b"\n")),
    refused("all lines but the first ended by CR", HEAD + (COMMON + BODY).replace(b"\r\n", b"\r")),
    *(
        fine(f"Upgrade {what}", HEAD + COMMON + lines + BODY)
        for what, lines in (
            ("to websocket", b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
            ("to h2c", b"Connection: Upgrade, HTTP2-Settings\r\n" + H2C),
            ("to h2c that Connection does not name", H2C),
            ("to three", b"Connection: upgrade\r\nUpgrade: h2c, websocket\r\nUpgrade: TLS/1.2\r\n"),
            ("that is not there", b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        )
    ),
    line("X_Target_URL", b"X_Target_URL: http://127.0.0.2:{up}/"),
    line("X_Forwarded_For", b"X_Forwarded_For: 127.0.0.1"),
    line("Content_Type", b"Content_Type: text/html"),
    refused("34 KB of header", HEAD + COMMON + b"A: " + b"b" * 34_000 + b"\r\n" + BODY, 431),
    refused("34 KB of name", HEAD + COMMON + b"a" * 34_000 + b": b\r\n" + BODY, 431),
    refused("34 KB of blanks", HEAD + COMMON + b"A:" + b" " * 34_000 + b"\r\n" + BODY, 431),
    refused("101 header lines", HEAD + COMMON + b"A: b\r\n" * 97 + BODY, 431),
    refused("8 KB of path", HEAD.replace(b"/x", b"/" + b"x" * 8200) + COMMON + BODY, 414),
    refused("8 KB of query", HEAD.replace(b"/x", b"/x?" + b"x" * 8200) + COMMON + BODY, 414),
    fine("8192 bytes of query", HEAD.replace(b"/x", b"/x?" + b"x" * 8192) + COMMON + BODY),
    fine("100 header lines", HEAD + COMMON + b"A: b\r\n" * 96 + BODY),
    fine("31 KB of blanks", HEAD + COMMON + b"A:" + b" " * 31_000 + b"\r\n" + BODY),
    fine("one empty line first", b"\r\n" + HEAD + COMMON + BODY),
    fine("value of high bytes", HEAD + COMMON + b"A: \xff\xfe\r\n" + BODY),
    fine("Upgrade-Insecure-Requests", HEAD + COMMON + b"Upgrade-Insecure-Requests: 1\r\n" + BODY),
    Request("HTTP/1.0 without Host", HEAD.replace(b"1.1", b"1.0") + REST + BODY, (421,), 0),
]

FRAMING = [*LENGTHS, *CHUNKS, *LINES]
