"""Raw requests, valid, odd and hostile, for servers that may read them differently.

Each has a name, a verdict that is ours (``VALID``: taken; ``HOSTILE``: refused, no upstream asked;
``ODD``: free, as long as nobody reads it differently) and its bytes, in which ``%P`` stands for
:data:`PATH`.
Sources: RFC 9110 and 9112, and published request smuggling attacks (CL.TE, TE.CL, TE.TE, CL.0).
"""

VALID, ODD, HOSTILE = "valid", "odd", "hostile"

PATH = b"/api/v1/echo"

_H = b"Host: a.example\r\n"
_POST = b"POST %P/p HTTP/1.1\r\n" + _H
_GET = b"GET %P/g HTTP/1.1\r\n" + _H
_TYPE = b"Content-Type: text/plain\r\n"
_NEXT = b"GET %P/smuggled HTTP/1.1\r\n" + _H + b"\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_END = b"\r\n3\r\nabc\r\n0\r\n\r\n"


def _size(raw):
    return len(raw.replace(b"%P", PATH))


def _get(target, *lines):
    return b"GET " + target + b" HTTP/1.1\r\n" + _H + b"".join(lines) + b"\r\n"


def _post(*lines, body=b""):
    return _POST + _TYPE + b"".join(lines) + b"\r\n" + body


def _with_te(value):
    """Both lengths: by length the body is everything, by chunks it ends before _NEXT."""
    body = b"0\r\n\r\n" + _NEXT
    return _post(b"Content-Length: %d\r\n" % _size(body), value, body=body)


def _te(value):
    return _post(value, body=b"3\r\nabc\r\n0\r\n\r\n")


