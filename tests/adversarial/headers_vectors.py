"""Requests that are well framed and mean harm: header lines, bodies, paths.

``evil`` stands wherever something must not reach the upstream.
"""

from __future__ import annotations

from attrs import frozen

from .requests_vectors import BODY, CHUNKED, COMMON, HEAD, TARGET

JSON = b"Content-Type: application/json\r\n"
_CLOSE = b"Connection: close\r\n"


@frozen
class Sent:
    """One request on its own connection.

    :ivar statuses: of the answers, interim ones included.
    :ivar sent: requests that the upstream gets.
    """

    name: str
    raw: bytes
    statuses: tuple[int, ...] = (200,)
    sent: int = 1


def lines(name, *more):
    """A good request with further lines goes through, and they stay here."""
    raw = HEAD + COMMON + _CLOSE + b"".join(text + b"\r\n" for text in more) + BODY
    return Sent(name, raw)


def refused(name, raw, status=400):
    """Nothing goes upstream."""
    return Sent(name, raw, (status,), 0)


def body(name, data, status=400):
    """A body of JSON, or not."""
    head = HEAD + COMMON + _CLOSE + b"Content-Length: %d\r\n\r\n" % len(data)
    return Sent(name, head + data, (status,), 1 if status == 200 else 0)


def path(name, written, status=404):
    """Another spelling of the route's path."""
    raw = HEAD.replace(b"/api/v1/x", written) + COMMON + _CLOSE + BODY
    return Sent(name, raw, (status,), 1 if status == 200 else 0)


DROPPED = [
    *(
        lines(f"dropped: {line.decode('latin-1')}", line)
        for line in (
            b"Authorization: Bearer evil",
            b"authorization: Basic evil",
            b"AUTHORIZATION: Digest evil",
            b"aUtHoRiZaTiOn:evil",
            b"Proxy-Authorization: Basic evil",
            b"Cookie: session=evil",
            b"Cookie2: evil",
            b"Origin: http://evil",
            b"Referer: http://evil/",
            b"X-Forwarded-For: evil",
            b"X-Forwarded-Host: evil",
            b"X-Forwarded-Proto: evil",
            b"Forwarded: for=evil",
            b"X-Real-IP: evil",
            b"X-Original-URL: /evil",
            b"X-Rewrite-URL: /evil",
            b"X-HTTP-Method-Override: EVIL",
            b"X-CSRF-Token: evil",
            b"X-WHIP-URL: http://evil/",
            b"Via: 1.1 evil",
            b"TE: trailers, evil",
            b"Trailer: evil",
            b"Keep-Alive: evil",
            b"Upgrade: evil",
            b"HTTP2-Settings: evil",
            b"User-Agent: evil",
            b"X-Request-ID: evil evil",
            b"X-Request-ID: evil" + b"e" * 300,
            b"Accept-Encoding: evil",
            b"Max-Forwards: evil",
            b"Api-Key: evil",
            b"Api_Key: Evil key",
            b"Expect: 200-evil",
            b"X-Authorization: Bearer evil",
        )
    ),
    lines("two Authorization lines", b"Authorization: Bearer evil", b"Authorization: Bearer evil"),
    lines("Connection names the key", b"Connection: Authorization"),
    lines("Connection names the target", b"Connection: X-Target-URL"),
    lines("Connection names the type", b"Connection: Content-Type"),
    lines("Connection names the length", b"Connection: Content-Length"),
    lines("Connection names Host", b"Connection: Host"),
    lines("Connection names what is passed on", b"Connection: Accept", b"Accept: evil"),
    lines("the same over two lines", b"Connection: a,", b"Connection: ,accept", b"Accept: evil"),
    lines("Connection names Upgrade", b"Connection: Upgrade"),
    lines("Connection of 1000 commas", b"Connection: " + b"," * 1000),
]

