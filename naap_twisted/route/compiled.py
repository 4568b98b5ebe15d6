"""Compiles a proxy route's options once, before its first request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import evolve, field, frozen

from ..auth.gate import Authorize, is_rule
from ..errors import ConfigError
from ..headers import ACCOUNT_CHOOSING
from ..interfaces import IKeyStore
from ..keys.headers import UserKeyHeaders
from ..model import (
    NOWHERE_ELSE,
    AllowedNetwork,
    HeaderPairs,
    RouteCors,
    Timeouts,
    TokenPlace,
    UserKeyHeader,
)
from ..options.references import import_object
from ..options.route import RouteOptions, with_sessions
from ..options.secrets import InjectedHeaders
from ..policy.egress import EgressPolicy
from ..policy.target import PinnedBase
from ..secret import Secret
from ..whip import rules as whip
from .body import BodyPolicy
from .request_headers import RequestRewrite, injected_headers
from .response_headers import ResponseRewrite
from .scrub import Guard

# Bytes of a body that is read whole where a route follows redirects. Without it a redirect would
# be followed, or not, depending on how the browser's packets arrived.
_MOST_RESENT = 64 * 1024
PolicyMaker = Callable[[Sequence[AllowedNetwork]], EgressPolicy]


@frozen
class Route:
    """A compiled route.

    :ivar methods: the methods that it answers anywhere, OPTIONS excluded.
    :ivar own_methods: those of them that it answers apart from a WebRTC session's Location.
    :ivar pinned: the fixed upstream base; the route then answers for every path below its own.
    :ivar forward: the callable that makes the injected headers; ``None`` where they are fixed.
    :ivar fixed_headers: the injected headers where no callable makes them.
    :ivar token: where the route's clients put their caller's token.
    :ivar injects: names of the injected headers; ``("(callable)",)`` where only a callable knows.
    :ivar user_keys: headers that hold the user's own key: :meth:`with_keys` makes *forward* of
        them, once there is a store.
    :ivar session_ttl: seconds that the Location of a WebRTC session works; ``None``: no sessions.
    :ivar beyond: makes the policy of redirects that lead away from a pinned base's origin.
    :ivar patch: the bodies that a PATCH may have; to a session, ICE fragments, too.
    """

    methods: tuple[bytes, ...]
    own_methods: tuple[bytes, ...]
    pinned: PinnedBase | None
    target_url_header: str
    body: BodyPolicy
    timeouts: Timeouts
    forward: Callable[..., Any] | None = field(repr=False)
    fixed_headers: HeaderPairs = field(repr=False)
    token: TokenPlace
    injects: tuple[str, ...]
    user_keys: Mapping[str, Secret | UserKeyHeader] = field(repr=False)
    guard: Guard = field(repr=False)
    request_rewrite: RequestRewrite
    response_rewrite: ResponseRewrite
    authorize: Authorize | None
    envelope: bool
    session_ttl: float | None
    patch: BodyPolicy
    cors: RouteCors
    egress: PolicyMaker
    beyond: PolicyMaker | None

    def with_keys(self, keys: IKeyStore) -> Route:
        """This route with users' own keys taken from *keys*."""
        return evolve(self, forward=UserKeyHeaders(self.user_keys, keys))

    def keeping(self, token: TokenPlace) -> Route:
        """This route on a server whose callers may put their tokens at *token*."""
        names = [name.decode("ascii") for name in token.headers]
        return evolve(self, request_rewrite=self.request_rewrite.keeping(names)) if names else self


