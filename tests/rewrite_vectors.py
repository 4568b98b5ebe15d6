"""Tables of both header rewrites, and how to run them."""

from naap_twisted.headers import PASSED, PINNED_PASS, PINNED_RELAY, SDP_RELAY
from naap_twisted.headers import RELAYED as USUAL
from naap_twisted.model import Target
from naap_twisted.route.request_headers import RequestRewrite, injected_headers
from naap_twisted.route.response_headers import ResponseRewrite
from naap_twisted.route.scrub import Guard
from naap_twisted.secret import Secret

_ORIGIN = b"https://api.example.com"
_LIMIT = ("X-RateLimit-*", "Retry-After")

#: A browser header, ``pass_headers``, and whether it goes upstream.
SENT = [
    ("Accept", PASSED, True),
    ("accept", PASSED, True),
    ("If-Match", PASSED, True),
    ("If-None-Match", PASSED, True),
    ("If-Modified-Since", PASSED, True),
    ("If-Unmodified-Since", PASSED, True),
    ("Accept-Language", PASSED, True),
    ("Range", PASSED, True),
    ("if-range", PASSED, True),
    ("Last-Event-ID", PASSED, True),
    ("idempotency-key", PASSED, True),
    ("traceparent", PASSED, True),
    ("tracestate", PASSED, True),
    ("Content-Encoding", PASSED, True),
    ("Content-Language", PASSED, True),
    ("Content-Disposition", PASSED, True),
    ("Content-Range", PASSED, True),
    ("Content-MD5", PASSED, True),
    ("Digest", PASSED, True),
    ("Repr-Digest", PASSED, True),
    ("Idempotency_Key", PASSED, False),
    ("Accept-Encoding", PASSED, False),
    ("Cookie", PASSED, False),
    ("Authorization", PASSED, False),
    ("Origin", PASSED, False),
    ("Referer", PASSED, False),
    ("X-Forwarded-For", PASSED, False),
    ("X-Forwarded-Proto", PASSED, False),
    ("Forwarded", PASSED, False),
    ("X-CSRF-Token", PASSED, False),
    ("X-Target-URL", PASSED, False),
    ("Sec-Fetch-Mode", PASSED, False),
    ("X-Custom", PASSED, False),
    ("X-Custom", ("X-Custom",), True),
    ("x-cUSTOM", ("X-Custom",), True),
    ("X-Custom-2", ("X-Custom",), False),
    ("X-Custom-2", ("X-Custom-*",), True),
    ("X-Custom", ("X-Custom-*",), False),
    ("Accept", ("X-Custom",), False),
    ("Accept", (), False),
    ("Cookie", ("Cookie",), True),
    ("Authorization", ("Authorization",), True),
    ("Origin", ("Origin",), True),
    ("X-CSRF-Token", ("X-CSRF-*",), True),
    ("X-CSRF-Token", ("X-*",), False),
    ("X-CSRF-Token", ("X-*", "x-csrf-token"), True),
    ("X-Forwarded-For", ("X-*",), False),
    ("X-Forwarded-For", ("X-F*", "X-Forwarded-*"), True),
    ("X-Real-IP", ("X-*",), False),
    ("Authorization", ("Auth*",), False),
    ("Authorization", ("Authorization*",), False),
    ("Cookie", ("C*",), False),
    ("Referer", ("Ref*",), False),
    ("X-Team-ID", ("X-*",), True),
    ("X-Custom-2", ("X-Custom-*", "!x-custom-2"), False),
    ("X-Custom-2", ("X-*", "!X-Custom-*"), False),
    ("X-Custom-2", ("X-*", "!X-Custom-*", "X-Custom-2"), True),
    ("X-Other", ("X-*", "!X-Custom-*"), True),
    ("X-Stainless-Lang", PASSED, False),
    ("X-Stainless-Lang", PINNED_PASS, True),
    ("OpenAI-Beta", PINNED_PASS, True),
    ("Authorization", PINNED_PASS, False),
]

#: Not even where ``pass_headers`` names them: the connection's own.
NEVER_SENT = (
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Expect",
)

#: An upstream header, ``response_headers``, the name it is relayed under, and whether exposed.
RELAYED = [
    ("content-encoding", (), "Content-Encoding", True),
    ("content-language", USUAL, "Content-Language", True),
    ("content-disposition", USUAL, "Content-Disposition", True),
    ("content-range", USUAL, "Content-Range", True),
    ("accept-ranges", USUAL, "Accept-Ranges", True),
    ("etag", USUAL, "ETag", True),
    ("last-modified", USUAL, "Last-Modified", True),
    ("etag", ("ETag",), "ETag", True),
    ("x-ratelimit-remaining", (), None, False),
    ("x-ratelimit-remaining", _LIMIT, "X-Ratelimit-Remaining", True),
    ("x-ratelimit", _LIMIT, None, False),
    ("retry-after", _LIMIT, "Retry-After", True),
    ("retry-after-ms", _LIMIT, None, False),
    ("x-powered-by", (), None, False),
    ("link", (), None, False),
    ("link", SDP_RELAY, "Link", True),
    ("accept-patch", SDP_RELAY, "Accept-Patch", True),
    ("openai-organization", PINNED_RELAY, "Openai-Organization", True),
    ("x-should-retry", PINNED_RELAY, "X-Should-Retry", True),
    ("retry-after-ms", USUAL, "Retry-After-Ms", True),
    ("ratelimit", USUAL, "Ratelimit", True),
    ("ratelimit-policy", USUAL, "Ratelimit-Policy", True),
    ("x-ratelimit-reset-tokens", USUAL, "X-Ratelimit-Reset-Tokens", True),
    ("x-request-id", (), "X-Upstream-Request-ID", True),
    ("x-request-id", ("X-*",), "X-Upstream-Request-ID", True),
    ("x-accel-buffering", ("X-*",), None, False),
    ("vary", (), None, False),
    ("vary", ("Vary",), "Vary", True),
]

