"""Response headers that are never relayed from an upstream, whatever an option says. Pure.

A relayed answer leaves under this server's own origin. There a browser would take the upstream's
``Service-Worker-Allowed`` or ``Clear-Site-Data`` for this server's word, a cache in front would
take its ``CDN-Cache-Control`` for it, and nginx would serve the file that its ``X-Accel-Redirect``
names. The list holds every response field on which a browser, a cache or a proxy is known to act
beyond the answer itself, by IANA's "HTTP Field Name Registry", MDN's reference of headers, and the
names that proxies and CDNs use.
"""

from __future__ import annotations

from ..headers import CONNECTION_FIELDS, is_token

_CONNECTION = "it belongs to one connection"
_ORIGIN = "a browser would take it for this server's own word"
_READERS = "only this server says who may read its answers"
_FRONT = "it steers the proxy or the cache in front of this server"
_OURS = "this server sets it itself"

#: Lower-case names that are never relayed, by the reason.
_NAMES = {
    _CONNECTION: tuple(sorted(CONNECTION_FIELDS)),
    _ORIGIN: (
        # A browser keeps these for the whole origin, or acts on them for it from then on.
        *("set-cookie", "set-cookie2", "set-login", "clear-site-data", "service-worker-allowed"),
        *("strict-transport-security", "public-key-pins", "public-key-pins-report-only"),
        *("expect-ct", "alt-svc", "nel", "report-to", "reporting-endpoints"),
        *("origin-agent-cluster", "origin-trial", "accept-ch", "accept-ch-lifetime"),
        *("critical-ch", "use-as-dictionary", "no-vary-search", "activate-storage-access"),
        *("observe-browsing-topics", "x-robots-tag"),
        # These say what a page or frame that shows the answer may do, and where it goes next.
        *("refresh", "content-security-policy", "content-security-policy-report-only"),
        *("x-content-security-policy", "x-webkit-csp", "x-frame-options"),
        *("x-content-type-options", "x-xss-protection", "x-dns-prefetch-control"),
        *("x-permitted-cross-domain-policies", "x-download-options", "x-ua-compatible"),
        *("permissions-policy", "permissions-policy-report-only", "feature-policy"),
        *("document-policy", "document-policy-report-only", "require-document-policy"),
        *("document-isolation-policy", "document-isolation-policy-report-only"),
        *("integrity-policy", "integrity-policy-report-only", "referrer-policy"),
        *("supports-loading-mode", "speculation-rules", "sourcemap", "x-sourcemap"),
        # These would ask for a password in this server's name, or end a login that never was.
        *("www-authenticate", "optional-www-authenticate", "authentication-info"),
        *("authentication-control", "proxy-authentication-info"),
    ),
    _READERS: ("timing-allow-origin",),
    _FRONT: (
        *("x-sendfile", "x-sendfile2", "x-lighttpd-send-file", "x-lighttpd-send-tempfile"),
        *("x-reproxy-url", "x-reproxy-file", "surrogate-control", "edge-control"),
        *("cdn-cache-control", "cloudflare-cdn-cache-control", "vercel-cdn-cache-control"),
        *("netlify-cdn-cache-control", "akamai-cache-control"),
    ),
    _OURS: ("date", "server", "via"),
}
_PREFIXES = {
    "access-control-": _READERS,
    "attribution-reporting-": _ORIGIN,
    "cross-origin-": _ORIGIN,
    "sec-": _ORIGIN,
    "secure-session-": _ORIGIN,
    "x-accel-": _FRONT,
    "x-envoy-": _FRONT,
    "x-litespeed-": _FRONT,
}
_REASONS = {name: reason for reason, names in _NAMES.items() for name in names}
_PREFIXES_BYTES = tuple(prefix.encode("ascii") for prefix in _PREFIXES)
_NEVER = frozenset(name.encode("ascii") for name in _REASONS)
_REQUEST_ID = "x-request-id"

#: Names to which browsers and caches give a meaning. An upstream's own field of such a name may be
#: relayed, but ``expose_headers`` may give no other field one of these names.
_MEANING = frozenset(
    (
        *("accept-ranges", "age", "allow", "cache-control", "content-disposition"),
        *("content-encoding", "content-language", "content-location", "content-range"),
        *("content-type", "etag", "expires", "last-modified", "link", "location", "pragma"),
        *("ratelimit", "ratelimit-policy", "vary"),
    )
)


def is_never_relayed(name: bytes) -> bool:
    """Whether no option lets an upstream's field of this lower-case name pass under it."""
    return name in _NEVER or name == b"x-request-id" or name.startswith(_PREFIXES_BYTES)


def why_not_taken(name: str) -> str:
    """Why no option takes a field of this name from an upstream, or ``""`` where one may.

    :param name: a header name, or a pattern that ends in ``*``.
    """
    lower = name.lower()
    reason = _REASONS.get(lower) or next(
        (why for prefix, why in _PREFIXES.items() if lower.startswith(prefix)), ""
    )
    return f"{name} is never relayed: {reason}" if reason else ""


def why_not_relayed(name: str) -> str:
    """Why an upstream's field is not relayed under this name, or ``""`` where it may be.

    :param name: a header name, or a pattern that ends in ``*``.
    """
    stem = name.removesuffix("*")
    if "*" in stem or not is_token(stem):
        # The name is not quoted, because people put keys in the wrong place.
        return 'is not a header name, nor a pattern such as "X-RateLimit-*"'
    if name.lower() == _REQUEST_ID:
        return (
            f"{name} is never relayed: {_OURS}; the upstream's has a name of its own, as in"
            ' { from = "X-Request-ID", to = "X-Upstream-Request-ID" } of expose_headers'
        )
    return why_not_taken(name)


def why_not_renamed(from_: str, to: str) -> list[tuple[str, str]]:
    """Why the field *from_* is not relayed under the name *to*: pairs of the key and a reason."""
    ends = (("from", from_, why_not_taken), ("to", to, _why_no_alias))
    reasons = [(end, _why_no_name(name) or why_not(name)) for end, name, why_not in ends]
    return [(end, reason) for end, reason in reasons if reason]


def _why_no_name(name: str) -> str:
    if "*" in name:
        return "must be one header name, not a pattern"
    return "" if is_token(name) else "is not a header name"


def _why_no_alias(name: str) -> str:
    if name.lower() == _REQUEST_ID:
        return f"{name} is never relayed: {_OURS}"
    if name.lower() in _MEANING:
        return (
            f"{name} has a meaning of its own for browsers and caches;"
            f" choose another name, such as X-Upstream-{name}"
        )
    return why_not_taken(name)
