"""Compiles a proxy route's options once, before its first request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import evolve, field, frozen

from ..auth.gate import Authorize, is_rule
from ..credentials.oauth2 import ClientCredentials
from ..credentials.rereading import secrets_in_files
from ..credentials.sigv4 import OWN_HEADERS, AwsSigV4, SigV4Signer
from ..errors import ConfigError
from ..headers import ACCOUNT_CHOOSING
from ..interfaces import IKeyStore
from ..model import (
    NOWHERE_ELSE,
    AllowedNetwork,
    ClientCertificate,
    RouteCors,
    Target,
    Timeouts,
    TokenPlace,
)
from ..options.client_certs import client_certificate
from ..options.references import import_object
from ..options.route import RouteOptions, with_sessions
from ..policy.egress import EgressPolicy
from ..policy.endpoints import Endpoint, Endpoints
from ..policy.models import Models
from ..policy.output_limit import LimitedEndpoints, OutputLimit
from ..policy.query_rules import QueryRules
from ..policy.target import PinnedBase
from ..spend.tokens import TokenMembers
from ..whip import rules as whip
from .body import BodyPolicy
from .calls import call_rewrite
from .injection import Injection
from .judgement import BodyJudge
from .metering import asking_of, costing_of, limited_endpoints, token_members
from .narrowing import Narrowing
from .observed_body import MOST_READ
from .opening import Opening, model_places
from .request_headers import RequestRewrite, injected_headers
from .response_headers import ResponseRewrite
from .scrub import Guard
from .sealing import Sealing
from .signing import Signing
from .spending import Costing
from .usage_asking import UsageAsking

_FORM = b"application/x-www-form-urlencoded"
# APIs that take urlencoded forms take a query's parameters for their fields, too.
_FORMS = frozenset(("application/x-www-form-urlencoded", "*/*"))
#: Stands for a certificate in the list of what a route injects.
CERTIFICATE = "(client certificate)"
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
    :ivar injection: what it adds to its requests.
    :ivar hosts: what it adds instead to those of single hosts.
    :ivar token: where the route's clients put their caller's token.
    :ivar injects: names of the headers and query parameters that hold keys, ``"target"`` for the
        base's path; ``"(callable)"`` where only a callable knows them.
    :ivar guard: looks for all of its keys, but for those that a callable makes.
    :ivar session_ttl: seconds that the Location of a WebRTC session works; ``None``: no sessions.
    :ivar tokens: where answers report a model's tokens; ``None``: they are not counted.
    :ivar costing: tells what a request may cost.
    :ivar narrowing: holds requests to the models of their page token.
    :ivar asking: how a stream's usage is asked for; ``None``: it is not.
    :ivar opening: what it opens of its upstream; ``None``: everything.
    :ivar judge: the rules about its requests' bodies; ``None``: there are none.
    :ivar beyond: makes the policy of redirects that lead away from a pinned base's origin.
    :ivar patch: the bodies that a PATCH may have; to a session, ICE fragments, too.
    """

    methods: tuple[bytes, ...]
    own_methods: tuple[bytes, ...]
    pinned: PinnedBase | None
    opening: Opening | None
    judge: BodyJudge | None
    target_url_header: str
    body: BodyPolicy
    timeouts: Timeouts
    injection: Injection
    hosts: Mapping[str, Injection]
    token: TokenPlace
    injects: tuple[str, ...]
    guard: Guard = field(repr=False)
    oauth2: ClientCredentials | None
    signing: Signing | None
    certificate: ClientCertificate | None
    request_rewrite: RequestRewrite
    response_rewrite: ResponseRewrite
    authorize: Authorize | None
    envelope: bool
    session_ttl: float | None
    patch: BodyPolicy
    tokens: TokenMembers | None
    costing: Costing
    narrowing: Narrowing
    asking: UsageAsking | None
    cors: RouteCors
    egress: PolicyMaker
    beyond: PolicyMaker | None

    def with_keys(self, keys: IKeyStore) -> Route:
        """This route with users' own keys taken from *keys*."""
        hosts = {host: injection.with_keys(keys) for host, injection in self.hosts.items()}
        return evolve(self, injection=self.injection.with_keys(keys), hosts=hosts)

    @property
    def needs_keys(self) -> bool:
        """Whether it sends users' own keys, from a store."""
        return any(each.user_keys for each in (self.injection, *self.hosts.values()))

    def sealing_of(self, target: Target) -> Sealing | None:
        """What puts keys into *target*."""
        return self.hosts.get(target.host, self.injection).sealing

    def judged(self, target: Target) -> Target:
        """*target* again, as a page may name it.

        :raises InvalidTarget: it sets a query parameter of the route's own.
        """
        sealing = self.sealing_of(target)
        if sealing is not None:
            sealing.refuse_own(target)
        return target

    def keeping(self, token: TokenPlace) -> Route:
        """This route on a server whose callers may put their tokens at *token*."""
        names = [name.decode("ascii") for name in token.headers]
        return evolve(self, request_rewrite=self.request_rewrite.keeping(names)) if names else self