def compile_route(written: RouteOptions) -> Route:
    """Build the route of options that were read and judged.

    :raises ConfigError: ``authorize`` can't be imported.
    """
    types = written.content_type
    pinned = None if written.target is None else PinnedBase.parse(written.target)
    has_sessions = whip.is_whip(types, written.methods)
    options = with_sessions(written) if has_sessions else written
    patch_types = whip.patch_types(types) if has_sessions else types
    body_policy = partial(
        BodyPolicy,
        limit=options.body_limit,
        required=options.body_required,
        resendable=_MOST_RESENT if options.follow_redirects else 0,
    )
    headers = options.forward_headers
    fixed, user_keys = _headers(headers)
    provider = options.provider
    return Route(
        methods=_methods(options),
        # Below a pinned base is a whole API: a session's methods must not reach all of it.
        own_methods=_methods(written if pinned else options),
        pinned=pinned,
        target_url_header=options.header,
        body=body_policy(types),
        patch=body_policy(patch_types),
        session_ttl=options.location_ttl if has_sessions else None,
        timeouts=Timeouts(
            options.connect_timeout, options.timeout, options.idle_timeout, options.total_timeout
        ),
        forward=headers if callable(headers) else None,
        fixed_headers=fixed,
        token=NOWHERE_ELSE if provider is None else provider.token_place,
        injects=getattr(headers, "names", ("(callable)",)) if callable(headers) else (*headers,),
        user_keys=user_keys,
        guard=Guard(fixed),
        request_rewrite=RequestRewrite(
            options.passed_headers,
            fixed,
            named=options.pass_headers,
            choosing=(*ACCOUNT_CHOOSING, *(() if provider is None else provider.headers.choosing)),
            kept=_read_here(options),
        ),
        response_rewrite=ResponseRewrite(options.relayed_headers, options.expose_headers),
        authorize=_authorize(options.authorize),
        envelope=(options.errors or ("passthrough" if pinned else "envelope")) == "envelope",
        cors=_cors(options, types if has_sessions else ()),
        egress=_egress_maker(options, pinned),
        beyond=_beyond_maker(options) if pinned and options.allowed_hosts else None,
    )


def _headers(headers: InjectedHeaders) -> tuple[HeaderPairs, Mapping[str, Secret | UserKeyHeader]]:
    """The headers that every request has alike, or all of them where one holds a user's key."""
    if callable(headers):
        return (), {}
    fixed = {name: value for name, value in headers.items() if isinstance(value, Secret)}
    return (injected_headers(fixed), {}) if len(fixed) == len(headers) else ((), headers)


def _authorize(rule: Authorize | None) -> Authorize | None:
    if rule is None or callable(rule) or is_rule(rule):
        return rule
    try:
        imported = import_object(rule)
    except ConfigError as error:
        raise ConfigError(*(f"authorize: {line}" for line in error.problems)) from None
    if not callable(imported):
        raise ConfigError(f"authorize: {rule} is not callable")
    return imported  # type: ignore[no-any-return]


def _egress_maker(options: RouteOptions, pinned: PinnedBase | None) -> PolicyMaker:
    hosts, schemes, ports = options.allowed_hosts, options.allowed_schemes, options.allowed_ports
    if pinned is not None:
        base = pinned.base
        hosts, schemes, ports = (base.host,), (base.scheme,), (base.port,)

    def make(of_server: Sequence[AllowedNetwork]) -> EgressPolicy:
        networks = (*options.allow_networks, *of_server)
        carries_key = bool(options.forward_headers)
        return EgressPolicy(
            hosts, schemes, ports, networks, carries_key=carries_key, pinned=pinned is not None
        )

    return make


def _beyond_maker(options: RouteOptions) -> PolicyMaker:
    hosts, schemes, ports = options.allowed_hosts, options.allowed_schemes, options.allowed_ports

    def make(of_server: Sequence[AllowedNetwork]) -> EgressPolicy:
        # No key goes to another origin, so carries_key stays false.
        return EgressPolicy(hosts, schemes, ports, (*options.allow_networks, *of_server))

    return make


def _methods(options: RouteOptions) -> tuple[bytes, ...]:
    methods = [method.encode("ascii") for method in options.methods]
    # A resource that answers GET answers HEAD (RFC 9110 section 9.3.2).
    if b"GET" in methods and b"HEAD" not in methods:
        methods.append(b"HEAD")
    return tuple(methods)


def _read_here(options: RouteOptions) -> tuple[str, ...]:
    """Headers that this server reads itself: the target's, and those of callers' tokens."""
    own = (options.header,) if options.target is None else ()
    return (*own, *(() if options.provider is None else options.provider.token.headers))


def _cors(options: RouteOptions, offers: tuple[str, ...]) -> RouteCors:
    return RouteCors(
        methods=_methods(options),
        allow_headers=_read_here(options),
        allow_patterns=options.passed_headers,
        pass_headers=options.pass_headers,
        accept_post=", ".join(offers).encode("ascii"),
        accept_patch=", ".join(whip.patch_types(offers)).encode("ascii") if offers else b"",
    )
