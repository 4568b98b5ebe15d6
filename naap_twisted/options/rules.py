"""What options may not be beside one another: a condition, the words for it, a remedy.

The same rules judge what a file says and what code gives; :mod:`.judge` says when. They are data,
over 400 lines of it, and stay together so that one look finds whether a rule is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import frozen

from ..auth.credentials import CSRF_COOKIE, SESSION_COOKIE
from ..auth.gate import is_rule
from ..auth.tokens import TokenAuthenticator
from ..credentials.sigv4 import OWN_HEADERS, AwsSigV4
from ..documents.reader import readable
from ..model import AllowedNetwork
from ..whip.rules import FORM, OFFER
from .auth import BY_CODE, AuthOptions
from .read import Problems
from .route import RouteOptions
from .server import Config

T = TypeVar("T")
SIGV4_HEADERS = frozenset(name.lower() for name in OWN_HEADERS)
_HTTPS_ONLY = (
    "a route's keys are sent over https only; or list the upstream's network in allow_networks",
    ("upstream.allow_networks",),
)


@frozen
class Rule(Generic[T]):
    """One rule about a *T*.

    :ivar option: whose line it is, below the place of *T*.
    :ivar broken: the condition.
    :ivar words: what is wrong; what to do instead.
    :ivar unless: other options by whose problems it can't be told; with a dot: of the server.
    """

    option: str
    broken: Callable[[T], object]
    words: str
    unless: tuple[str, ...] = ()

    def judge(self, subject: T, place: str, problems: Problems) -> None:
        """Note a breach."""
        names = (self.option, *self.unless)
        moot = problems.touch(*(name if "." in name else f"{place}.{name}" for name in names))
        if not moot and self.broken(subject):
            problems.add(f"{place}.{self.option}", self.words)


@frozen
class Placed:
    """A route on its server."""

    config: Config
    route: RouteOptions

    @property
    def networks(self) -> tuple[AllowedNetwork, ...]:
        """The non-public networks that the route may reach."""
        return (*self.route.allow_networks, *self.config.upstream.allow_networks)

    @property
    def is_bare(self) -> bool:
        """Whether it sends keys and no network of the operator's own is excepted."""
        return self.route.carries_key and not self.networks


def forwarded(route: RouteOptions) -> frozenset[str]:
    """The names in ``forward_headers``, lower-cased; none where a callable makes them."""
    headers = route.forward_headers
    return frozenset() if callable(headers) else frozenset(name.lower() for name in headers)


def _takes_documents(route: RouteOptions) -> bool:
    """Whether bodies that can be judged are taken: JSON, forms, or a session's rewritten offer."""
    kinds = (kind.lower() for kind in route.content_type)
    return bool(route.session) or any(
        kind.endswith("/*") or readable(kind.encode("ascii")) for kind in kinds
    )


def on_loopback(config: Config) -> bool:
    """Whether every listening address is reachable from this machine only."""
    return all(listen.local for listen in config.server.listen)


def effective_authorize(config: Config, route: RouteOptions) -> str:
    """``authorize`` with the contract's default filled in."""
    if route.authorize is not None:
        return route.authorize if isinstance(route.authorize, str) else "callable"
    return "user" if config.auth.is_required else "anyone"


def is_kept(config: Config) -> bool:
    """Whether there is a database."""
    return bool(config.server.state_dir or config.server.database_url)


#: Where callers read their usage and their budgets.
USAGE_PATH = "/usage"


def tells_usage(config: Config) -> bool:
    """Whether there is something that a caller can read at ``/usage``."""
    routes = any(route.budget for route in config.proxy)
    return is_kept(config) or bool(config.server.budget) or routes


def keeps_keys(config: Config) -> bool:
    """Whether there is a store of users' keys."""
    return config.keys.master_key is not None or config.keys.keys is not None