def compile_route(written: RouteOptions) -> Route:
    """Build the route of options that were read and judged.

    :raises ConfigError: ``authorize`` or ``sign`` can't be imported.
    """
    has_sessions = whip.is_whip(written.content_type, written.methods)
    options = with_sessions(written) if has_sessions else written
    opening, limits = _opening(options), limited_endpoints(options.provider)
    parting = opening or Opening(pinned=options.target)
    judge, asking = _judge(options, parting, limits), asking_of(options, parting)
    body, patch, narrowing = _body_policies(options, judge, asking, sessions=has_sessions)
    injection = Injection.compile(options.keys, options.target)
    provider = options.provider
    return Route(
        methods=_methods(options),
        # Below a pinned base is a whole API: a session's methods must not reach all of it.
        own_methods=_methods(written if written.target else options),
        pinned=options.target,
        opening=opening,
        judge=judge,
        target_url_header=options.header,
        body=body,
        narrowing=narrowing,
        patch=patch,
        tokens=token_members(provider) if options.count_tokens else None,
        asking=asking,
        costing=costing_of(options, parting, limits),
        session_ttl=options.location_ttl if has_sessions else None,
        timeouts=_timeouts(options),
        injection=injection,
        hosts={host: Injection.compile(table) for host, table in options.hosts.items()},
        token=NOWHERE_ELSE if provider is None else provider.token_place,
        injects=_injects(options),
        guard=_guard(options),
        oauth2=options.oauth2,
        signing=_signing(options),
        certificate=client_certificate(options),
        request_rewrite=_request_rewrite(options, injection),
        response_rewrite=ResponseRewrite(options.relayed_headers, options.expose_headers),
        authorize=_authorize(options.authorize),
        envelope=options.errors_are == "envelope",
        cors=_cors(options, options.content_type if has_sessions else ()),
        egress=_egress_maker(options, options.target),
        beyond=_beyond_maker(options) if options.target and options.allowed_hosts else None,
    )


def _body_policies(
    options: RouteOptions, judge: BodyJudge | None, asking: UsageAsking | None, *, sessions: bool
) -> tuple[BodyPolicy, BodyPolicy, Narrowing]:
    """How bodies are read, those of PATCH, and both where a page token narrows their models."""
    types = options.content_type
    patch_types = whip.patch_types(types) if sessions else types
    policy = partial(
        BodyPolicy,
        limit=options.body_limit,
        required=options.body_required,
        resendable=_MOST_RESENT if options.follow_redirects else 0,
        whole=_signs_body(options),
        noted=MOST_READ if options.observe else 0,
    )
    rewrite, judged = call_rewrite(options.session) if options.session else None, judge is not None
    return (
        policy(types, rewrite=rewrite, judged=judged, asking=asking is not None),
        policy(patch_types, judged=judged),
        Narrowing(
            not options.follow_redirects,
            model_places(options.provider),
            options.target,
            not _FORMS.isdisjoint(types),
            body=policy(types, rewrite=rewrite, judged=True),
            patch=policy(patch_types, judged=True),
        ),
    )


def _request_rewrite(options: RouteOptions, injection: Injection) -> RequestRewrite:
    provider = options.provider
    choosing = () if provider is None else provider.headers.choosing
    return RequestRewrite(
        options.passed_headers,
        injection.headers,
        named=options.pass_headers,
        choosing=(*ACCOUNT_CHOOSING, *choosing),
        kept=_read_here(options),
        overriding=options.overriding_headers,
        yielding=("Authorization",) if provider is not None and provider.token.users else (),
    )


