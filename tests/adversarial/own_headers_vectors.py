"""Header lines of an upstream that this server says, too, or that act on the server's origin."""

from __future__ import annotations

from typing import Any

from attrs import Factory, frozen

_JSON = b"Content-Type: application/json"


def answer(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    """An answer with header *lines*."""
    kind = () if any(line.lower().startswith(b"content-type:") for line in lines) else (_JSON,)
    head = (b"HTTP/1.1 " + status, b"Content-Length: 8", *kind, *lines)
    return b"\r\n".join(head) + b'\r\n\r\n{"ok":1}'


@frozen
class Shared:
    """One row.

    :ivar lines: of the upstream.
    :ivar values: every line that the page's browser gets of these names.
    :ivar exposed: names that it may read.
    """

    name: str
    lines: tuple[bytes, ...]
    values: dict[str, list[bytes]]
    exposed: tuple[bytes, ...] = ()
    route: dict[str, Any] = Factory(dict)
    server: dict[str, Any] = Factory(dict)


_VARY: dict[str, Any] = {"response_headers": ["Vary"]}


def vary(name: str, merged: bytes, *lines: bytes, **route: Any) -> Shared:
    """Vary of both sides is one list."""
    route = {**_VARY, **route}
    return Shared(f"vary {name}", lines, {"Vary": [merged]}, (b"Vary",), route)


SHARED = [
    Shared("vary not relayed", (b"Vary: Accept",), {"Vary": [b"Origin"]}),
    Shared("vary not sent", (), {"Vary": [b"Origin"]}, route=_VARY),
    vary("one", b"Origin, Accept-Encoding", b"Vary: Accept-Encoding"),
    vary("the same", b"Origin", b"Vary: Origin"),
    vary("the same in another spelling", b"Origin", b"Vary: oRIGIN"),
    vary("a list", b"Origin, Accept, X-A", b"Vary: Accept,Origin , X-A,,accept"),
    vary("lines", b"Origin, Accept, X-A", b"Vary: Accept", b"Vary: X-A, accept"),
    vary("a star", b"*", b"Vary: *"),
    vary("a star in a list", b"*", b"Vary: Accept, *"),
    vary("by pattern", b"Origin, Accept", b"Vary: Accept", response_headers=["V*"]),
    Shared(
        "an expose list of the upstream's",
        (b"Access-Control-Expose-Headers: Evil", b"Retry-After: 1"),
        {"Access-Control-Expose-Headers": [b"X-Request-ID, Retry-After"]},
        route={"response_headers": ["Retry-After", "A*"]},
    ),
    Shared(
        "a cache line that is not relayed",
        (b"Cache-Control: public",),
        {"Cache-Control": [b"private, no-store"]},
    ),
    Shared(
        "a cache line by pattern",
        (b"Cache-Control: max-age=5",),
        {"Cache-Control": [b"max-age=5"]},
        route={"response_headers": ["Cache-*"]},
    ),
    Shared(
        "a cache line that is relayed and not there",
        (b"ETag: x",),
        {"Cache-Control": [b"private, no-store"]},
        route={"response_headers": ["Cache-Control"]},
    ),
]

_RELAYED = {"response_headers": ["Cache-Control"]}


def stream(kind: bytes, *more: bytes, says: bytes = b"private, no-store, no-transform") -> Shared:
    """Event streams and their like."""
    name = " ".join(line.decode("ascii") for line in (kind, *more))
    return Shared(
        f"stream {name}",
        (b"Content-Type: " + kind, *more),
        {"Cache-Control": [says], "X-Accel-Buffering": [b"no"]},
        route=_RELAYED if more else {},
    )


def whole(kind: bytes) -> Shared:
    """No stream: nothing is added."""
    return Shared(
        f"no stream {kind.decode('ascii')}",
        (b"Content-Type: " + kind, b"X-Accel-Buffering: yes"),
        {"Cache-Control": [b"private, no-store"], "X-Accel-Buffering": []},
        route={"response_headers": ["X-*"]},
    )


STREAMS = [
    stream(b"text/event-stream"),
    stream(b"text/event-stream; charset=utf-8"),
    stream(b"Text/Event-Stream ;charset=utf-8"),
    stream(b"application/x-ndjson"),
    stream(b"application/ndjson"),
    stream(b"application/jsonl"),
    stream(b"application/jsonlines"),
    stream(b"application/stream+json"),
    stream(b"application/vnd.amazon.eventstream"),
    stream(b"text/event-stream", b"Cache-Control: no-cache", says=b"no-cache, no-transform"),
    stream(b"text/event-stream", b"Cache-Control: No-Transform", says=b"No-Transform"),
    stream(
        b"text/event-stream",
        b"Cache-Control: private",
        b'Cache-Control: no-cache="no-transform, X-A"',
        says=b'private, no-cache="no-transform, X-A", no-transform',
    ),
    stream(b"text/event-stream", b"X-Accel-Buffering: yes"),
    whole(b"text/event-streams"),
    whole(b"text/plain; a=text/event-stream"),
    whole(b"application/json"),
    whole(b"application/x-ndjson2"),
]


@frozen
class Acting:
    """A name that no upstream sets here."""

    name: str


ACTING = [
    Acting(name)
    for name in (
        # The browser acts on the whole origin, or on what is kept for it.
        "Service-Worker-Allowed",
        "Clear-Site-Data",
        "Set-Cookie",
        "Set-Cookie2",
        "Set-Login",
        "Strict-Transport-Security",
        "Public-Key-Pins",
        "Public-Key-Pins-Report-Only",
        "Expect-CT",
        "Alt-Svc",
        "NEL",
        "Report-To",
        "Reporting-Endpoints",
        "Origin-Agent-Cluster",
        "Origin-Trial",
        "Accept-CH",
        "Critical-CH",
        "Use-As-Dictionary",
        "Sec-Session-Registration",
        "Secure-Session-Registration",
        "Activate-Storage-Access",
        "No-Vary-Search",
        "Attribution-Reporting-Register-Source",
        # On the page or frame that shows it.
        "Refresh",
        "Content-Security-Policy",
        "Content-Security-Policy-Report-Only",
        "X-Frame-Options",
        "X-Content-Type-Options",
        "X-XSS-Protection",
        "X-DNS-Prefetch-Control",
        "X-Permitted-Cross-Domain-Policies",
        "Cross-Origin-Opener-Policy",
        "Cross-Origin-Embedder-Policy-Report-Only",
        "Cross-Origin-Resource-Policy",
        "Permissions-Policy",
        "Feature-Policy",
        "Document-Policy",
        "Integrity-Policy",
        "Referrer-Policy",
        "Supports-Loading-Mode",
        "Speculation-Rules",
        "SourceMap",
        "X-SourceMap",
        # Asks for a password in a dialog that names us, or answers a login that was not there.
        "WWW-Authenticate",
        "Authentication-Info",
        "Proxy-Authenticate",
        # Says who may read.
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
        "Timing-Allow-Origin",
        # Steers the proxy or the cache in front of us.
        "X-Accel-Redirect",
        "X-Accel-Buffering",
        "X-Sendfile",
        "X-Lighttpd-Send-File",
        "X-Reproxy-URL",
        "X-Envoy-Immediate-Health-Check-Fail",
        "Surrogate-Control",
        "CDN-Cache-Control",
        "Cloudflare-CDN-Cache-Control",
        # This server's own.
        "Server",
        "Date",
        "Via",
        "X-Request-ID",
    )
]

#: May be relayed under their own names; no other header becomes one of them.
RENAMED = (
    "Location",
    "Content-Type",
    "Content-Encoding",
    "Content-Disposition",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "ETag",
    "Link",
    "Vary",
    "Cache-Control",
    "Expires",
    "Age",
    "RateLimit",
    "RateLimit-Policy",
)
