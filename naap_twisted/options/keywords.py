"""Keyword arguments of both doors. By ``naap-proxy options --python``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from treq.client import HTTPClient
    from treq.testing import StubTreq
    from twisted.logger import Logger

    from ..auth.gate import Authorize
    from ..credentials.oauth2 import ClientCredentials
    from ..credentials.sigv4 import AwsSigV4
    from ..downstream.limits import DownstreamLimits
    from ..interfaces import IAuthenticator, IKeyStore, IUpstream
    from ..limits.capacity import CapacityLimits
    from ..model import AllowedNetwork, CircuitBreaker, ExposeHeader, RateLimit
    from ..policy.body_rules import BodyRules
    from ..policy.output_limit import OutputBound
    from ..policy.query_rules import QueryRules
    from ..secret import Secret
    from ..spend.budget import Budget
    from .route_body import Judge
    from .secrets import ForwardHeaders
    from .signing import Sign


class ServerKeywords(TypedDict, total=False):
    """See ``naap-proxy options``."""

    listen: Sequence[str]
    host: str
    base_path: str
    cors_origins: Sequence[str] | str
    cors_headers: Sequence[str]
    server_names: Sequence[str]
    trusted_proxies: Sequence[str]
    rate_limit: RateLimit | Mapping[str, float | str] | None
    user_rate_limit: RateLimit | Mapping[str, float | str] | None
    budget: Sequence[Budget | Mapping[str, object]]
    public_routes: Sequence[str]
    compression: bool
    security_headers: bool
    https_redirect: bool
    hsts: float | str | None
    lame_duck: float | str | None
    drain_timeout: float | str
    max_in_flight: int
    max_in_flight_per_user: int
    max_connections: int | None
    connections_per_address: int
    capacity: CapacityLimits | None
    limits: DownstreamLimits | None
    admin_listen: str
    admin_remote: bool
    state_dir: str | None
    database_url: Secret | str | None
    alert_url: Secret | str | None
    alert_secret: Secret | str | None
    require_auth: bool
    authenticator: IAuthenticator | None
    token_headers: Sequence[str]
    page_tokens: Mapping[str, object] | None
    guest: Mapping[str, object] | None
    jwt_secret: Secret | str | None
    dns_servers: Sequence[str]
    ca_file: str | None
    client_cert: str | None
    client_key: str | None
    allow_networks: Sequence[AllowedNetwork | str]
    redis_url: Secret | str | None
    on_redis_loss: Literal["local", "deny"]
    master_key: Secret | str | None
    keys: IKeyStore | None
    prices: Mapping[str, object]


class RouteKeywords(TypedDict, total=False):
    """See ``naap-proxy options``."""

    allowed_hosts: Sequence[str]
    target: str | None
    target_url_header: str
    provider: str | None
    key: str | bytes | Secret | None
    methods: Sequence[str]
    endpoints: Sequence[str]
    query: QueryRules | Mapping[str, object] | None
    encoded_slashes: bool
    models: Sequence[str]
    max_output_tokens: OutputBound | Mapping[str, object] | int | None
    body: BodyRules | Mapping[str, object] | None
    judge: Judge | str | None
    allowed_schemes: Sequence[str]
    allowed_ports: Sequence[int] | None
    content_type: str | Sequence[str]
    body_limit: int | str
    body_required: bool
    max_response: int | str | None
    timeout: float | str
    connect_timeout: float | str
    idle_timeout: float | str | None
    total_timeout: float | str | None
    forward_headers: ForwardHeaders | None
    forward_query: Mapping[str, str | bytes | Secret] | None
    hosts: Mapping[str, Mapping[str, object]] | None
    oauth2: ClientCredentials | Mapping[str, object] | None
    sign: AwsSigV4 | Sign | Mapping[str, object] | str | None
    client_cert: str | None
    client_key: str | None
    pass_headers: Sequence[str] | None
    response_headers: Sequence[str]
    expose_headers: Sequence[ExposeHeader]
    errors: Literal["envelope", "passthrough"] | None
    resource_policy: Literal["same-origin", "cross-origin"]
    require_origin: bool
    authorize: Authorize | None
    max_in_flight: int | None
    circuit_breaker: CircuitBreaker | Mapping[str, float | str] | None
    retries: int
    rate_limit: RateLimit | Mapping[str, float | str] | None
    budget: Sequence[Budget | Mapping[str, object]]
    replay: float | str | None
    count_tokens: bool
    location_ttl: float | str
    session: Mapping[str, object] | None
    follow_redirects: bool
    observe: bool
    redact_bodies: bool
    allow_networks: Sequence[AllowedNetwork | str]
    logger: Logger | None
    upstream: IUpstream | HTTPClient | StubTreq | None