def _timeouts(options: RouteOptions) -> Timeouts:
    return Timeouts(
        options.connect_timeout, options.timeout, options.idle_timeout, options.total_timeout
    )


def _opening(options: RouteOptions) -> Opening | None:
    if not options.endpoints and options.query is None and not options.models:
        return None
    entries = [Endpoint.parse(text) for text in options.endpoints]
    endpoints = Endpoints(entries, encoded_slashes=options.encoded_slashes) if entries else None
    # What overrides a method in the query would undo the endpoints.
    query = QueryRules() if options.query is None and entries else options.query
    return Opening(endpoints, query, _models(options), options.target)


def _models(options: RouteOptions) -> Models | None:
    return Models(options.models, model_places(options.provider)) if options.models else None


def _judge(
    options: RouteOptions, opening: Opening, limits: Sequence[LimitedEndpoints]
) -> BodyJudge | None:
    rules, bound = options.body, options.max_output_tokens
    limit = None if bound is None or options.provider is None else OutputLimit(bound, limits)
    judge: Any = options.judge
    if isinstance(judge, str):
        judge = _imported("judge", judge)
    if rules is None and limit is None and judge is None and not options.models:
        return None
    return BodyJudge(
        opening,
        rules,
        limit,
        judge,
        merged=not _FORMS.isdisjoint(options.content_type),
        answering=[each.endpoints for each in limits],
        empty=(b"{}", b"application/json") if _takes_json(options) else (b"", _FORM),
    )


def _takes_json(options: RouteOptions) -> bool:
    types = {*options.content_type}
    taken = types & {"application/json", "application/*", "*/*"}
    return bool(taken) or _FORM.decode() not in types


def _guard(options: RouteOptions) -> Guard:
    """Looks for every fixed key of the route, because one host may know another's."""
    tables = options.key_tables.values()
    headers = [pair for table in tables for pair in injected_headers(table.fixed_headers)]
    secrets = [secret for table in tables for secret in table.query_keys.values()]
    return Guard(headers, *secrets, *(options.target.secrets if options.target else ()))


def compile_again(options: RouteOptions, before: RouteOptions) -> Route:
    """The route of *options*, which have other secrets than *before*, and guard those, too."""
    route = compile_route(options)
    return evolve(route, guard=route.guard.beside(*secrets_in_files(before)))


def _injects(options: RouteOptions) -> tuple[str, ...]:
    tables = options.key_tables.values()
    names = [name for table in tables for name in (*table.header_names, *table.query_keys)]
    names += ["target"] if options.target is not None and options.target.secrets else []
    names += ["Authorization"] if options.oauth2 else []
    names += ["(signature)"] if options.sign else []
    names += [CERTIFICATE] if options.client_cert else []
    return tuple(dict.fromkeys(names))


def _signs_body(options: RouteOptions) -> bool:
    return options.sign.signs_body if isinstance(options.sign, AwsSigV4) else bool(options.sign)


def _signing(options: RouteOptions) -> Signing | None:
    sign = options.sign
    if isinstance(sign, AwsSigV4):
        return Signing(SigV4Signer(sign), sign.secrets, OWN_HEADERS)
    if isinstance(sign, str):
        sign = _imported("sign", sign)
    return None if sign is None else Signing(sign)


def _imported(option: str, reference: str) -> Callable[..., Any]:
    try:
        imported = import_object(reference)
    except ConfigError as error:
        raise ConfigError(*(f"{option}: {line}" for line in error.problems)) from None
    if not callable(imported):
        raise ConfigError(f"{option}: {reference} is not callable")
    return imported  # type: ignore[no-any-return]


def _authorize(rule: Authorize | None) -> Authorize | None:
    if rule is None or callable(rule) or is_rule(rule):
        return rule
    return _imported("authorize", rule)


def _egress_maker(options: RouteOptions, pinned: PinnedBase | None) -> PolicyMaker:
    hosts, schemes, ports = options.allowed_hosts, options.allowed_schemes, options.allowed_ports
    if pinned is not None:
        base = pinned.base
        hosts, schemes, ports = (base.host,), (base.scheme,), (base.port,)

    def make(of_server: Sequence[AllowedNetwork]) -> EgressPolicy:
        networks = (*options.allow_networks, *of_server)
        carries_key = options.carries_key
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
