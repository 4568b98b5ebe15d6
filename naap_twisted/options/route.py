"""The options of one route, and what follows from them alone.

It has more than 400 lines, because every option of a route is described here, and only here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import evolve, frozen
from twisted.logger import Logger

from ..auth.gate import Authorize
from ..credentials.oauth2 import ClientCredentials
from ..credentials.sigv4 import AwsSigV4
from ..headers import PASSED, PINNED_PASS, PINNED_RELAY, RELAYED, SDP_RELAY, TAKEN_OUT, extended
from ..interfaces import IUpstream
from ..model import AllowedNetwork, CircuitBreaker, ExposeHeader, RateLimit, UserKeyHeader
from ..policy.body_rules import BodyRules
from ..policy.endpoints import METHOD_OVERRIDES
from ..policy.output_limit import OutputBound
from ..policy.query_rules import QueryRules
from ..policy.target import PinnedBase
from ..secret import Secret
from ..spend.budget import Budget
from ..upstream.agent import as_upstream
from ..whip.rules import CLIENT_HEADERS, DEFAULT_TTL, OFFER, exposed, is_whip, route_methods
from . import http_values as http
from . import values
from .budget import budget_list
from .client_certs import PemFile, client_cert, client_key
from .endpoints import endpoint_text, query_rules
from .injected import KeyTable, QueryPairs, host_tables, pinned_base, query_pairs
from .oauth2 import client_credentials
from .option import in_code, option
from .provider import Provider, provider
from .route_body import Judge, body_rules, judge, model_pattern, output_bound
from .secrets import InjectedHeaders, secret_headers, secret_key
from .signing import Sign, signing
from .values import count, duration, flag, list_of, one_of, one_or_list, optional, size, text, upto

#: Names the URL where no other header was chosen.
TARGET_URL_HEADER = "X-Target-URL"
# More would only be later: what does not answer three times in half a second is down.
_MOST_RETRIES = 5


@values.reads("IUpstream | HTTPClient | StubTreq | None", {})
def _way_out(value: object) -> IUpstream | None:
    with values.option_left_out():
        return None if value is None else as_upstream(value)


@frozen
class RouteOptions:
    """One ``[[proxy]]`` route.

    :ivar target_url_header: ``None`` where nobody said: :attr:`header` has it.
    :ivar errors: ``None`` where nobody said: :attr:`errors_are` has it.
    :ivar authorize: ``None`` where nobody said: ``"user"``, or ``"anyone"`` without auth.
    """

    section: ClassVar[str] = "proxy"

    path: str = option(
        http.mount_path,
        "Where the route stands below `base_path`; in code `mount`'s first argument.",
        '"/openai"',
        keyword="",
        required=True,
    )
    allowed_hosts: tuple[str, ...] = option(
        list_of(text, what="host names"),
        "Exact names; `.example.org` or `*.example.org` for what is below. Beside `target`: where"
        " redirects may lead, with `follow_redirects`.",
        '["api.openai.com"]',
    )
    target: PinnedBase | None = option(
        pinned_base,
        "Instead: a pinned base URL; the route is then a branch, and a base URL for stock SDKs."
        " `${env:X}` and `${file:path}` may stand in its path, and are secret.",
        '"https://api.openai.com/v1"',
    )
    target_url_header: str | None = option(
        http.header_name,
        "The request header that names the URL; allowed in preflights by itself.",
        '"X-WHIP-URL"',
        default=TARGET_URL_HEADER,
        unset=None,
    )
    provider: Provider | None = option(
        provider,
        "A vendor whose stock clients are to work as they are: [one of ours](docs/clients.md), or"
        ' the path of your own file, such as `"./acme.toml"`. It sets `target`, methods, types,'
        " sizes, times, headers and the place of `key`; what the route says itself comes first.",
        '"openai"',
    )
    key: Secret | UserKeyHeader | None = option(
        secret_key,
        "The server-side key, put where the provider wants it.",
        '"${env:OPENAI_API_KEY}"',
        secret=True,
    )
    methods: tuple[str, ...] = option(
        list_of(http.method, what="methods", empty=False),
        "What is proxied; `HEAD` comes with `GET`.",
        '["GET", "POST"]',
        default=("POST",),
    )
    endpoints: tuple[str, ...] = option(
        list_of(endpoint_text, what="endpoints", empty=False),
        "What the route opens, the rest gets 403: a method and a path below `target`, or of every"
        " host, or a whole URL. `*` is one segment, `a*` a prefix of one, `**` at the end all"
        ' below; `"@chat"` a group of the provider\'s. See'
        " [docs/least-privilege.md](docs/least-privilege.md).",
        '["POST /chat/completions", "GET /models/*"]',
        default=(),
    )
    query: QueryRules | None = option(
        query_rules,
        'Values that query parameters may have, `*` at the end for any; `"!" = true`: no others.',
        '{ model = ["gpt-realtime*"], "!" = true }',
    )
    encoded_slashes: bool = option(
        flag,
        "`%2F` inside of what a `*` of `endpoints` matches, as in `/projects/group%2Fname`.",
    )
    models: tuple[str, ...] = option(
        list_of(model_pattern, what="models", empty=False),
        "Models that a request may name, `*` at the end; one that names none is refused.",
        '["gpt-4o-mini", "gpt-5-mini*"]',
        default=(),
    )
    max_output_tokens: OutputBound | None = option(
        output_bound,
        "The most that a model may put out, under each name that the provider's API has for it; set"
        ' where absent. More is refused, or with `over = "clamp"` lowered.',
        '{ tokens = 2000, over = "clamp" }',
    )
    body: BodyRules | None = option(
        body_rules,
        "Rules for JSON and forms: `only`, `forbid`, `set`, `default`, `rules`, `batches`. See"
        " [docs/least-privilege.md](docs/least-privilege.md#bodies).",
        '{ only = ["model", "messages"], rules = { n = { max = 1 } } }',
    )
    judge: Judge | str | None = option(
        judge,
        "A callable `(request, body)` that sees the parsed body, may raise, and may return another;"
        " `package.module:callable`, in code also the callable.",
        '"shop:judge"',
    )
    allowed_schemes: tuple[str, ...] = option(
        list_of(text, what="schemes", empty=False),
        "Schemes of the URL.",
        '["https"]',
        default=("https",),
    )
    allowed_ports: tuple[int, ...] | None = option(
        optional(list_of(values.integer, what="ports", empty=False)),
        "Ports of the URL; else the scheme's own.",
        "[443]",
    )
    content_type: tuple[str, ...] = option(
        one_or_list(http.content_type, what="content types"),
        "The media type taken, or a list; `audio/*` for a family. JSON is checked, the rest"
        " streams. `*/*`: any, unread.",
        '"application/sdp"',
        default="application/json",
    )
    body_limit: int = option(size, 'Request body: bytes, or `"500kb"`.', default="1mb")
    body_required: bool = option(
        flag, "`POST`, `PUT` and `PATCH` without a body are 400; else they go upstream."
    )
    max_response: int | None = option(
        optional(size),
        "The answer's body as the upstream sends it, and where a coding is undone, without it: one"
        " whose length is known is 502, another is cut past it. Streams count whole.",
        '"1gb"',
    )
    timeout: float = option(
        duration, "From the request sent to the response head.", '"60s"', default=30.0
    )
    connect_timeout: float = option(duration, "DNS, TCP and TLS together.", '"10s"', default=10.0)
    idle_timeout: float | None = option(
        optional(duration), "Between two pieces of a body.", '"5m"', default=300.0
    )
    total_timeout: float | None = option(optional(duration), "The whole exchange.", '"10m"')
    forward_headers: InjectedHeaders = option(
        secret_headers,
        "The server-side keys: `${env:X}`, `${file:path}`, `${basic:env:USER:env:PASSWORD}` and"
        " `${user_key:provider}`; in code also a callable of the request. Set last: nothing from"
        " the browser overrides them.",
        '{ Authorization = "Bearer ${env:OPENAI_API_KEY}" }',
        secret=True,
    )
    forward_query: QueryPairs = option(
        query_pairs,
        "Query parameters that the server sets, last: keys (`${env:X}`, `${file:path}`), or plain"
        " text such as an API version. A page whose own query names one gets 400.",
        '{ key = "${env:MAPS_KEY}", "api-version" = "2024-10-21" }',
        secret=True,
    )
    hosts: Mapping[str, KeyTable] = option(
        host_tables,
        "Keys of single hosts, where the page names the URL: a host's `forward_headers` and"
        " `forward_query` take the place of the route's own, which go to all other hosts.",
        '{ "api.a.com" = { forward_headers = { Authorization = "Bearer ${env:A}" } } }',
        secret=True,
    )
    oauth2: ClientCredentials | None = option(
        client_credentials,
        "An access token by the client credentials grant, sent as `Authorization: Bearer`, kept in"
        " memory and renewed before it ends; also `audience` and `auth`, `basic` or `body`."
        " See [docs/keys.md](docs/keys.md#access-tokens-oauth2).",
        '{ token_url = "https://id.example.org/token", client_id = "proxy",'
        ' client_secret = "${env:CLIENT_SECRET}", scope = "read" }',
        secret=True,
    )
    sign: AwsSigV4 | Sign | str | None = option(
        signing,
        "Signs each request, after everything else: AWS Signature Version 4 (extra `aws`), or"
        " `package.module:callable`; in code also the callable. See"
        " [docs/keys.md](docs/keys.md#signed-requests-sign).",
        '{ aws_sigv4 = { region = "eu-west-1", service = "bedrock" } }',
        secret=True,
    )
    client_cert: PemFile | None = option(
        client_cert,
        "Mutual TLS: a PEM file with the certificate shown to the upstream, its chain behind it;"
        " in place of the server's.",
        '"client.pem"',
    )
    client_key: PemFile | None = option(
        client_key, "Its private key, mode 0600.", '"client.key"', secret=True
    )
    pass_headers: tuple[str, ...] = option(
        http.passed_headers,
        "Browser headers that go upstream beside the"
        " [usual ones](docs/security.md#what-goes-out-what-comes-back), `X-Prefix-*` too;"
        ' `"!Accept"` takes one of those out.',
        '["OpenAI-Organization"]',
    )
    response_headers: tuple[str, ...] = option(
        list_of(http.relayed_pattern, what="header names"),
        "Upstream headers relayed under their own names, and exposed, beside the usual ones;"
        ' `X-Prefix-*` too; `"!ETag"` takes one of the usual out. Those that act on this server\'s'
        " origin are refused: see"
        " [docs/security.md](docs/security.md#what-goes-out-what-comes-back).",
        '["X-Query-Cost"]',
    )
    expose_headers: tuple[ExposeHeader, ...] = option(
        list_of(http.expose_header, what="{ from, to } tables"),
        "Upstream headers relayed under another name, and exposed; not under one that browsers,"
        " caches or this server give a meaning.",
        '[{ from = "Location", to = "X-WHIP-Resource" }]',
    )
    errors: str | None = option(
        optional(one_of("envelope", "passthrough")),
        "Upstream 4xx/5xx in this proxy's JSON (`envelope`), or as they are (`passthrough`, the"
        " default where `target` or `provider` is set).",
        '"envelope"',
    )
    resource_policy: str = option(
        one_of("same-origin", "cross-origin"),
        "Whether pages of another origin may show answers in an `<img>`, `<audio>` or `<video>`"
        " (`cross-origin`). Where the route has a key, those of `cors_origins` only, told by their"
        " `Referer`.",
        '"cross-origin"',
        default="same-origin",
    )
    require_origin: bool = option(
        flag,
        "Requests without an `Origin` get 403, so that only pages of `cors_origins` call the route;"
        " a browser's `GET` of this server's own pages has none either. No authentication: whoever"
        " is no browser writes any `Origin`.",
    )
    authorize: Authorize | None = option(
        http.authorize,
        "`user`, `anyone` (the default without auth on loopback), `role:x`, or"
        " `package.module:callable`; in code also a callable of the request: sync, async or"
        " Deferred.",
        '"anyone"',
    )
    max_in_flight: int | None = option(
        optional(count), "Exchanges of this route at once; more wait, then 503.", "100"
    )
    circuit_breaker: CircuitBreaker | None = option(
        http.circuit_breaker,
        "Per upstream origin: after so many failures in a row within `window` requests get 503 for"
        " as long as `open` says, and then one tries. `false`, in code `None`, for none.",
        '{ failures = 5, window = "30s", open = "30s" }',
        default=CircuitBreaker(),
    )
    retries: int = option(
        upto(_MOST_RETRIES),
        "How often a request is sent again that no answer came to: where nothing was sent, and else"
        " where its method is `GET` or `HEAD`, or it has an `Idempotency-Key`. At most a tenth of"
        " the requests to an origin, and no body that streams.",
        "2",
        default=0,
    )
    rate_limit: RateLimit | None = option(
        http.rate_limit,
        "Of this route: per user, or per address where nobody is signed in.",
        '{ requests = 20, window = "1m" }',
    )
    budget: tuple[Budget, ...] = option(
        budget_list,
        "What may be spent on this route: `requests`, `tokens` or `usd` `per` `hour`, `day` or"
        " `month`, or in any `24h`; `of` each `caller` (the default), `user`, `guest` or `address`,"
        ' or of the `route`; `zone` of the calendar (UTC); `mode = "audit"` only watches. See'
        " [docs/spend.md](docs/spend.md).",
        '[{ tokens = 200_000, per = "day" }]',
    )
    replay: float | None = option(
        optional(duration),
        "The first whole answer to an `Idempotency-Key` of a caller is kept so long, in memory, and"
        " given to its retries; 409 while the first runs, or where the request is another. See"
        " [docs/replay.md](docs/replay.md).",
        '"10m"',
    )
    count_tokens: bool = option(
        flag,
        "Read the tokens that OpenAI's and Anthropic's answers report. "
        "See [docs/keys.md](docs/keys.md).",
    )
    location_ttl: float = option(
        duration, "WHIP: as long a session's `Location` works.", '"7d"', default=DEFAULT_TTL
    )
    session: Mapping[str, object] | None = option(
        optional(values.json_object),
        "Realtime calls: members of `session` that override the page's, table by table. Every SDP"
        " offer then leaves as a form of `sdp` and `session`, and no other form is taken. See"
        " [docs/whip.md](docs/whip.md#pinned-routes).",
        '{ type = "realtime", model = "gpt-realtime" }',
    )
    follow_redirects: bool = option(
        flag,
        "Redirects are followed, three at most, to targets this route allows, else relayed: all of"
        " them for `GET` and `HEAD`, 307 and 308 for other methods. The keys go to the first"
        " target's scheme, host and port only.",
    )
    observe: bool = option(
        flag,
        "The route opens everything, and logs which endpoints, query parameters, models and members"
        " of bodies were used; `naap-proxy learn` prints the least policy of such a log. See"
        " [docs/learn.md](docs/learn.md).",
    )
    redact_bodies: bool = option(flag, "Look for injected keys in JSON and text answers too.")
    allow_networks: tuple[AllowedNetwork, ...] = in_code(
        http.allow_networks,
        "Non-public networks that this route may reach.",
        instead="upstream.allow_networks",
    )
    logger: Logger | None = in_code(
        values.instance(Logger), "Where failures of this route are told."
    )
    upstream: IUpstream | None = in_code(
        _way_out,
        "Another way out, such as `treq.testing.StubTreq` in tests."
        " See [docs/testing.md](docs/testing.md).",
    )

    @property
    def is_pinned_alone(self) -> bool:
        """Whether it has a base that not even a redirect may lead away from."""
        return self.target is not None and not (self.follow_redirects and self.allowed_hosts)

    @property
    def header(self) -> str:
        """The request header that names the URL, where the route is not pinned."""
        return self.target_url_header or TARGET_URL_HEADER

    @property
    def errors_are(self) -> str:
        """``errors``, also where nobody said: an API's own clients read its own errors."""
        official = self.target is not None or self.provider is not None
        return self.errors or ("passthrough" if official else "envelope")

    @property
    def keys(self) -> KeyTable:
        """What the route adds of its own for every host that has no table."""
        return KeyTable(self.forward_headers, self.forward_query)

    @property
    def key_tables(self) -> dict[str, KeyTable]:
        """Everything that it adds, by the place of the table below the route's."""
        hosts = {f'hosts."{host}".': table for host, table in self.hosts.items()}
        return {"": self.keys, **hosts}

    @property
    def carries_key(self) -> bool:
        """Whether the route's requests are made in the server's own name."""
        in_tables = any(table.carries_key for table in self.key_tables.values())
        in_target = self.target is not None and bool(self.target.secrets)
        return in_tables or in_target or bool(self.oauth2 or self.sign or self.client_cert)

    @property
    def usually_passed(self) -> tuple[str, ...]:
        """The browser's headers that go upstream where the route does not say otherwise."""
        vendors: tuple[str, ...] = () if self.target is None else PINNED_PASS
        if self.provider is not None:
            vendors = self.provider.headers.send
        whip = CLIENT_HEADERS if is_whip(self.content_type, self.methods) else ()
        return (*PASSED, *vendors, *whip)

    @property
    def passed_headers(self) -> tuple[str, ...]:
        """The browser's headers that go upstream: the usual ones, and what the route says.

        Where endpoints are named, no pattern passes a header that turns one into another.
        """
        without = [TAKEN_OUT + name for name in self.overriding_headers]
        return extended(self.usually_passed, (*self.pass_headers, *without))

    @property
    def overriding_headers(self) -> tuple[str, ...]:
        """Headers that could turn one endpoint into another; none where none are named."""
        return METHOD_OVERRIDES if self.endpoints else ()

    @property
    def usually_relayed(self) -> tuple[str, ...]:
        """The upstream's headers that come back under their own names, likewise."""
        vendors: tuple[str, ...] = () if self.target is None else PINNED_RELAY
        if self.provider is not None:
            vendors = self.provider.headers.read
        whip = SDP_RELAY if OFFER in self.content_type else ()
        return (*RELAYED, *vendors, *whip)

    @property
    def relayed_headers(self) -> tuple[str, ...]:
        """The upstream's headers that come back under their own names, with what it says."""
        return extended(self.usually_relayed, self.response_headers)


def with_sessions(options: RouteOptions) -> RouteOptions:
    """*options* with what a WHIP route has beside them: methods and headers of its sessions."""
    return evolve(
        options,
        methods=route_methods(options.methods),
        expose_headers=exposed(options.expose_headers),
    )
