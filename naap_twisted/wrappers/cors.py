"""CORS (Fetch standard, "CORS protocol"): which pages may call this server, and what they may read.

The wrapper answers a preflight without authentication and before the rate limit. It refuses an
Origin that is not allowed, so that a refused page costs no upstream work. It never grants Private
Network Access: a public page that asks for it gets a response without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from functools import lru_cache

from attrs import frozen
from twisted.logger import Logger
from twisted.web.resource import IResource

from ..downstream.caller import NOBODY, TrustedProxies
from ..downstream.headers import put_preset, spelled
from ..errors import NotFound, OriginNotAllowed
from ..headers import CORS_ALLOWED_HEADERS, HeaderPatterns, PassedHeaders, is_token
from ..interfaces import IDownstreamRequest, IRouteTable
from ..model import RouteCors
from .base import Wrapper, is_https
from .origins import Origins
from .remedies import HeaderOption, refusals
from .server_names import LOOPBACK_NAMES, host_of

#: More names than any page's preflight requests.
_MOST_REQUESTED = 64
# Bounds on the names in one log line: their length and their number.
_LONGEST = 100
_MOST_NAMED = 16
# Seconds that a browser may remember a preflight.
_MAX_AGE = b"600"
_NO_ROUTE = RouteCors(methods=())
_ALLOW_ORIGIN = spelled(b"Access-Control-Allow-Origin")
_ALLOW_CREDENTIALS = spelled(b"Access-Control-Allow-Credentials")
_EXPOSE = (spelled(b"Access-Control-Expose-Headers"), b"X-Request-ID")


@frozen
class Plan:
    """The CORS header values of one route, ready for the wire.

    :ivar methods: the route's methods and OPTIONS.
    :ivar headers: allowed request headers; *listed* holds them in lower case.
    :ivar extra: names and prefixes that every route allows.
    :ivar passed: by which rule further requested headers are allowed: the route passes them.
    :ivar expose: response headers that the page may read of an answer to OPTIONS: WHIP clients
        look for PATCH there.
    :ivar accepts: header names and media types that a response to OPTIONS announces.
    :ivar own_options: the route answers OPTIONS itself.
    """

    methods: bytes
    headers: bytes
    listed: frozenset[bytes]
    extra: HeaderPatterns
    passed: PassedHeaders
    expose: bytes
    accepts: tuple[tuple[bytes, bytes], ...]
    own_options: bool

    @classmethod
    def compile(cls, route: RouteCors, extra: HeaderPatterns) -> Plan:
        """The plan of *route*, with *extra* names and patterns allowed on every route.

        :raises ValueError: a pattern of the route is malformed.
        """
        own = HeaderPatterns(route.allow_patterns)
        # The registry stands first, because the first spelling of a name is the one that stays.
        headers = _unique(CORS_ALLOWED_HEADERS, extra.names, route.allow_headers, own.names)
        accepts = {"Accept-Post": route.accept_post, "Accept-Patch": route.accept_patch}
        announced = {
            name: types
            for name, types in accepts.items()
            if types and name.removeprefix("Accept-").upper().encode() in route.methods
        }
        return cls(
            methods=b", ".join(dict.fromkeys((*route.methods, b"OPTIONS"))),
            headers=_join(headers),
            listed=frozenset(name.lower().encode("ascii") for name in headers),
            extra=extra,
            passed=PassedHeaders(route.allow_patterns),
            expose=_join(
                _unique(("X-Request-ID", "Allow", "Access-Control-Allow-Methods"), announced)
            ),
            accepts=tuple((name.encode("ascii"), types) for name, types in announced.items()),
            own_options=b"OPTIONS" in route.methods,
        )

    def headers_for(self, requested: Sequence[bytes]) -> bytes:
        """Access-Control-Allow-Headers for the values of Access-Control-Request-Headers.

        Of the requested names it holds those that a pattern allows, each as it was requested.
        """
        if not requested or not (self.extra.prefixes or self.passed.patterns.prefixes):
            return self.headers
        names = (name.strip() for name in b",".join(requested).split(b",")[:_MOST_REQUESTED])
        more = dict.fromkeys(
            name
            for name in names
            if name.lower() not in self.listed
            and (self.extra.match(name) or self.passed.match(name.lower()))
            and is_token(name)
        )
        return b", ".join((self.headers, *more))


class Cors(Wrapper):
    """Answers preflights, refuses foreign origins, and adds CORS headers to other responses.

    A listed origin is echoed, with credentials, and every response has ``Vary: Origin``. Under
    ``"*"`` every response says ``*``, without credentials. ``null`` is never allowed, because every
    sandboxed frame has it. A page of the server's own origin is always allowed: its Origin is the
    request's Host, which has to be one of *own*, for anybody can point another name here.

    :param routes: the methods and headers of each path.
    :param origins: ``"*"``, or origins such as ``"https://app.example.org"``.
    :param extra_headers: ``cors_headers``: names and patterns allowed on every route.
    :param trusted: proxies whose X-Forwarded-Proto is believed; it is a part of the own origin.
    :param own: names of this server, as a Host header spells them.
    :raises ValueError: a header pattern is malformed.
    """

    _log = Logger()

    def __init__(
        self,
        inner: IResource,
        routes: IRouteTable,
        origins: Sequence[str] | str = "*",
        extra_headers: Sequence[str] = (),
        *,
        trusted: TrustedProxies = NOBODY,
        own: Set[bytes] = LOOPBACK_NAMES,
    ) -> None:
        super().__init__(inner)
        self._own = own
        self._routes = routes
        self._origins = Origins(origins)
        self._trusted = trusted
        self._extra_headers = tuple(extra_headers)
        extra = HeaderPatterns(extra_headers)
        # Routes are few and compare by value; the bound serves a route table that makes them up.
        self._plan = lru_cache(maxsize=1024)(lambda route: Plan.compile(route, extra))

    def admit(self, request: IDownstreamRequest) -> bool:
        """Let actual requests of allowed origins go on, and requests without Origin."""
        response = request.responseHeaders
        if not self._origins.any:
            response.addRawHeader(b"Vary", b"Origin")
        origins = request.requestHeaders.getRawHeaders(b"origin")
        options = request.method == b"OPTIONS"
        if origins is None and not options and not self._origins.any:
            return True
        if origins is not None and not self._is_allowed(origins, request):
            self._log_origin(origins)
            request.refuse(OriginNotAllowed(reason="the origin is not in cors_origins"))
            return False
        self._mark(request, origins)
        if not options:
            return True
        route = self._routes.cors_for(request.path)
        plan = self._plan(route or _NO_ROUTE)
        preflight = origins is not None and request.requestHeaders.hasHeader(
            b"access-control-request-method"
        )
        if route is None and preflight:
            request.refuse(NotFound())
            return False
        if route is None or (plan.own_options and not preflight):
            return True
        self._answer_options(request, route, plan, preflight)
        return False

    def _is_allowed(self, values: Sequence[bytes], request: IDownstreamRequest) -> bool:
        if len(values) != 1:
            return False
        origin = values[0]
        return self._origins.allows(origin) or self._is_own(origin, request)

    def _is_own(self, origin: bytes, request: IDownstreamRequest) -> bool:
        """Whether *origin* has the scheme, host and port of this request."""
        host = host_of(request)
        if host is None or host.name not in self._own:
            return False
        if origin == b"https://" + host.authority:
            # An https page can't make an http request, so TLS ended here or at a proxy before us.
            return True
        return origin == b"http://" + host.authority and not is_https(request, self._trusted)

    def _mark(self, request: IDownstreamRequest, origins: Sequence[bytes] | None) -> None:
        headers = request.responseHeaders
        if self._origins.any:
            put_preset(headers, ((_ALLOW_ORIGIN, b"*"), _EXPOSE))
        elif origins is not None:
            # The origin equals a valid one, so it holds no byte that could break the line.
            allowed = (_ALLOW_ORIGIN, origins[0])
            put_preset(headers, (allowed, (_ALLOW_CREDENTIALS, b"true"), _EXPOSE))

    def _answer_options(
        self, request: IDownstreamRequest, route: RouteCors, plan: Plan, preflight: bool
    ) -> None:
        headers = request.responseHeaders
        put = headers.setRawHeaders
        requested = request.requestHeaders.getRawHeaders(b"access-control-request-headers", [])
        allowed = plan.headers_for(requested)
        put(b"Access-Control-Allow-Methods", [plan.methods])
        put(b"Access-Control-Allow-Headers", [allowed])
        if preflight:
            self._log_refused(request, route, plan.methods, requested, allowed)
            put(b"Access-Control-Max-Age", [_MAX_AGE])
            headers.removeHeader(b"access-control-expose-headers")
        else:
            put(b"Allow", [plan.methods])
            for name, types in plan.accepts:
                put(name, [types])
            if headers.hasHeader(b"access-control-expose-headers"):
                put(b"Access-Control-Expose-Headers", [plan.expose])
        request.setResponseCode(204)
        request.finish()

    def _log_refused(
        self,
        request: IDownstreamRequest,
        route: RouteCors,
        methods: bytes,
        requested: Sequence[bytes],
        allowed: bytes,
    ) -> None:
        """Log why the browser will refuse to send the request, which only its user would see."""
        method = request.requestHeaders.getRawHeaders(b"access-control-request-method", [b""])[0]
        if len(method) > _LONGEST or not is_token(method):
            return  # a log line must not quote it
        names = [name.strip() for name in b",".join(requested).split(b",")[:_MOST_REQUESTED]]
        listed = allowed.lower().split(b", ")
        missing = [name for name in names if name.lower() not in listed and is_token(name)]
        problems = refusals(
            method.decode("ascii"),
            [name.decode("ascii") for name in missing if len(name) <= _LONGEST][:_MOST_NAMED],
            methods.decode("ascii").split(", "),
            (),
            HeaderOption.of(route, self._extra_headers),
        )
        if not problems:
            return
        # A preflight gets one log line with all that it lacks, so that it can't flood the log.
        lines = dict.fromkeys(problem.line for problem in problems if problem.line is not None)
        self._log.warn(
            "A preflight was refused{where}: {text}; {remedy}",
            where=f" on {route.route}" if route.route else "",
            text=problems[0].text,
            remedy=f"to allow it: {' and '.join(lines)}" if lines else "no setting allows it",
        )

    def _log_origin(self, values: Sequence[bytes]) -> None:
        """Log the config line that would have allowed the page."""
        line = self._origins.line_allowing(values[0]) if len(values) == 1 else None
        if values == [b"null"]:
            self._log.warn(
                "Refused Origin null: a page opened as a file, or in a sandboxed frame;"
                " serve it over http"
            )
        elif line is None:
            self._log.warn("Refused a request whose Origin no setting can allow")
        else:
            self._log.warn("Refused an origin; to allow it: {line}", line=line)


def _unique(*groups: Iterable[str]) -> tuple[str, ...]:
    """Names in order, each once whatever its case; the first spelling stays."""
    seen: dict[str, str] = {}
    for group in groups:
        for name in group:
            seen.setdefault(name.lower(), name)
    return tuple(seen.values())


def _join(names: Iterable[str]) -> bytes:
    return ", ".join(names).encode("ascii")