MEANINGS = [
    refused("X-Target-URL twice", HEAD + COMMON + TARGET + _CLOSE + BODY),
    refused("X-Target-URL missing", HEAD + b"Host: a\r\n" + JSON + _CLOSE + BODY),
    refused("type twice", HEAD + COMMON + JSON + _CLOSE + BODY, 415),
    refused(
        "type twice, another", HEAD + COMMON + b"Content-Type: text/html\r\n" + _CLOSE + BODY, 415
    ),
    refused("type missing", HEAD + b"Host: a\r\n" + TARGET + _CLOSE + BODY, 415),
    *(
        refused(
            f"type {kind.decode()}",
            HEAD + b"Host: a\r\nContent-Type: " + kind + b"\r\n" + TARGET + _CLOSE + BODY,
            415,
        )
        for kind in (
            b"text/plain",
            b"multipart/form-data; boundary=a",
            b"application/x-www-form-urlencoded",
            b"application/json, text/html",
            b"text/html; application/json",
            b"application/jsonp",
            b"application/json/x",
            b"*/*",
        )
    ),
    Sent(
        "type in capitals",
        HEAD + COMMON.replace(b"application/json", b"APPLICATION/JSON") + _CLOSE + BODY,
    ),
    Sent(
        "HTTP/1.0 keep-alive",
        HEAD.replace(b"1.1", b"1.0") + COMMON + b"Connection: keep-alive\r\n" + BODY,
    ),
    Sent("100-continue with its body", HEAD + COMMON + _CLOSE + b"Expect: 100-continue\r\n" + BODY),
    refused(
        "100-continue for a target refused",
        HEAD
        + b"Host: a\r\n"
        + JSON
        + b"X-Target-URL: http://evil/\r\nExpect: 100-continue\r\n"
        + _CLOSE
        + b"Content-Length: 2\r\n\r\n",
    ),
    refused(
        "100-continue for a body too large",
        HEAD + COMMON + b"Expect: 100-continue\r\n" + _CLOSE + b"Content-Length: 2000000\r\n\r\n",
        413,
    ),
    refused(
        "length over the limit", HEAD + COMMON + _CLOSE + b"Content-Length: 1048577\r\n\r\n", 413
    ),
    refused(
        "length of 15 digits",
        HEAD + COMMON + _CLOSE + b"Content-Length: 999999999999999\r\n\r\n",
        413,
    ),
    refused(
        "chunks over the limit",
        HEAD + COMMON + _CLOSE + CHUNKED + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 17,
        413,
    ),
    Sent("chunks of nothing", HEAD + COMMON + _CLOSE + CHUNKED + b"0\r\n\r\n"),
    Sent("length of nothing", HEAD + COMMON + _CLOSE + b"Content-Length: 0\r\n\r\n"),
    Sent(
        "OPTIONS for the server", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n" + _CLOSE + b"\r\n", (404,), 0
    ),
    refused("post in lower case", b"post" + HEAD[4:] + COMMON + _CLOSE + BODY, 405),
    refused("GET with a body", b"GET" + HEAD[4:] + COMMON + _CLOSE + BODY, 405),
    refused("TRACE", b"TRACE" + HEAD[4:] + COMMON + _CLOSE + BODY, 405),
    refused("TRACK", b"TRACK" + HEAD[4:] + COMMON + _CLOSE + BODY, 405),
    refused("PRI", b"PRI" + HEAD[4:] + COMMON + _CLOSE + BODY, 405),
    refused("POSTX", b"POSTX" + HEAD[4:] + COMMON + _CLOSE + BODY, 405),
]

BODIES = [
    body("deep lists", b"[" * 500_000),
    body("deep objects", b'{"a":' * 200_000),
    body("deep and closed", b"[" * 100_000 + b"]" * 100_000),
    body("NaN", b'{"a": NaN}'),
    body("Infinity", b"-Infinity"),
    body("byte order mark", b"\xef\xbb\xbf{}"),
    body("UTF-16", "{}".encode("utf-16")),
    body("half a character", b'"\xc3"'),
    body("overlong UTF-8", b'"\xc0\xaf"'),
    body("surrogate in UTF-8", b'"\xed\xa0\x80"'),
    body("NUL", b"\0"),
    body("blanks", b"   "),
    body("two texts", b"{}{}"),
    body("line break in a string", b'"a\nb"'),
    body("single quotes", b"{'a': 1}"),
    body("comment", b"{} // evil"),
    body("leading zero", b"01"),
    body("hex", b"0x1f"),
    body("evil as a word", b"evil"),
    body("a form", b"a=b&c=d"),
    body("a megabyte of digits", b"1" * 1_048_576, 200),
    body("a megabyte of fraction", b"0." + b"1" * 1_000_000, 200),
    body("a number with a huge exponent", b"1e999999999", 200),
    body("a megabyte of lists", b"[" + b"[]," * 340_000 + b"[]]", 200),
    body("a megabyte of keys", b"{" + b'"a":1,' * 170_000 + b'"a":1}', 200),
    body("a megabyte of escapes", b'"' + b"\\u0041" * 170_000 + b'"', 200),
    body("lone surrogate escape", b'"\\ud800"', 200),
    body("a key of another kind", b'{"__proto__": {"a": 1}}', 200),
]

PATHS = [
    path("closing slash", b"/api/v1/x/", 200),
    path("parameter", b"/api/v1/x;a=b"),
    path("dot segments", b"/api/v1/y/../x"),
    path("encoded dot segments", b"/api/v1/y/%2e%2e/x"),
    path("encoded slash", b"/api/v1%2fx"),
    path("NUL", b"/api/v1/x%00"),
    path("line break", b"/api/v1/x%0a"),
    path("capitals", b"/API/V1/X"),
    path("two slashes first", b"//api/v1/x"),
    path("backslashes", b"/api\\v1\\x"),
    path("not UTF-8", b"/api/v1/%ff"),
    path("overlong slash", b"/api/v1%c0%afx"),
    path("health below", b"/healthz/../api/v1/x"),
    path("fragment", b"/api/v1/x#a"),
    path("long", b"/api/v1/" + b"a/" * 4000),
    path("encoded letter", b"/api/v1/%78", 200),
    path("target in the query", b"/api/v1/x?X-Target-URL=http://evil/&target=http://evil/", 200),
]