AUTH: tuple[Rule[AuthOptions], ...] = (
    Rule(
        "required",
        lambda auth: auth.mode == "none" and auth.required and auth.page_tokens is None,
        'true needs auth, and auth.mode is "none"; choose a mode, or delete one of them',
    ),
    Rule(
        "page_tokens",
        lambda auth: (
            auth.mode in ("none", "guest")
            and auth.page_tokens is not None
            and not auth.page_tokens.issuers
        ),
        "needs issuers, for in this auth.mode nobody else could mint a token; write issuers ="
        ' ["${env:PAGE_TOKEN_ISSUER}"], or choose a mode',
        ("mode", "required"),
    ),
    Rule(
        "secret",
        lambda auth: auth.mode == BY_CODE and auth.secret is not None,
        "has no meaning beside authenticator; give one of them",
    ),
    Rule(
        "guest",
        lambda auth: auth.mode == BY_CODE and auth.guest is not None,
        "has no meaning beside authenticator; give one of them",
    ),
    Rule(
        "session_cookie",
        lambda auth: auth.mode == "guest" and auth.session_cookie != SESSION_COOKIE,
        'has no meaning in mode "guest"; write guest = { cookie = "..." }',
    ),
    Rule(
        "guest",
        lambda auth: auth.mode == "guest" and auth.csrf_cookie in ("", auth.guests.cookie),
        "needs a csrf_cookie of another name than its own cookie has; choose one",
        ("csrf_cookie",),
    ),
    Rule(
        "csrf_cookie",
        lambda auth: (
            auth.mode != "guest"
            and auth.session_cookie
            and auth.csrf_cookie in ("", auth.session_cookie)
        ),
        "must have a name of its own beside session_cookie; choose another",
    ),
    Rule(
        "session_url",
        lambda auth: auth.mode == "session" and not auth.session_url,
        'is missing: the URL that says who a token belongs to; or write mode = "jwt" or "none"',
    ),
    *(
        Rule[AuthOptions](
            key,
            broken,
            'has no meaning in mode "tokens", whose tokens stand in headers only; delete it',
        )
        for key, broken in (
            (
                "session_cookie",
                lambda at: at.mode == "tokens" and at.session_cookie not in ("", SESSION_COOKIE),
            ),
            ("csrf_cookie", lambda at: at.mode == "tokens" and at.csrf_cookie != CSRF_COOKIE),
        )
    ),
)

TOKENS: tuple[Rule[Config], ...] = tuple(
    Rule(
        option,
        broken,
        "needs state_dir or database_url to find the tokens in; set one of them",
        ("server.state_dir", "server.database_url"),
    )
    for option, broken in (
        ("mode", lambda at: at.auth.mode == "tokens" and not is_kept(at)),
        (
            "authenticator",
            lambda at: isinstance(at.auth.authenticator, TokenAuthenticator) and not is_kept(at),
        ),
    )
)

STORES: tuple[Rule[Config], ...] = (
    Rule(
        "master_key",
        lambda config: (
            config.keys.master_key is not None and config.keys.keys is None and not is_kept(config)
        ),
        "needs state_dir or database_url to keep the keys in; set one of them",
        ("server.state_dir", "server.database_url"),
    ),
    Rule(
        "master_key",
        lambda config: config.keys.master_key is not None and config.keys.keys is not None,
        "has no meaning beside a key store of your own; delete one of them",
    ),
)

SERVER: tuple[Rule[Config], ...] = (
    Rule(
        "alert_secret",
        lambda config: config.server.alert_secret is not None and config.server.alert_url is None,
        "signs what alert_url gets, and there is none; set it, or delete this",
        ("server.alert_url",),
    ),
)