#: Whatever the options say.
NEVER_RELAYED = (
    "set-cookie",
    "set-cookie2",
    "server",
    "date",
    "via",
    "alt-svc",
    "content-length",
    "strict-transport-security",
    "content-security-policy",
    "x-frame-options",
    "service-worker-allowed",
    "refresh",
    "clear-site-data",
    "www-authenticate",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-anything",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "trailer",
    "upgrade",
    "te",
    "proxy-authenticate",
)

#: ``response_headers``, ``expose_headers``, and how each problem opens.
REFUSED = [
    (["Set-Cookie"], [], ["response_headers[0]: Set-Cookie is never relayed"]),
    (["X-Accel-Redirect"], [], ["response_headers[0]: X-Accel-Redirect is never relayed"]),
    (["X-Accel-*"], [], ["response_headers[0]: X-Accel-* is never relayed"]),
    (["X-Sendfile"], [], ["response_headers[0]: X-Sendfile is never relayed"]),
    (["X-A", "server"], [], ["response_headers[1]: server is never relayed"]),
    (["X-Request-ID"], [], ["response_headers[0]: X-Request-ID is never relayed"]),
    (["Access-Control-Max-Age"], [], ["response_headers[0]: Access-Control-Max-Age is"]),
    (["X A"], [], ["response_headers[0]: is not a header name"]),
    (["*"], [], ["response_headers[0]: is not a header name"]),
    ([], [("Set-Cookie", "X-A")], ["expose_headers[0].from: Set-Cookie is never relayed"]),
    ([], [("X-A", "Set-Cookie")], ["expose_headers[0].to: Set-Cookie is never relayed"]),
    ([], [("X-A", "Refresh")], ["expose_headers[0].to: Refresh is never relayed"]),
    ([], [("X-A", "X-Request-ID")], ["expose_headers[0].to: X-Request-ID is never relayed"]),
    ([], [("X-A", "Location")], ["expose_headers[0].to: Location has a meaning of its own"]),
    ([], [("A", "B"), ("X A", "B")], ["expose_headers[1].from: is not a header name"]),
    ([], [("A", "B\r\n")], ["expose_headers[0].to: is not a header name"]),
    ([], [("A-*", "B")], ["expose_headers[0].from: must be one header name"]),
    (
        ["Date"],
        [("Via", "B"), ("", "Vary")],
        [
            "response_headers[0]: Date",
            "expose_headers[0].from: Via",
            "expose_headers[1].from: is not",
            "expose_headers[1].to: Vary",
        ],
    ),
]

#: What an upstream says, and what is left of it.
CLEANED = [
    (b"", b""),
    (b"nothing here", b"nothing here"),
    (b"Bearer sk-123456789", b"[redacted]"),
    (b"key=sk-123456789;", b"key=[redacted];"),
    (b"sk-123456789sk-123456789", b"[redacted][redacted]"),
    (b"abcdefgh and sk-123456789", b"[redacted] and [redacted]"),
    (b"sk-12345678", b"sk-12345678"),
    (b"Bearer", b"Bearer"),
]

#: As sent, and resolved against ``TARGET``.
LOCATIONS = [
    (b"/a", _ORIGIN + b"/a"),
    (b"a", _ORIGIN + b"/v1/a"),
    (b"../a", _ORIGIN + b"/a"),
    (b"?b=1", _ORIGIN + b"/v1/whip?b=1"),
    (b"//other.example/a", b"https://other.example/a"),
    (b"http://other.example/a", b"http://other.example/a"),
    (b"/a%2Fb?c=%20#d", _ORIGIN + b"/a%2Fb?c=%20#d"),
    ("/ä".encode(), "/ä".encode()),
    (b"http://[", b"http://["),
]

#: Name and value that ``forward_headers`` may not hold.
NOT_INJECTED = [
    ("", "secret"),
    ("A B", "secret"),
    ("A:", "secret"),
    ("A\r\nB", "secret"),
    ("Ключ", "secret"),
    ("Host", "secret"),
    ("content-length", "secret"),
    ("Transfer-Encoding", "secret"),
    ("Connection", "secret"),
    ("Expect", "secret"),
    ("Authorization", ""),
    ("Authorization", "  "),
    ("Authorization", "secret\r\nX: y"),
    ("Authorization", "secret\0"),
]


TARGET = Target("https", "api.example.com", 443, "/v1/whip?token=t")
NO_GUARD = Guard(())


def outbound(browser, injected=(), *, passed=PASSED, content_type=None):
    """The headers sent for *browser*'s, given as a mapping or pairs; secrets revealed."""
    pairs = browser.items() if isinstance(browser, dict) else browser
    grouped = [(n.encode(), [v.encode()] if isinstance(v, str) else v) for n, v in pairs]
    sent = RequestRewrite(passed).outbound(
        grouped,
        injected_headers(dict(injected)),
        content_type=content_type,
        request_id="id-1",
        dropped=[],
    )
    return [
        (n.decode(), v.reveal().decode() if isinstance(v, Secret) else v.decode()) for n, v in sent
    ]


def values_of(pairs, name):
    return [value for given, value in pairs if given.lower() == name.lower()]


def apply(fields, relayed=(), exposed_as=(), *, guard=NO_GUARD, target=TARGET):
    rewrite = ResponseRewrite(relayed, exposed_as)
    pairs = [(name.encode(), value.encode()) for name, value in fields]
    headers, exposed = rewrite.apply(pairs, target, guard)
    return [(n.decode(), v.decode()) for n, v in headers], [n.decode() for n in exposed]
