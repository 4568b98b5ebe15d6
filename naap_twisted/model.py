"""Frozen values that the rooms of the package hand to one another.

A request changes its type at each door, so that it cannot reach the wire unvetted. A ``Target`` is
a URL that parsed. A ``VettedTarget`` is one that the egress policy let through, and only
:mod:`naap_twisted.policy.egress` makes it. An ``OutboundRequest`` may go to the wire, and it
takes nothing but a ``VettedTarget``.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from attrs import field, frozen
from twisted.web.iweb import IBodyProducer

from .secret import Secret

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
HeaderValue = bytes | Secret
#: A header list: names and values in the order in which they are sent.
HeaderPairs = tuple[tuple[bytes, HeaderValue], ...]
DEFAULT_PORTS = {"http": 80, "https": 443}


@frozen
class PageBudget:
    """What the holder of a page token may spend, beside the budgets of its user; or a service.

    :ivar unit: ``"requests"``, ``"tokens"`` or ``"usd"``.
    :ivar per: ``"hour"``, ``"day"`` or ``"month"``.
    """

    unit: str
    amount: Decimal
    per: str


@frozen
class PageGrant:
    """What a page token lets its holder do in its user's name.

    :ivar id: names the token in a revocation; it is no secret.
    :ivar routes: paths of mounts below the base path, as the config has them.
    :ivar issued_at: milliseconds since 1970.
    :ivar expires_at: seconds since 1970.
    :ivar origin: the Origin that every request must have; ``""``: any, or none.
    :ivar models: of the patterns that the option ``models`` has; empty: as the route has them.
    :ivar uses: how many requests it is good for; 0: for any number.
    :ivar counted_by: the server process that alone counts its uses; ``""``: the shared store.
    """

    id: str
    routes: tuple[str, ...]
    issued_at: int
    expires_at: int
    origin: str = ""
    models: tuple[str, ...] = ()
    uses: int = 0
    counted_by: str = ""
    budget: tuple[PageBudget, ...] = ()


@frozen
class User:
    """The user whom an authenticator found behind a request.

    :ivar id: the identity provider's stable id; never empty.
    :ivar page: what the caller may do, where the caller is a page that shows a page token.
    :ivar guest: it is an anonymous visitor, who never signed in.
    :ivar budget: what the user may spend in all, beside the budgets of the config.
    """

    id: str
    email: str | None = None
    roles: tuple[str, ...] = ()
    page: PageGrant | None = field(default=None, repr=False)
    guest: bool = field(default=False, repr=False)
    budget: tuple[PageBudget, ...] = field(default=(), repr=False)


@frozen
class Tokens:
    """A model's tokens, as one answer reports them; every number is at least zero.

    :ivar input: all of the prompt.
    :ivar cached_input: of those, read from a cache.
    :ivar cache_write: of those, written to one.
    :ivar output: all that was put out, what the model thought included.
    :ivar reasoning: of those, what it thought.
    :ivar audio_input: of the input; *audio_output* likewise of the output.
    :ivar image_input: of the input, those of images.
    :ivar milliseconds: of a recording, where the vendor counts its time; no token is one of them.
    """

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    milliseconds: int = 0

    @property
    def total(self) -> int:
        """All of them: the other numbers are parts of these two."""
        return self.input + self.output


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
class CircuitBreaker:
    """When an upstream is left alone: ``failures`` in a row in ``window`` s, for ``open`` s."""

    failures: int = 5
    window: float = 30.0
    open: float = 30.0


@frozen
class Target:
    """An absolute http(s) URL, parsed once.

    Every later step (policy, DNS, connect, Host, SNI, log) reads these fields and never the text
    again, for a second parser might read another host out of it.

    :ivar scheme: ``"http"`` or ``"https"``.
    :ivar host: lower-case ASCII, without trailing dot; an IPv6 literal without its brackets.
    :ivar port: 1 to 65535, the scheme's own where the URL names none.
    :ivar path_and_query: exactly as received, opening with ``/``.
    :ivar authority: the Host header's value: the port is named only where it is not the default.
    :ivar origin: scheme and authority; safe to log.
    """

    scheme: str
    host: str
    port: int
    path_and_query: str = field(repr=False)
    authority: str = field(init=False, repr=False, eq=False)
    origin: str = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        # Written here once, because one target serves every request that names it.
        host = f"[{self.host}]" if ":" in self.host else self.host
        named = self.port != DEFAULT_PORTS[self.scheme]
        authority = f"{host}:{self.port}" if named else host
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "origin", f"{self.scheme}://{authority}")

    @property
    def url(self) -> str:
        """The whole URL. Its query may hold a key, so it never goes to a log."""
        return self.origin + self.path_and_query


@frozen
class AllowedNetwork:
    """One entry of ``allow_networks``: addresses that are not public and may be reached.

    :ivar port: the only port, or ``None`` for every port.
    """

    network: Network
    port: int | None = None


@frozen
class VettedTarget:
    """A target that the egress policy let through.

    :ivar rule: the ``allowed_hosts`` entry that matched, for ``explain`` and the log.
    :ivar allow_networks: non-public networks whose addresses may be connected to.
    :ivar listed_only: only addresses in *allow_networks* may be connected to: a key would cross any
        other network in plain text, or the name is one of the operator's own network.
    :ivar realm: the number of the policy that let it through; no connection is shared between two
        policies.
    """

    target: Target
    rule: str
    allow_networks: tuple[AllowedNetwork, ...] = ()
    listed_only: bool = False
    realm: int = field(default=0, eq=False)


@frozen
class Answer:
    """The addresses of a name.

    :ivar ttl: seconds for which the answer may be kept; 0 where that is not known.
    """

    addresses: tuple[Address, ...]
    ttl: float = 0.0


@frozen
class Timeouts:
    """Seconds that each phase of an exchange may take. ``None`` sets no limit.

    :ivar connect: for DNS, TCP and TLS together.
    :ivar head: from the request's last byte to the end of the response head.
    :ivar idle: between two pieces of the request body, or of the response body.
    :ivar total: for the whole exchange.
    """

    connect: float = 10.0
    head: float = 30.0
    idle: float | None = 300.0
    total: float | None = None


@frozen(eq=False)
class ClientCertificate:
    """What this side shows in a TLS handshake. Each is a party of its own: equal only to itself.

    :ivar chain: in PEM: the certificate, then those that vouch for it.
    :ivar key: its private key in PEM, without a passphrase.
    """

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@frozen
class OutboundRequest:
    """A request to an upstream.

    :ivar headers: the header list without Host, Content-Length and Transfer-Encoding, which the
        connection writes itself. A value may be a :class:`~naap_twisted.secret.Secret`.
    :ivar body: all of its bytes, a producer that streams them, or ``None``.
    :ivar caller: the name under which limits count the caller; ``""`` for the server itself.
    :ivar identity: the user whose own key the headers may hold; a connection that has carried one
        user's key serves no other user. ``None`` where the key, if there is one, is the route's.
    :ivar certificate: is shown to the upstream where it asks for one; a connection on which it
        could be shown serves no request without it.
    :ivar request_target: path and query as they go on the wire, where the route has put a key into
        them; ``None``: the target's own.
    :ivar late: is asked when a deadline of the exchange has passed, with the words for which one:
        the seconds that the exchange may go on; 0: none. An upstream need not ask.
    """

    method: bytes
    target: VettedTarget
    headers: HeaderPairs = field(repr=False)
    body: bytes | IBodyProducer | None = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()
    caller: str = ""
    identity: str | None = field(default=None, repr=False)
    certificate: ClientCertificate | None = None
    request_target: Secret | None = field(default=None, repr=False)
    late: Callable[[str], float] | None = field(default=None, repr=False, eq=False)


@frozen
class SignableRequest:
    """A request that is about to be sent, as a route's ``sign`` sees it.

    :ivar method: such as ``"POST"``.
    :ivar url: the whole URL, exactly as it is asked for; its query may hold a key.
    :ivar headers: all headers in their order, Host first; Content-Length and Transfer-Encoding are
        the connection's. A value that the server put there is a
        :class:`~naap_twisted.secret.Secret`.
    :ivar body: all of its bytes, ``b""`` for none; ``None`` only where the route streams it.
    """

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str | Secret], ...] = field(repr=False)
    body: bytes | None = field(default=b"", repr=False)


@frozen(cache_hash=True)  # the CORS wrapper looks it up in a table at every request
class RouteCors:
    """What a preflight for one path may allow.

    :ivar methods: the route's methods, OPTIONS excluded, such as ``(b"POST",)``.
    :ivar allow_headers: header names that the route itself needs (its ``target_url_header``).
    :ivar allow_patterns: patterns such as ``X-Stainless-*``; a requested header that matches is
        allowed by its own name.
    :ivar pass_headers: the route's option of that name, which a refused header is missing in.
    :ivar accept_post: media types that a POST may have, which Accept-Post names in an answer to
        OPTIONS; ``b""`` leaves the header out.
    :ivar accept_patch: the same for PATCH (RFC 5789 section 3.1).
    :ivar route: the path at which the proxy route is mounted, for the log; ``""`` for a path
        below which no proxy route is.
    """

    methods: tuple[bytes, ...]
    allow_headers: tuple[str, ...] = ()
    allow_patterns: tuple[str, ...] = ()
    pass_headers: tuple[str, ...] = ()
    accept_post: bytes = b""
    accept_patch: bytes = b""
    route: str = ""


@frozen
class RateDecision:
    """One verdict of a rate limiter.

    :ivar limit: requests that the window takes.
    :ivar remaining: requests left in the window.
    :ivar retry_after: whole seconds until the next request will pass; 0 when this one is allowed.
    :ivar reset: whole seconds until the oldest counted request is forgotten.
    """

    allowed: bool
    limit: int
    remaining: int
    retry_after: int = 0
    reset: int = field(default=0, eq=False)


@frozen
class TokenPlace:
    """Where a request carries its caller's token, beside ``Authorization: Bearer``.

    A vendor's client puts the key that it is given into a header of its own; behind this server
    that is the caller's token.

    :ivar headers: lower-case names, the first that is there counts.
    :ivar scheme: another scheme of Authorization, in lower case; ``b"bearer"`` for none.
    :ivar users: where there is such a header, Authorization is not the caller's: it is a user's
        whom the upstream itself signed in. It goes upstream where the route passes it.
    """

    headers: tuple[bytes, ...] = ()
    scheme: bytes = b"bearer"
    users: bool = False

    def __bool__(self) -> bool:
        return bool(self.headers) or self.scheme != b"bearer"


#: A caller's token stands in ``Authorization: Bearer`` only.
NOWHERE_ELSE = TokenPlace()


@frozen
class UserKeyHeader:
    """A header value that holds the user's own key: ``"Bearer ${user_key:daydream}"``.

    :ivar provider: the name under which the user keeps the key.
    :ivar before: plain text in front of the key.
    :ivar after: plain text behind the key.
    """

    provider: str
    before: str = ""
    after: str = ""

    @property
    def source(self) -> str:
        """The name that may be shown in place of the key, as :class:`Secret` has one."""
        return f"user_key:{self.provider}"


@frozen
class KeyInfo:
    """What the server tells of a key that a user keeps here.

    :ivar last4: the key's last four characters; ``""`` for a short key.
    :ivar updated_at: seconds since 1970.
    """

    provider: str
    last4: str
    updated_at: int
