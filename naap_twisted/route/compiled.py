"""A proxy route's options, checked and compiled once, before the first request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from ..auth.gate import Authorize, is_rule
from ..errors import ConfigError
from ..headers import PINNED_PASS, PINNED_RELAY, SDP_RELAY
from ..interfaces import IKeyStore
from ..keys.headers import UserKeyHeaders
from ..model import AllowedNetwork, HeaderPairs, RateLimit, RouteCors, Timeouts, UserKeyHeader
from ..options.references import import_object
from ..options.route import RouteOptions, passed_headers, with_sessions
from ..options.secrets import InjectedHeaders
from ..policy.egress import EgressPolicy
from ..policy.target import PinnedBase
from ..secret import Secret
from ..whip import rules as whip
from .body import ANY_TYPE, BodyPolicy
from .rewrite import RequestRewrite, ResponseRewrite, injected_headers
from .scrub import Guard

_OCTETS = b"application/octet-stream"
# An offer and its redirect should not depend on how the browser cut its packets.
_MOST_RESENT = 64 * 1024
PolicyMaker = Callable[[Sequence[AllowedNetwork]], EgressPolicy]


@frozen
class Route:
    """A route ready to run.

    :ivar methods: what it answers, OPTIONS excluded.
    :ivar direct: those of them that it answers beside its sessions' Locations, too.
    :ivar pinned: its fixed upstream base; the route is then a branch.
    :ivar forward: the callable that makes the server-side headers; ``None``: they are fixed.
    :ivar fixed_headers: the server-side headers where no callable makes them.
    :ivar injects: names of the headers the server adds; ``("(callable)",)`` where only code knows.
    :ivar user_keys: headers that hold the caller's own key: :meth:`with_keys` makes *forward* of
        them, once there is a store.
    :ivar session_ttl: seconds a session's Location works; ``None``: the route has no sessions.
    :ivar patch: what a PATCH may bring; to a session ICE fragments, too.
    """

    methods: tuple[bytes, ...]
    direct: tuple[bytes, ...]
    pinned: PinnedBase | None
    target_url_header: str
    body: BodyPolicy
    timeouts: Timeouts
    forward: Callable[..., Any] | None = field(repr=False)
    fixed_headers: HeaderPairs = field(repr=False)
    injects: tuple[str, ...]
    user_keys: Mapping[str, Secret | UserKeyHeader] = field(repr=False)
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

    def with_keys(self, keys: IKeyStore) -> Route:
        """This route, its callers' own keys taken from *keys*."""
        return evolve(self, forward=UserKeyHeaders(self.user_keys, keys))


def compile_route(given: RouteOptions) -> Route:
    """Build the route of options that were read and judged.

    :raises ConfigError: an ``authorize`` that can't be imported.
    """
    kinds = given.content_type
    pinned = None if given.target is None else PinnedBase.parse(given.target)
    has_sessions = whip.is_whip(kinds, given.methods)
    options = with_sessions(given) if has_sessions else given
    patched = whip.patch_types(kinds) if has_sessions else kinds
    whole = _MOST_RESENT if options.follow_redirects else 0
    needs_body = pinned is None
    headers = options.forward_headers
    fixed, user_keys = _headers(headers)
    passed = passed_headers(options.pass_headers, pinned=pinned is not None)
    return Route(
        methods=_methods(options),
        # Below a pinned base is a whole API: a session's methods must not reach all of it.
        direct=_methods(given if pinned else options),
        pinned=pinned,
        target_url_header=options.header,
        body=BodyPolicy(kinds, options.body_limit, required=needs_body, whole=whole),
        patch=BodyPolicy(patched, options.body_limit, required=needs_body, whole=whole),
        session_ttl=options.location_ttl if has_sessions else None,
        follow_redirects=options.follow_redirects,
        timeouts=Timeouts(
            options.connect_timeout, options.timeout, options.idle_timeout, options.total_timeout
        ),
        forward=headers if callable(headers) else None,
        fixed_headers=fixed,
        injects=getattr(headers, "names", ("(callable)",)) if callable(headers) else (*headers,),
        user_keys=user_keys,
        guard=Guard(fixed),
        request_rewrite=RequestRewrite(passed, fixed),
        response_rewrite=_response_rewrite(options, pinned),
        authorize=_authorize(options.authorize),
        envelope=(options.errors or ("passthrough" if pinned else "envelope")) == "envelope",
        redact_bodies=options.redact_bodies,
        max_in_flight=options.max_in_flight,
        rate_limit=options.rate_limit,
        count_tokens=options.count_tokens,
        cors=_cors(options, pinned, kinds if has_sessions else ()),
        egress=_egress_maker(options, pinned),
    )


def _headers(
    given: InjectedHeaders,
) -> tuple[HeaderPairs, Mapping[str, Secret | UserKeyHeader]]:
    """The headers that are the same for everybody, or those that hold a user's key."""
    if callable(given):
        return (), {}
    fixed = {name: value for name, value in given.items() if isinstance(value, Secret)}
    return (injected_headers(fixed), {}) if len(fixed) == len(given) else ((), given)


def _authorize(given: Authorize | None) -> Authorize | None:
    if given is None or callable(given) or is_rule(given):
        return given
    try:
        found = import_object(given)
    except ConfigError as error:
        raise ConfigError(*(f"authorize: {line}" for line in error.problems)) from None
    if not callable(found):
        raise ConfigError(f"authorize: {given} is not callable")
    return found  # type: ignore[no-any-return]


def _egress_maker(options: RouteOptions, pinned: PinnedBase | None) -> PolicyMaker:
    hosts, schemes, ports = options.allowed_hosts, options.allowed_schemes, options.allowed_ports
    if pinned is not None:
        base = pinned.base
        hosts, schemes, ports = (base.host,), (base.scheme,), (base.port,)

    def make(more: Sequence[AllowedNetwork]) -> EgressPolicy:
        opened = (*options.allow_networks, *more)
        return EgressPolicy(
            hosts, schemes, ports, opened, carries_key=bool(options.forward_headers)
        )

    return make


def _response_rewrite(options: RouteOptions, pinned: PinnedBase | None) -> ResponseRewrite:
    kinds = options.content_type
    relayed = [*options.response_headers, *(PINNED_RELAY if pinned else ())]
    relayed += SDP_RELAY if whip.OFFER in kinds else ()
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
            *(() if pinned else (options.header,)),
            *(whip.CLIENT_HEADERS if offers else ()),
        ),
        allow_patterns=(*PINNED_PASS[-3:], *passed) if pinned else passed,
        accept_post=", ".join(offers).encode("ascii"),
        accept_patch=", ".join(whip.patch_types(offers)).encode("ascii") if offers else b"",
    )