ROUTE: tuple[Rule[RouteOptions], ...] = (
    Rule(
        "allowed_hosts",
        lambda route: route.target is None and not route.allowed_hosts,
        "is missing; name each host, or pin the route with target",
        ("target", "provider"),
    ),
    Rule(
        "budget",
        lambda route: any(budget.of == "server" for budget in route.budget),
        'is of the whole server; write it at server.budget, or of = "route"',
    ),
    Rule(
        "session",
        lambda route: route.session and not {OFFER, FORM} & {*route.content_type},
        "has no meaning on a route that takes neither SDP nor forms; add them to content_type",
        ("content_type",),
    ),
    Rule(
        "session",
        # Another parser may take a body of another type for such a form.
        lambda route: route.session and any(kind.endswith("/*") for kind in route.content_type),
        "is not looked for in other types, and content_type takes families; name each type there",
        ("content_type",),
    ),
    Rule(
        "replay",
        lambda route: route.replay is not None and route.session,
        "has no meaning beside session: the answer to an offer is for one connection of its page,"
        " and no other can use it; delete one of them",
        ("session",),
    ),
    *(
        Rule[RouteOptions](
            key,
            broken,
            "has no meaning beside target, but for redirects that are followed; write"
            " follow_redirects = true with allowed_hosts, or delete one of them",
        )
        for key, broken in (
            ("allowed_hosts", lambda at: at.is_pinned_alone and at.allowed_hosts),
            ("allowed_schemes", lambda at: at.is_pinned_alone and at.allowed_schemes != ("https",)),
            ("allowed_ports", lambda at: at.is_pinned_alone and at.allowed_ports is not None),
        )
    ),
    *(
        Rule[RouteOptions](key, broken, "has no meaning beside target; delete one of them")
        for key, broken in (
            ("target_url_header", lambda route: route.target and route.target_url_header),
            ("hosts", lambda route: route.target and route.hosts),
        )
    ),
    *(
        Rule[RouteOptions](
            "observe",
            broken,
            f"has no meaning beside {key}, since an observing route refuses nothing; delete one"
            " of them",
            (key,),
        )
        for key, broken in (
            ("endpoints", lambda route: route.observe and route.endpoints),
            ("query", lambda route: route.observe and route.query is not None),
            ("models", lambda route: route.observe and route.models),
            ("max_output_tokens", lambda route: route.observe and route.max_output_tokens),
            ("body", lambda route: route.observe and route.body),
            ("judge", lambda route: route.observe and route.judge),
        )
    ),
    Rule(
        "max_output_tokens",
        lambda route: (
            route.max_output_tokens is not None
            and (route.target is None or route.provider is None or not route.provider.limits)
        ),
        "needs a provider whose file names the limits of its API, and its target; write"
        " body.rules = { max_tokens = { max = 2000, required = true } } for another API",
        ("provider", "target"),
    ),
    *(
        Rule[RouteOptions](
            key,
            broken,
            "has no meaning on a route that takes neither JSON nor forms; add them to content_type",
            ("content_type",),
        )
        for key, broken in (
            ("body", lambda route: route.body and not _takes_documents(route)),
            ("judge", lambda route: route.judge and not _takes_documents(route)),
            (
                "max_output_tokens",
                lambda route: route.max_output_tokens and not _takes_documents(route),
            ),
        )
    ),
    Rule(
        "encoded_slashes",
        lambda route: route.encoded_slashes and not route.endpoints,
        "has no meaning without endpoints, whose patterns it is about; delete it",
        ("endpoints",),
    ),
    Rule(
        "pass_headers",
        lambda route: {name.lower() for name in route.pass_headers} & {*route.overriding_headers},
        "names a header from which some upstream takes another method or path than endpoints opens;"
        " take it out",
        ("endpoints",),
    ),
    Rule(
        "client_cert",
        lambda route: route.client_cert and route.target and route.target.base.scheme == "http",
        "has no meaning over http, where nobody asks for it; delete it",
        ("target",),
    ),
    Rule(
        "oauth2",
        lambda route: route.oauth2 and "authorization" in forwarded(route),
        "has no meaning beside an Authorization in forward_headers; delete one of them",
        ("forward_headers",),
    ),
    Rule(
        "sign",
        lambda route: (
            isinstance(route.sign, AwsSigV4)
            and (route.oauth2 or not forwarded(route).isdisjoint(SIGV4_HEADERS))
        ),
        "with aws_sigv4 has no meaning beside oauth2, nor beside an Authorization or X-Amz header"
        " of its own in forward_headers; delete one of them",
        ("forward_headers", "oauth2"),
    ),
)

# Over http a key is readable on the way; only the operator's own networks are excepted.
PLACED: tuple[Rule[Placed], ...] = (
    Rule(
        "retries",
        lambda at: (
            at.route.retries > 0
            and any(
                each.unit != "requests" for each in (*at.route.budget, *at.config.server.budget)
            )
        ),
        "may let an upstream do twice what a budget of tokens or usd counts once; delete it",
        ("budget", "server.budget"),
    ),
    Rule(
        "target",
        lambda at: at.is_bare and at.route.target and at.route.target.base.scheme == "http",
        *_HTTPS_ONLY,
    ),
    Rule(
        "allowed_schemes",
        lambda at: at.is_bare and at.route.target is None and "http" in at.route.allowed_schemes,
        *_HTTPS_ONLY,
    ),
    Rule(
        "oauth2.token_url",
        lambda at: (
            at.route.oauth2 is not None
            and not at.networks
            and at.route.oauth2.token_url.lower().startswith("http:")
        ),
        "is asked over https only; or list its network in allow_networks",
        ("oauth2", "upstream.allow_networks"),
    ),
    Rule(
        "require_origin",
        lambda at: at.route.require_origin and at.config.server.cors_origins == "*",
        "has no meaning where cors_origins lets every page in; list the pages there",
        ("server.cors_origins",),
    ),
    Rule(
        "authorize",
        lambda at: (
            at.config.auth.mode == "none"
            and at.config.auth.page_tokens is None
            and is_rule(at.route.authorize)
            and at.route.authorize != "anyone"
        ),
        'needs auth, and this server has none; turn auth on, or write authorize = "anyone"',
        ("auth.mode", "auth.required", "auth.page_tokens"),
    ),
    Rule(
        "authorize",
        lambda at: at.config.auth.mode == "guest" and str(at.route.authorize).startswith("role:"),
        'lets nobody in, for auth.mode is "guest" and a guest has no role; write "user"',
        ("auth.mode",),
    ),
)

EXPOSURE = Rule[Placed](
    "authorize",
    lambda at: (
        at.route.authorize is None and not at.config.auth.is_required and not on_loopback(at.config)
    ),
    "anybody could use the keys of this route: no caller needs a name, and this server can be"
    " reached from other machines; turn auth on, listen on loopback, or write authorize ="
    ' "anyone"',
    ("auth.mode", "auth.required", "server.listen"),
)