CORPUS = [
    # Plain and good.
    ("get", VALID, _get(b"%P/g")),
    ("get with query", VALID, _get(b"%P/g?a=1&b=%20c&d=/e?f")),
    ("get the route itself", VALID, _get(b"%P")),
    ("get with a trailing slash", VALID, _get(b"%P/g/")),
    ("get, HTTP/1.0", VALID, b"GET %P/g HTTP/1.0\r\n" + _H + b"\r\n"),
    ("get, closing", VALID, _get(b"%P/g", b"Connection: close\r\n")),
    ("post by length", VALID, _post(b"Content-Length: 3\r\n", body=b"abc")),
    ("post by chunks", VALID, _post(_CHUNKED, body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")),
    ("post with chunk extension", VALID, _post(_CHUNKED, body=b"3;a=b\r\nabc\r\n0\r\n\r\n")),
    ("post with trailers", VALID, _post(_CHUNKED, body=b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")),
    ("post, chunk size with zeros", ODD, _post(_CHUNKED, body=b"0003\r\nabc\r\n000\r\n\r\n")),
    ("post, empty", ODD, _post(b"Content-Length: 0\r\n")),
    ("post, length with zeros", ODD, _post(b"Content-Length: 0003\r\n", body=b"abc")),
    ("put", VALID, b"PUT %P/p HTTP/1.1\r\n" + _H + b"Content-Length: 2\r\n\r\nab"),
    ("delete", VALID, b"DELETE %P/p HTTP/1.1\r\n" + _H + b"\r\n"),
    ("two pipelined gets", VALID, _get(b"%P/g") + _get(b"%P/h")),
    ("post and pipelined get", VALID, _post(b"Content-Length: 3\r\n", body=b"abc") + _get(b"%P/h")),
    ("chunked post and get", VALID, _post(_CHUNKED, body=b"1\r\na\r\n0\r\n\r\n") + _get(b"%P/h")),
    ("get with a body", ODD, _GET + b"Content-Length: 3\r\n\r\nabc"),
    ("get with a chunked body", ODD, _GET + _CHUNKED + _END),
    ("get, CL.0", ODD, _GET + b"Content-Length: %d\r\n\r\n" % _size(_NEXT) + _NEXT),
    ("host with port", VALID, b"GET %P/g HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"),
    ("lower-case header names", VALID, b"GET %P/g HTTP/1.1\r\nhost: a.example\r\n\r\n"),
    ("no blank after the colon", VALID, b"GET %P/g HTTP/1.1\r\nHost:a.example\r\n\r\n"),
    ("tab after the colon", ODD, b"GET %P/g HTTP/1.1\r\nHost:\ta.example\r\n\r\n"),
    ("one stray CRLF before", ODD, b"\r\n" + _get(b"%P/g")),
    ("latin-1 in a value", ODD, _get(b"%P/g", b"X-A: caf\xe9\r\n")),
    ("empty value", VALID, _get(b"%P/g", b"X-A:\r\n")),
    ("expect", ODD, _post(b"Expect: 100-continue\r\nContent-Length: 3\r\n", body=b"abc")),
    ("expect something else", ODD, _post(b"Expect: tea\r\nContent-Length: 3\r\n", body=b"abc")),
    ("post, CL.0", ODD, _post(b"Content-Length: %d\r\n" % _size(_NEXT), body=_NEXT)),
    ("length before its own blank line", ODD, _post(b"Content-Length: 5\r\n", body=b"\r\nabc")),
    ("method override", ODD, _get(b"%P/g", b"X-HTTP-Method-Override: DELETE\r\n")),
    ("rewritten target", ODD, _get(b"%P/g", b"X-Original-URL: /admin\r\nX-Rewrite-URL: /a\r\n")),
    ("a hundred headers", ODD, _get(b"%P/g", b"X-A: b\r\n" * 90)),
    ("query of odd bytes", ODD, _get(b"%P/g?%00%0d%0a%2e%2e/;|")),
    ("question mark twice", ODD, _get(b"%P?a?b=/../c")),
    # Paths that two servers could resolve differently.
    ("double slash", ODD, _get(b"%P//g")),
    ("dot segment", ODD, _get(b"%P/./g")),
    ("dot-dot segment", HOSTILE, _get(b"%P/../../admin")),
    ("encoded dot-dot", HOSTILE, _get(b"%P/%2e%2e/%2e%2e/admin")),
    ("encoded slash", VALID, _get(b"%P/a%2fb")),
    ("encoded slash that climbs", HOSTILE, _get(b"%P/a%2f..%2f..%2fadmin")),
    ("doubled slash", VALID, _get(b"%P/a//b")),
    ("parameter", VALID, _get(b"%P/a;v=1")),
    ("encoded line break", VALID, _get(b"%P/a%0Ab")),
    ("backslash", ODD, _get(b"%P/a\\..\\b")),
    ("encoded backslash", ODD, _get(b"%P/a%5cb")),
    ("path parameters", ODD, _get(b"%P/..;/admin")),
    ("encoded NUL", ODD, _get(b"%P/a%00b")),
    ("encoded CRLF", ODD, _get(b"%P/a%0d%0aX-A:%20b")),
    ("bad percent", ODD, _get(b"%P/%zz")),
    ("fragment", ODD, _get(b"%P/g#frag")),
    ("pipe and quotes", VALID, _get(b"%P/a|b\"<>^`{}")),
    ("JSON in the query", VALID, _get(b'%P/g?filter={"a":1}&t=a|b^`[c]')),
    ("backslash in the query", VALID, _get(b"%P/g?a\\b")),
    ("lone percent in the query", VALID, _get(b"%P/g?a=50%&b=%zz")),
    ("lone percent in the path", ODD, _get(b"%P/100%/a")),
    ("raw UTF-8", HOSTILE, _get("%P/é".encode())),
    ("absolute form", HOSTILE, _get(b"http://a.example%P/g")),
    ("absolute form of another host", HOSTILE, _get(b"http://b.example%P/g")),
    ("no slash", HOSTILE, _get(b"g")),
    ("asterisk with GET", HOSTILE, _get(b"*")),
    ("blank in the path", HOSTILE, _get(b"%P/a b")),
    ("tab in the path", HOSTILE, _get(b"%P/a\tb")),
    # Lengths that contradict.
    ("CL.TE", HOSTILE, _with_te(_CHUNKED)),
    ("TE before CL", HOSTILE, _post(_CHUNKED, b"Content-Length: 3\r\n", body=_END[2:] + _NEXT)),
    ("two lengths", HOSTILE, _post(b"Content-Length: 3\r\nContent-Length: 4\r\n", body=b"abcd")),
    ("the same length twice", HOSTILE, _post(b"Content-Length: 3\r\n" * 2, body=b"abc")),
    ("list of lengths", HOSTILE, _post(b"Content-Length: 3, 3\r\n", body=b"abc")),
    ("signed length", HOSTILE, _post(b"Content-Length: +3\r\n", body=b"abc")),
    ("negative length", HOSTILE, _post(b"Content-Length: -3\r\n", body=b"abc")),
    ("hex length", HOSTILE, _post(b"Content-Length: 0x3\r\n", body=b"abc")),
    ("underscored digits", HOSTILE, _post(b"Content-Length: 1_0\r\n", body=b"0123456789")),
    ("empty length", HOSTILE, _post(b"Content-Length:\r\n", body=_NEXT)),
    ("huge length", HOSTILE, _post(b"Content-Length: 99999999999999999999\r\n", body=b"abc")),
    ("length with a blank inside", HOSTILE, _post(b"Content-Length: 3 3\r\n", body=b"abc")),
    ("blank before the colon", HOSTILE, _post(b"Content-Length : 3\r\n", body=b"abc")),
    ("underscored length", HOSTILE, _post(b"Content_Length: 40\r\n", body=_NEXT)),
    # Transfer-Encoding in disguise.
    ("te with xchunked", HOSTILE, _te(b"Transfer-Encoding: xchunked\r\n")),
    ("te upper case", ODD, _te(b"TRANSFER-ENCODING: CHUNKED\r\n")),
    ("te trailing blank", ODD, _te(b"Transfer-Encoding: chunked \r\n")),
    ("te leading tab", ODD, _te(b"Transfer-Encoding:\tchunked\r\n")),
    ("te vertical tab", HOSTILE, _te(b"Transfer-Encoding: \x0bchunked\r\n")),
    ("te quoted", HOSTILE, _te(b'Transfer-Encoding: "chunked"\r\n')),
    ("te blank before the colon", HOSTILE, _with_te(b"Transfer-Encoding : chunked\r\n")),
    ("te identity", HOSTILE, _te(b"Transfer-Encoding: identity\r\n")),
    ("te chunked, identity", HOSTILE, _te(b"Transfer-Encoding: chunked, identity\r\n")),
    ("te gzip, chunked", HOSTILE, _te(b"Transfer-Encoding: gzip, chunked\r\n")),
    ("te twice", HOSTILE, _te(_CHUNKED + _CHUNKED)),
    ("te twice, other first", HOSTILE, _te(b"Transfer-Encoding: cow\r\n" + _CHUNKED)),
    ("te with a parameter", HOSTILE, _te(b"Transfer-Encoding: chunked;a=b\r\n")),
    ("te with a comma", HOSTILE, _te(b"Transfer-Encoding: ,chunked\r\n")),
    ("te empty", HOSTILE, _te(b"Transfer-Encoding:\r\n")),
    ("te folded", HOSTILE, _te(b"Transfer-Encoding:\r\n chunked\r\n")),
    ("te after a bare CR", HOSTILE, _with_te(b"X: y\rTransfer-Encoding: chunked\r\n")),
    ("te after a bare LF", HOSTILE, _with_te(b"X: y\nTransfer-Encoding: chunked\r\n")),
    ("te underscored", HOSTILE, _with_te(b"Transfer_Encoding: chunked\r\n")),
    ("te in HTTP/1.0", HOSTILE, b"POST %P/p HTTP/1.0\r\n" + _H + _TYPE + _CHUNKED + _END),
    # Chunks.
    ("chunk size signed", HOSTILE, _post(_CHUNKED, body=b"+3\r\nabc\r\n0\r\n\r\n")),
    ("chunk size 0x", HOSTILE, _post(_CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n")),
    ("chunk size huge", HOSTILE, _post(_CHUNKED, body=b"10000000000000003\r\nabc\r\n0\r\n\r\n")),
    ("chunk size with blanks before", HOSTILE, _post(_CHUNKED, body=b" 3\r\nabc\r\n0\r\n\r\n")),
    ("chunk size with blanks after", ODD, _post(_CHUNKED, body=b"3 \r\nabc\r\n0\r\n\r\n")),
    ("chunk size empty", HOSTILE, _post(_CHUNKED, body=b"\r\nabc\r\n0\r\n\r\n")),
    ("chunk ends in LF", HOSTILE, _post(_CHUNKED, body=b"3\nabc\n0\n\n")),
    ("chunk too long", HOSTILE, _post(_CHUNKED, body=b"3\r\nabcde\r\n0\r\n\r\n")),
    ("LF in a chunk extension", HOSTILE, _post(_CHUNKED, body=b"3;a\nxx\r\nabc\r\n0\r\n\r\n")),
    ("CR in a chunk extension", HOSTILE, _post(_CHUNKED, body=b"3;a\rxx\r\nabc\r\n0\r\n\r\n")),
    ("folded trailer", HOSTILE, _post(_CHUNKED, body=b"1\r\na\r\n0\r\nX: a\r\n b\r\n\r\n")),
    ("length in a trailer", ODD, _post(_CHUNKED, body=b"1\r\na\r\n0\r\nContent-Length: 9\r\n\r\n")),
    # Heads.
    ("bare LF after the first line", HOSTILE, b"GET %P/g HTTP/1.1\r\nHost: a.example\n\n"),
    ("bare LF lines", HOSTILE, _get(b"%P/g").replace(b"\r\n", b"\n")),
    ("folded header", HOSTILE, _get(b"%P/g", b"X-A: b\r\n c\r\n")),
    ("NUL in a value", HOSTILE, _get(b"%P/g", b"X-A: b\0c\r\n")),
    ("control byte in a value", HOSTILE, _get(b"%P/g", b"X-A: b\x01c\r\n")),
    ("control byte in a name", HOSTILE, _get(b"%P/g", b"X\x01A: b\r\n")),
    ("no colon", HOSTILE, _get(b"%P/g", b"X-A\r\n")),
    ("empty name", HOSTILE, _get(b"%P/g", b": b\r\n")),
    ("space before the first header", HOSTILE, b"GET %P/g HTTP/1.1\r\n X: y\r\n" + _H + b"\r\n"),
    ("no host", HOSTILE, b"GET %P/g HTTP/1.1\r\n\r\n"),
    ("two hosts", HOSTILE, _get(b"%P/g", b"Host: b.example\r\n")),
    ("the same host twice", HOSTILE, _get(b"%P/g", _H)),
    ("empty host", HOSTILE, b"GET %P/g HTTP/1.1\r\nHost:\r\n\r\n"),
    ("host with userinfo", HOSTILE, b"GET %P/g HTTP/1.1\r\nHost: a@b.example\r\n\r\n"),
    ("host with a path", HOSTILE, b"GET %P/g HTTP/1.1\r\nHost: a.example/b\r\n\r\n"),
    ("list of hosts", HOSTILE, b"GET %P/g HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n"),
    ("HTTP/0.9", HOSTILE, b"GET %P/g\r\n\r\n"),
    ("HTTP/1.2", HOSTILE, b"GET %P/g HTTP/1.2\r\n" + _H + b"\r\n"),
    ("HTTP/2.0", HOSTILE, b"GET %P/g HTTP/2.0\r\n" + _H + b"\r\n"),
    ("lower-case version", HOSTILE, b"GET %P/g http/1.1\r\n" + _H + b"\r\n"),
    ("two blanks in the line", HOSTILE, b"GET  %P/g HTTP/1.1\r\n" + _H + b"\r\n"),
    ("tab in the line", HOSTILE, b"GET\t%P/g\tHTTP/1.1\r\n" + _H + b"\r\n"),
    ("blank after the version", HOSTILE, b"GET %P/g HTTP/1.1 \r\n" + _H + b"\r\n"),
    ("lower-case method", HOSTILE, b"get %P/g HTTP/1.1\r\n" + _H + b"\r\n"),
    ("method with a colon", HOSTILE, b"GET: %P/g HTTP/1.1\r\n" + _H + b"\r\n"),
    ("CONNECT", HOSTILE, b"CONNECT b.example:443 HTTP/1.1\r\n" + _H + b"\r\n"),
    ("TRACE", HOSTILE, b"TRACE %P/g HTTP/1.1\r\n" + _H + b"\r\n"),
    ("upgrade to h2c", VALID, _get(b"%P/g", b"Connection: Upgrade\r\nUpgrade: h2c\r\n")),
    ("upgrade to h2c with settings", VALID, _get(b"%P/g", b"Connection: Upgrade, HTTP2-Settings\r\n"
                                                 b"Upgrade: h2c\r\nHTTP2-Settings: AAMA\r\n")),
    ("upgrade to h2c with a body", VALID, _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
                                               b"Content-Length: 3\r\n", body=b"abc")),
    ("upgrade and a next request", VALID, _get(b"%P/g", b"Upgrade: h2c\r\n") + _get(b"%P/h")),
    ("connection drops the length", ODD, _post(b"Connection: Content-Length\r\n"
                                               b"Content-Length: 3\r\n", body=b"abc")),
    ("h2 preface", HOSTILE, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("TLS hello", HOSTILE, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64)),
]  # fmt: skip
