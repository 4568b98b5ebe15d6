"""A proxy route's options, checked and compiled once, before the first request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any

from attrs import field, frozen

from .addresses import parse_allow_network
from .auth.gate import Authorize, is_rule
from .body import ANY_TYPE, BodyPolicy
from .egress import EgressPolicy
from .errors import ConfigError
from .guard import Guard
from .headers import is_token
from .model import (
    AllowedNetwork,
    HeaderPairs,
    RateLimit,
    RouteCors,
    Timeouts,
    rate_limit_problem,
)
from .problems import Problems
from .rewrite import (
    PINNED_PASS,
    PINNED_RELAY,
    SDP_RELAY,
    RequestRewrite,
    ResponseRewrite,
)
from .route_keys import fixed_headers, refuse_as_key
from .route_options import ForwardHeaders, RouteOptions, passed_headers, with_sessions
from .target import PinnedBase
from .units import parse_duration, parse_size
from .whip import rules as whip

_OCTETS = b"application/octet-stream"
_EVERYWHERE = (AllowedNetwork(ip_network("0.0.0.0/0")), AllowedNetwork(ip_network("::/0")))
# An offer and its redirect should not depend on how the browser cut its packets.
_MOST_RESENT = 64 * 1024
_UNPROXIED = ("CONNECT", "TRACE", "OPTIONS")
PolicyMaker = Callable[[Sequence[AllowedNetwork]], EgressPolicy]


@frozen
class Route:
    """A route ready to run.

    :ivar methods: what it answers, OPTIONS excluded.
    :ivar direct: those of them that it answers beside its sessions' Locations, too.
    :ivar pinned: its fixed upstream base; the route is then a branch.
    :ivar forward: the callable that makes the server-side headers, else the mapping.
    :ivar fixed_headers: the server-side headers where no callable makes them.
    :ivar session_ttl: seconds a session's Location works; ``None``: the route has no sessions.
    :ivar patch: what a PATCH may bring; to a session ICE fragments, too.
    """

    methods: tuple[bytes, ...]
    direct: tuple[bytes, ...]
    pinned: PinnedBase | None
    target_url_header: str
    body: BodyPolicy
    timeouts: Timeouts
    forward: ForwardHeaders | None = field(repr=False)
    fixed_headers: HeaderPairs = field(repr=False)
    guard: Guard = field(repr=False)
    request_rewrite: RequestRewrite
    response_rewrite: ResponseRewrite
    authorize: Authorize | None
    envelope: bool
    redact_bodies: bool
    max_in_flight: int | None
    rate_limit: RateLimit | None
    count_tokens: bool
    session_ttl: float | None
    patch: BodyPolicy
    follow_redirects: bool
    cors: RouteCors
    egress: PolicyMaker

    @property
    def injects(self) -> tuple[str, ...]:
        """Names of the headers the server adds; ``("(callable)",)`` where only code knows."""
        if callable(self.forward):
            return tuple(getattr(self.forward, "names", ("(callable)",)))
        return tuple(name.decode("ascii") for name, _ in self.fixed_headers)


def compile_route(options: RouteOptions) -> Route:
    """Check *options* and build the route.

    :raises ConfigError: one line a problem, each opening with the option's name.
    """
    problems = Problems()
    kinds = _content_types(options.content_type, problems)
    limit = 1
    pinned = _pinned(options, problems)
    networks = _networks(options, problems)
    with problems.under("body_limit"):
        limit = parse_size(options.body_limit)
    fixed = fixed_headers(options.forward_headers, problems)
    if options.target is None:
        refuse_as_key(options.target_url_header, options.forward_headers, problems)
    timeouts = _timeouts(options, problems)
    session_ttl = _session_ttl(options, kinds, problems)
    given = options
    options = given if session_ttl is None else with_sessions(given)
    _check_words(options, problems)
    patched = kinds if session_ttl is None else whip.patch_types(kinds)
    whole = _MOST_RESENT if options.follow_redirects else 0
    policy = _egress_maker(options, pinned, networks)
    if options.target is None or pinned is not None:
        _try_policy(policy, problems)
    rewrites: list[Any] = []
    with problems.under():
        rewrites.append(_request_rewrite(options, fixed))
    with problems.under():
        rewrites.append(_response_rewrite(options, pinned, kinds))
    if problems.lines:
        raise ConfigError(*problems.lines)
    return Route(
        methods=_methods(options),
        # Below a pinned base is a whole API: a session's methods must not reach all of it.
        direct=_methods(given if pinned else options),
        pinned=pinned,
        target_url_header=options.target_url_header,
        body=BodyPolicy(kinds, limit, required=pinned is None, whole=whole),
        patch=BodyPolicy(patched, limit, required=pinned is None, whole=whole),
        session_ttl=session_ttl,
        follow_redirects=options.follow_redirects,
        timeouts=timeouts,
        forward=options.forward_headers,
        fixed_headers=fixed,
        guard=Guard(fixed),
        request_rewrite=rewrites[0],
        response_rewrite=rewrites[1],
        authorize=options.authorize,
        envelope=(options.errors or ("passthrough" if pinned else "envelope")) == "envelope",
        redact_bodies=options.redact_bodies,
        max_in_flight=options.max_in_flight,
        rate_limit=options.rate_limit,
        count_tokens=options.count_tokens,
        cors=_cors(options, pinned, kinds if session_ttl is not None else ()),
        egress=policy,
    )


def _try_policy(policy: PolicyMaker, problems: Problems) -> None:
    with problems.under():
        # A host that needs the server's own allow_networks is judged again at the mount.
        policy(_EVERYWHERE)


def _pinned(options: RouteOptions, problems: Problems) -> PinnedBase | None:
    pinned: PinnedBase | None = None
    with problems.under("target"):
        pinned = None if options.target is None else PinnedBase.parse(options.target)
        if pinned is not None and options.allowed_hosts:
            problems.lines.append("allowed_hosts: not used where target is set; leave it out")
    return pinned


def _networks(options: RouteOptions, problems: Problems) -> tuple[AllowedNetwork, ...]:
    with problems.under("allow_networks"):
        return tuple(
            parse_allow_network(entry) if isinstance(entry, str) else entry
            for entry in options.allow_networks
        )
    return ()


def _session_ttl(options: RouteOptions, kinds: tuple[str, ...], problems: Problems) -> float | None:
    with problems.under("location_ttl"):
        ttl = parse_duration(options.location_ttl)
        # A text of methods is refused elsewhere.
        if not isinstance(options.methods, str) and whip.is_whip(kinds, options.methods):
            return ttl
    return None


def _content_types(given: str | Sequence[str], problems: Problems) -> tuple[str, ...]:
    kinds = (given,) if isinstance(given, str) else tuple(given)
    for kind in kinds:
        main, slash, sub = kind.partition("/")
        if kind != ANY_TYPE and not (slash and is_token(main) and is_token(sub)):
            problems.lines.append(f'content_type: {kind!r} is not a media type, nor "*/*"')
    if not kinds:
        problems.lines.append("content_type: expected at least one media type")
    return kinds or (ANY_TYPE,)


def _timeouts(options: RouteOptions, problems: Problems) -> Timeouts:
    def seconds(key: str, value: float | str) -> float:
        with problems.under(key):
            return parse_duration(value)
        return 1.0

    def maybe(key: str, value: float | str | None) -> float | None:
        return None if value is None else seconds(key, value)

    return Timeouts(
        connect=seconds("connect_timeout", options.connect_timeout),
        head=seconds("timeout", options.timeout),
        idle=maybe("idle_timeout", options.idle_timeout),
        total=maybe("total_timeout", options.total_timeout),
    )


def _check_words(options: RouteOptions, problems: Problems) -> None:
    lines = problems.lines
    if isinstance(options.methods, str) or not options.methods:
        lines.append('methods: expected a list such as ["POST"]')
    else:
        lines.extend(
            f"methods[{index}]: {method!r} can not be proxied"
            for index, method in enumerate(options.methods)
            if not is_token(method) or method != method.upper() or method in _UNPROXIED
        )
    if options.max_in_flight is not None and options.max_in_flight < 1:
        lines.append("max_in_flight: must be at least 1")
    if not is_token(options.target_url_header):
        lines.append(f"target_url_header: {options.target_url_header!r} is not a header name")
    if options.errors not in (None, "envelope", "passthrough"):
        lines.append(f'errors: expected "envelope" or "passthrough", not {options.errors!r}')
    problem = rate_limit_problem(options.rate_limit)
    if problem is not None:
        lines.append(f"rate_limit: {problem}")
    authorize = options.authorize
    if not (authorize is None or is_rule(authorize) or callable(authorize)):
        lines.append(
            f'authorize: expected "user", "anyone", "role:x" or a callable, not {authorize!r}'
        )


def _egress_maker(
    options: RouteOptions, pinned: PinnedBase | None, networks: tuple[AllowedNetwork, ...]
) -> PolicyMaker:
    carries_key = bool(options.forward_headers)

    def make(more: Sequence[AllowedNetwork]) -> EgressPolicy:
        opened = (*networks, *more)
        if pinned is None:
            return EgressPolicy(
                options.allowed_hosts,
                options.allowed_schemes,
                options.allowed_ports,
                opened,
                carries_key=carries_key,
            )
        base = pinned.base
        return EgressPolicy(
            (base.host,), (base.scheme,), (base.port,), opened, carries_key=carries_key
        )

    return make


def _request_rewrite(options: RouteOptions, fixed: HeaderPairs) -> RequestRewrite:
    passed = passed_headers(options.pass_headers, pinned=options.target is not None)
    return RequestRewrite(passed, fixed)


def _response_rewrite(
    options: RouteOptions, pinned: PinnedBase | None, kinds: tuple[str, ...]
) -> ResponseRewrite:
    relayed = [*options.response_headers, *(PINNED_RELAY if pinned else ())]
    relayed += SDP_RELAY if whip.OFFER in map(str.lower, kinds) else ()
    return ResponseRewrite(
        relayed,
        options.expose_headers,
        content_type=_OCTETS if kinds[0] == ANY_TYPE else kinds[0].encode("ascii"),
        pinned=pinned is not None,
    )


def _methods(options: RouteOptions) -> tuple[bytes, ...]:
    methods = [method.encode("ascii") for method in options.methods]
    # Who may GET may ask for the head alone (RFC 9110 section 9.3.2).
    if b"GET" in methods and b"HEAD" not in methods:
        methods.append(b"HEAD")
    return tuple(methods)


def _cors(options: RouteOptions, pinned: PinnedBase | None, offers: tuple[str, ...]) -> RouteCors:
    passed = tuple(options.pass_headers or ())
    return RouteCors(
        methods=_methods(options),
        allow_headers=(
            *(() if pinned else (options.target_url_header,)),
            *(whip.CLIENT_HEADERS if offers else ()),
        ),
        allow_patterns=(*PINNED_PASS[-3:], *passed) if pinned else passed,
        accept_post=", ".join(offers).encode("ascii"),
        accept_patch=", ".join(whip.patch_types(offers)).encode("ascii") if offers else b"",
    )
