"""Values of X-Target-URL that try to end somewhere else than where they were judged.

``{up}`` is the port of the upstream under attack, ``{sentinel}`` that of a listener on 127.0.0.1
which nobody may reach; 127.0.0.2 and ::1 listen on the upstream's port.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Target:
    """One value.

    :ivar code: of the refusal; ``""`` where the request goes through, once.
    :ivar line: the request line that the upstream gets.
    """

    name: str
    url: bytes
    code: str = "INVALID_TARGET"
    line: bytes = b""


# Visible ASCII, but what ends a URL.
VISIBLE = b"/" + bytes(range(0x21, 0x7F)).replace(b"#", b"")
HOST, PORT, SCHEME = "HOST_NOT_ALLOWED", "PORT_NOT_ALLOWED", "SCHEME_NOT_ALLOWED"

THROUGH = [
    Target("plain", b"http://127.0.0.1:{up}/v1?q=1", "", b"POST /v1?q=1 HTTP/1.1"),
    Target("a name", b"http://api.example.com:{up}/v1", "", b"POST /v1 HTTP/1.1"),
    Target("upper case", b"HTTP://API.EXAMPLE.COM:{up}/V1", "", b"POST /V1 HTTP/1.1"),
    Target("trailing dot", b"http://api.example.com.:{up}/", "", b"POST / HTTP/1.1"),
    Target("subdomain", b"http://www.sub.example.org:{up}/", "", b"POST / HTTP/1.1"),
    Target("no path", b"http://127.0.0.1:{up}", "", b"POST / HTTP/1.1"),
    Target("query without path", b"http://127.0.0.1:{up}?a", "", b"POST /?a HTTP/1.1"),
    Target(
        "at in the path", b"http://127.0.0.1:{up}/@127.0.0.2/", "", b"POST /@127.0.0.2/ HTTP/1.1"
    ),
    Target(
        "a URL in the query",
        b"http://127.0.0.1:{up}/?u=http://127.0.0.2/@a",
        "",
        b"POST /?u=http://127.0.0.2/@a HTTP/1.1",
    ),
    Target(
        "encoded line breaks stay encoded",
        b"http://127.0.0.1:{up}/a%0d%0aX-Evil:%201%0d%0a%0d%0aGET%20/b",
        "",
        b"POST /a%0d%0aX-Evil:%201%0d%0a%0d%0aGET%20/b HTTP/1.1",
    ),
    Target(
        "encoded request line in the query",
        b"http://127.0.0.1:{up}/?a%20HTTP/1.1%0d%0aHost:b",
        "",
        b"POST /?a%20HTTP/1.1%0d%0aHost:b HTTP/1.1",
    ),
    Target("encoded NUL", b"http://127.0.0.1:{up}/a%00b", "", b"POST /a%00b HTTP/1.1"),
    *(
        Target(what, b"http://127.0.0.1:{up}" + rest, "", b"POST " + rest + b" HTTP/1.1")
        for what, rest in (
            ("half an escape", b"/%2?%2"),
            ("no escape", b"/%zz/100%?a=50%&b=%u0041"),
            ("JSON in the query", b'/x?filter={"a":1}&t=a|b'),
            ("all that is visible in the path", VISIBLE.replace(b"\\", b"").replace(b"?", b"")),
            ("all that is visible in the query", b"/?" + VISIBLE),
            ("another host behind the query", b"/?\\@127.0.0.2/"),
        )
    ),
]

OTHER_HOSTS = [
    Target("another host", b"http://evil.example:{up}/", HOST),
    Target("another loopback address", b"http://127.0.0.2:{up}/", HOST),
    Target("allowed name as a prefix", b"http://api.example.com.evil.example:{up}/", HOST),
    Target("allowed name as a suffix", b"http://evilapi.example.com:{up}/", HOST),
    Target("name below an exact host", b"http://a.api.example.com:{up}/", HOST),
    Target("the suffix itself", b"http://sub.example.org:{up}/", HOST),
    Target("suffix without its dot", b"http://evilsub.example.org:{up}/", HOST),
    Target("parent of an allowed host", b"http://example.com:{up}/", HOST),
    Target("localhost", b"http://localhost:{up}/", HOST),
    Target("single label", b"http://api:{up}/", HOST),
    Target("IPv6 loopback", b"http://[::1]:{up}/", HOST),
    Target("IPv4-mapped loopback", b"http://[::ffff:127.0.0.1]:{up}/", HOST),
    Target("IPv4-mapped loopback in hex", b"http://[::ffff:7f00:1]:{up}/", HOST),
    Target("IPv4-compatible loopback", b"http://[::127.0.0.1]:{up}/", HOST),
    Target("NAT64 loopback", b"http://[64:ff9b::7f00:1]:{up}/", HOST),
    Target("unspecified address", b"http://0.0.0.0:{up}/", HOST),
    Target("metadata", b"http://169.254.169.254/latest/meta-data/", HOST),
    Target("metadata name", b"http://metadata.google.internal/", HOST),
    Target("nip.io", b"http://127.0.0.2.nip.io:{up}/", HOST),
    Target("confusable A-label", b"http://xn--80ak6aa92e.example.com:{up}/", HOST),
]

OTHER_PORTS = [
    Target("another port", b"http://127.0.0.1:{sentinel}/", PORT),
    Target("default port", b"http://127.0.0.1/", PORT),
    Target("ssh", b"http://127.0.0.1:22/", PORT),
    Target("redis", b"http://127.0.0.1:6379/", PORT),
    Target("another scheme", b"https://127.0.0.1:{up}/", SCHEME),
    Target("another scheme and port", b"https://127.0.0.1:{sentinel}/", SCHEME),
]

NUMBERS = [
    Target("decimal address", b"http://2130706434:{up}/"),
    Target("hex address", b"http://0x7f000002:{up}/"),
    Target("octal address", b"http://0177.0.0.2:{up}/"),
    Target("hex octet", b"http://127.0.0.0x2:{up}/"),
    Target("two parts", b"http://127.2:{up}/"),
    Target("three parts", b"http://127.0.2:{up}/"),
    Target("five parts", b"http://127.0.0.0.2:{up}/"),
    Target("overflowing octet", b"http://127.0.0.258:{up}/"),
    Target("leading zeros", b"http://127.0.0.002:{up}/"),
    Target("address with a trailing dot", b"http://127.0.0.1.:{up}/"),
    Target("name that ends in a number", b"http://api.example.com.1:{up}/"),
    Target("name that ends in hex", b"http://api.example.com.0x1:{up}/"),
    Target("zone identifier", b"http://[::1%25lo]:{up}/"),
    Target("unbracketed IPv6", b"http://::1:{up}/"),
    Target("IPv6 with a dangling bracket", b"http://[::1:{up}/"),
    Target("something after the bracket", b"http://[::1].example.com:{up}/"),
    Target("IPvFuture", b"http://[v1.fe80::a]:{up}/"),
]

AUTHORITIES = [
    Target("userinfo", b"http://127.0.0.1:{up}@127.0.0.2:{up}/"),
    Target("user only", b"http://api.example.com@127.0.0.2:{up}/"),
    Target("empty userinfo", b"http://@127.0.0.1:{up}/"),
    Target("two ats", b"http://a@127.0.0.1@127.0.0.2:{up}/"),
    Target("backslash before an at", b"http://127.0.0.2:{up}\\@127.0.0.1:{up}/"),
    Target("backslash for a slash", b"http://127.0.0.1:{up}\\@127.0.0.2/"),
    Target("backslashes for slashes", b"http:\\\\127.0.0.1:{up}/"),
    Target("fragment before an at", b"http://127.0.0.2:{up}#@127.0.0.1:{up}/"),
    Target("fragment", b"http://127.0.0.1:{up}/#a"),
    Target("question mark before an at", b"http://127.0.0.2?@127.0.0.1:{up}/", HOST),
    Target("encoded dot", b"http://127%2e0.0.1:{up}/"),
    Target("encoded slash in the host", b"http://127.0.0.2%2f@127.0.0.1:{up}/"),
    Target("encoded at", b"http://127.0.0.1%40127.0.0.2:{up}/"),
    Target("encoded NUL in the host", b"http://127.0.0.2%00.127.0.0.1:{up}/"),
    Target("two ports", b"http://127.0.0.1:{sentinel}:{up}/"),
    Target("port zero", b"http://127.0.0.1:0/"),
    Target("port 65536", b"http://127.0.0.1:65536/"),
    Target("port that wraps around", b"http://127.0.0.1:65616/"),
    Target("signed port", b"http://127.0.0.1:+{up}/"),
    Target("port with an underscore", b"http://127.0.0.1:8_0/"),
    Target("port with leading zeros", b"http://127.0.0.1:0{up}/"),
    Target("empty port", b"http://127.0.0.1:/"),
    Target("port in full-width digits", "http://127.0.0.1:\uff18\uff10/".encode()),
    Target("empty host", b"http:///127.0.0.1:{up}/"),
    Target("only dots", b"http://../"),
    Target("empty label", b"http://api..example.com:{up}/"),
    Target("two trailing dots", b"http://api.example.com..:{up}/"),
    Target("leading dot", b"http://.api.example.com:{up}/"),
    Target("underscore in a label", b"http://a_b.sub.example.org:{up}/"),
    Target("invalid A-label", b"http://xn--a.sub.example.org:{up}/"),
    Target("full-width name", "http://\uff41pi.example.com:{up}/".encode()),
    Target("ideographic full stop", "http://127。0。0。1:{up}/".encode()),
    Target("circled digits", "http://①②⑦.0.0.1:{up}/".encode()),
    Target("soft hyphen", "http://api\u00ad.example.com:{up}/".encode()),
    Target("star", b"http://*.sub.example.org:{up}/"),
]

SHAPES = [
    Target("empty", b""),
    Target("relative", b"/v1"),
    Target("scheme-relative", b"//127.0.0.1:{up}/"),
    Target("no slashes", b"http:127.0.0.1:{up}/"),
    Target("one slash", b"http:/127.0.0.1:{up}/"),
    Target("three slashes", b"http:///127.0.0.1:{up}/v1"),
    Target("file", b"file:///etc/passwd", SCHEME),
    Target("gopher", b"gopher://127.0.0.1:{sentinel}/_INFO", SCHEME),
    Target("unix socket", b"http+unix://%2Fvar%2Frun%2Fdocker.sock/info", SCHEME),
    Target("websocket", b"ws://127.0.0.1:{up}/", SCHEME),
    Target("data", b"data:text/plain,hello"),
    Target("two URLs by comma", b"http://127.0.0.1:{up}/,http://127.0.0.2:{up}/"),
    Target("two URLs by space", b"http://127.0.0.1:{up}/ http://127.0.0.2:{up}/"),
    Target("request line in the value", b"http://127.0.0.1:{up}/ HTTP/1.1"),
    Target("tab inside", b"http://127.0.0.1:{up}/a\tb"),
    Target("tab in the scheme", b"ht\ttp://127.0.0.1:{up}/"),
    Target("tab in the host", b"http://127.0.0.1\t.evil.example:{up}/"),
    Target("dot segment", b"http://127.0.0.1:{up}/a/../b"),
    Target("encoded dot segment", b"http://127.0.0.1:{up}/a/%2e%2E/b"),
    Target("dot segment with a parameter", b"http://127.0.0.1:{up}/a/..;x/b"),
    Target("angle brackets", b"<http://127.0.0.1:{up}/>"),
    Target("quotes", b'"http://127.0.0.1:{up}/"'),
    Target("non-ASCII in the path", "http://127.0.0.1:{up}/é".encode()),
    Target("latin-1 in the path", b"http://127.0.0.1:{up}/\xe9"),
    Target("space in the query", b"http://127.0.0.1:{up}/?a b"),
    Target("tab in the query", b"http://127.0.0.1:{up}/?a\tb"),
    Target("fragment behind a query", b"http://127.0.0.1:{up}/?a#b"),
    Target("non-ASCII in the query", "http://127.0.0.1:{up}/?é".encode()),
    Target("backslash in the path", b"http://127.0.0.1:{up}/a\\b"),
    Target("over 8192 bytes of query", b"http://127.0.0.1:{up}/?" + b"a" * 8193),
    Target("over 4096 bytes", b"http://127.0.0.1:{up}/" + b"a" * 4096),
    Target("over 253 characters of host", b"http://" + b"a." * 130 + b"sub.example.org:{up}/"),
    Target("a label of 64", b"http://" + b"a" * 64 + b".sub.example.org:{up}/"),
]

TARGETS = [*THROUGH, *OTHER_HOSTS, *OTHER_PORTS, *NUMBERS, *AUTHORITIES, *SHAPES]

# What stands after the path of a pinned route (base http://127.0.0.1:{up}/base): the code of the
# refusal, or the path that goes upstream.
REMAINDERS = [
    Target("below the base", b"/v1/a?b", "", b"POST /base/v1/a?b HTTP/1.1"),
    Target("the base itself", b"", "", b"POST /base HTTP/1.1"),
    Target("only a query", b"?a=..", "", b"POST /base?a=.. HTTP/1.1"),
    Target(
        "a URL in the query below",
        b"/?http://127.0.0.2/",
        "",
        b"POST /base/?http://127.0.0.2/ HTTP/1.1",
    ),
    Target("parent", b"/../admin"),
    Target("encoded parent", b"/%2e%2e/admin"),
    Target("half encoded parent", b"/.%2E/admin"),
    Target("doubly encoded parent", b"/%252e%252e/admin"),
    Target("encoded slash", b"/a%2f..%2f..%2fadmin"),
    Target("encoded backslash", b"/..%5c..%5cadmin"),
    Target("empty segment", b"//127.0.0.2/", "", b"POST /base//127.0.0.2/ HTTP/1.1"),
    Target("empty segment inside", b"/x//y", "", b"POST /base/x//y HTTP/1.1"),
    Target("closing slash of the base URL", b"//chat?a", "", b"POST /base//chat?a HTTP/1.1"),
    Target("slash inside a segment", b"/a/g%2Fp", "", b"POST /base/a/g%2Fp HTTP/1.1"),
    Target("doubly encoded slash", b"/a%252Fp", "", b"POST /base/a%252Fp HTTP/1.1"),
    Target("harmless parameter", b"/a;v=1/b", "", b"POST /base/a;v=1/b HTTP/1.1"),
    Target("odd bytes", b"/a%ff%e9", "", b"POST /base/a%ff%e9 HTTP/1.1"),
    Target("parameter", b"/a;/../admin"),
    Target("parameter of a dot segment", b"/..;/admin"),
    Target("encoded parameter", b"/..%3b/admin"),
    Target("doubly encoded parameter", b"/..%253b/admin"),
    Target("encoded line break", b"/a%0d%0aHost:b", "", b"POST /base/a%0d%0aHost:b HTTP/1.1"),
    Target("line break between dots", b"/a/.%0a./admin"),
    Target("blank behind dots", b"/..%20/admin"),
    Target("encoded slashes that climb", b"/a%2f%2e%2e%2fadmin"),
    Target("doubly encoded slashes that climb", b"/a%252f..%252fadmin"),
    Target("empty segments that climb", b"//..//admin"),
    Target("encoded query behind dots", b"/..%3fa"),
    Target("encoded fragment behind dots", b"/..%23a"),
    Target("NUL behind dots", b"/..%00/admin"),
    Target("encoded five times", b"/%25252525252e%25252525252e/admin"),
    Target("encoded a thousand times", b"/%" + b"25" * 1000 + b"2e"),
    Target("overlong dot", b"/%c0%ae%c0%ae/admin"),
    Target("doubly encoded overlong dot", b"/%25c0%25ae%25c0%25ae/admin"),
    Target(
        "absolute URL",
        b"/http://127.0.0.2:1/",
        "",
        b"POST /base/http://127.0.0.2:1/ HTTP/1.1",
    ),
    *(
        Target(what, rest, "", b"POST /base" + rest + b" HTTP/1.1")
        for what, rest in (
            ("half an escape below", b"/%2?%2"),
            ("no escape below", b"/%zz/100%?a=50%&b=%u0041"),
            ("JSON in the query below", b'/x?filter={"a":1}&t=a|b'),
            ("all that is visible below", VISIBLE.replace(b"\\", b"").replace(b"?", b"")),
            ("all that is visible in the query below", b"?" + VISIBLE),
        )
    ),
    Target("IIS's escape", b"/%u002e%u002e/admin"),
    Target("IIS's escape of a slash", b"/a%u2215..%U2215admin"),
    Target("half an escape among dots", b"/.%./admin"),
    Target("half an escape behind dots", b"/..%2/admin"),
    Target("escape of an escape", b"/%%32e%%32e/admin"),
    Target("escaped digits of an escape", b"/%2%65%2%65/admin"),
    Target("non-ASCII in the query below", "/a?é".encode(), "BAD_REQUEST"),
    Target("fragment below", b"/a#b"),
    Target("backslash below", b"/..\\admin"),
    Target("at the end of the mount", b"@127.0.0.2/", "NOT_FOUND"),
    Target("dot at the end of the mount", b".evil.example/", "NOT_FOUND"),
    Target("encoded slash after the mount", b"%2f..%2fadmin"),
]
