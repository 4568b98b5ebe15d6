"""The headers that pass where a route names no others: what usual clients send and read. Data."""

#: Sent upstream where the browser has them (RFC 9110 sections 12.5.1 and 13.1).
DEFAULT_PASS = (
    "Accept",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
)
#: What official API clients send beside; a pinned route passes it on.
PINNED_PASS = (*DEFAULT_PASS, "X-Stainless-*", "OpenAI-Beta", "Idempotency-Key")
#: What official API clients read; a pinned route relays and exposes it.
PINNED_RELAY = (
    "Retry-After",
    "Retry-After-Ms",
    "X-Should-Retry",
    "X-RateLimit-*",
    "OpenAI-*",
)
#: What WHIP clients read (RFC 9725).
SDP_RELAY = ("Link", "ETag", "Accept-Patch", "Accept-Post", "Retry-After", "Location")
