"""Frozen values: what the rooms of the house hand to one another.

A request changes type at each door. ``Target`` is a URL that parsed; ``VettedTarget`` is one that
the egress policy let through, and only :mod:`naap_twisted.policy.egress` makes it;
``OutboundRequest`` is what may go to the wire, and it takes nothing but a ``VettedTarget``.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from attrs import field, frozen
from twisted.web.iweb import IBodyProducer

from .secret import Secret

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
HeaderValue = bytes | Secret
#: Header fields as they are sent, in order.
HeaderPairs = tuple[tuple[bytes, HeaderValue], ...]
DEFAULT_PORTS = {"http": 80, "https": 443}


@frozen
class User:
    """Who calls.

    :ivar id: the identity provider's stable id; never empty.
    """

    id: str
    email: str | None = None
    roles: tuple[str, ...] = ()


@frozen
class ExposeHeader:
    """An upstream response header relayed under another name, readable by the page.

    :ivar from_: the upstream's name, such as ``Location``.
    :ivar to: the name the browser sees, such as ``X-WHIP-Resource``.
    """

    from_: str
    to: str


@frozen
class RateLimit:
    """At most ``requests`` in any ``window`` seconds."""

    requests: int = 200
    window: float = 900.0


@frozen
class Target:
    """An absolute http(s) URL, parsed once; every later step uses these fields.

    :ivar scheme: ``"http"`` or ``"https"``.
    :ivar host: lower-case ASCII, without trailing dot; an IPv6 literal without its brackets.
    :ivar port: 1 to 65535, the scheme's own where the URL names none.
    :ivar path: path and query exactly as received, opening with ``/``.
    :ivar authority: the Host header's value: the port is named only where it is not the default.
    :ivar origin: scheme and authority; safe to log.
    """

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    authority: str = field(init=False, repr=False, eq=False)
    origin: str = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        # Made once: a target is kept for all requests that name it.
        host = f"[{self.host}]" if ":" in self.host else self.host
        named = self.port != DEFAULT_PORTS[self.scheme]
        authority = f"{host}:{self.port}" if named else host
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "origin", f"{self.scheme}://{authority}")

    @property
    def url(self) -> str:
        """The whole URL. Its query may hold a token: not for logs."""
        return self.origin + self.path


@frozen
class AllowedNetwork:
    """One entry of ``allow_networks``: private addresses that may be reached.

    :ivar port: the only port, or ``None`` for every port.
    """

    network: Network
    port: int | None = None


@frozen
class VettedTarget:
    """A target the egress policy let through.

    :ivar rule: the allow-list entry that matched, for ``explain`` and the log.
    :ivar allow_networks: non-public networks whose addresses may be connected to.
    :ivar realm: which policy let it through; connections are not shared between policies.
    :ivar listed_only: no other addresses may be: a key would cross the net in plain text.
    """

    target: Target
    rule: str
    allow_networks: tuple[AllowedNetwork, ...] = ()
    listed_only: bool = False
    realm: int = field(default=0, eq=False)


@frozen
class Answer:
    """What a name resolved to.

    :ivar ttl: seconds the answer may be kept; 0 where that is not known.
    """

    addresses: tuple[Address, ...]
    ttl: float = 0.0


@frozen
class Timeouts:
    """Absolute deadlines per phase, in seconds. ``None`` is no limit.

    :ivar connect: DNS, TCP and TLS together.
    :ivar head: from sending until the response head.
    :ivar idle: between two pieces of the response body, or of the request body.
    :ivar total: the whole exchange.
    """

    connect: float = 10.0
    head: float = 30.0
    idle: float | None = 300.0
    total: float | None = None


@frozen
class OutboundRequest:
    """What is sent upstream.

    :ivar headers: name and value in order, Host, Content-Length and Transfer-Encoding excluded:
        framing belongs to the connection. A value may be a :class:`~naap_twisted.secret.Secret`.
    :ivar body: whole bytes, a producer that streams, or ``None``.
    :ivar caller: for whom, as limits count callers; ``""`` for the server itself.
    :ivar identity: whose own key its headers may hold; a connection that has carried one user's is
        never another's. ``None``: the key, if there is one, is the route's.
    """

    method: bytes
    target: VettedTarget
    headers: HeaderPairs = field(repr=False)
    body: bytes | IBodyProducer | None = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()
    caller: str = ""
    identity: str | None = field(default=None, repr=False)


@frozen(cache_hash=True)  # it is a cache key for every request
class RouteCors:
    """What a preflight for one path may allow.

    :ivar methods: the route's methods, OPTIONS excluded, such as ``(b"POST",)``.
    :ivar allow_headers: header names the route itself needs (its ``target_url_header``).
    :ivar allow_patterns: patterns such as ``X-Stainless-*``; a requested header that matches is
        allowed by its own name.
    :ivar expose_headers: response header names the page may read, X-Request-ID excluded.
    :ivar accept_post: media types that a POST may have, for an OPTIONS answer; ``b""``: untold.
    :ivar accept_patch: the same for PATCH (RFC 5789 section 3.1).
    :ivar route: where the proxy route is mounted, for the log; ``""``: no such route.
    """

    methods: tuple[bytes, ...]
    allow_headers: tuple[str, ...] = ()
    allow_patterns: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    accept_post: bytes = b""
    accept_patch: bytes = b""
    route: str = ""


@frozen
class RateDecision:
    """One answer of a rate limiter.

    :ivar retry_after: whole seconds until the next request will pass; 0 when allowed.
    :ivar remaining: requests left in the window.
    :ivar reset: whole seconds until the oldest counted request is forgotten.
    """

    allowed: bool
    limit: int
    remaining: int
    retry_after: int = 0
    reset: int = field(default=0, eq=False)


@frozen
class UserKeyHeader:
    """A header value that holds the user's own key: ``"Bearer ${user_key:daydream}"``.

    :ivar before: plain text in front of the key; *after*: behind it.
    """

    provider: str
    before: str = ""
    after: str = ""

    @property
    def source(self) -> str:
        """As :attr:`Secret.source <naap_twisted.secret.Secret>` has it."""
        return f"user_key:{self.provider}"


@frozen
class KeyInfo:
    """What may be told of a user's key.

    :ivar last4: its last four characters; ``""`` for a short key.
    :ivar updated_at: seconds since 1970.
    """

    provider: str
    last4: str
    updated_at: int
