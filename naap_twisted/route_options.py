"""What a proxy route is made of, as it was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from .auth.gate import Authorize
from .interfaces import IDownstreamRequest
from .model import AllowedNetwork, ExposeHeader, RateLimit
from .rewrite import DEFAULT_PASS, PINNED_PASS
from .secret import Secret
from .whip.rules import CLIENT_HEADERS, exposed, route_methods

ForwardHeaders = Mapping[str, "str | bytes | Secret"] | Callable[[IDownstreamRequest], Any]


@frozen
class RouteOptions:
    """What :func:`~naap_twisted.create_external_proxy` was given; see there."""

    allowed_hosts: Sequence[str]
    target: str | None
    target_url_header: str
    content_type: str | Sequence[str]
    body_limit: int | str
    timeout: float | str
    connect_timeout: float | str
    idle_timeout: float | str | None
    total_timeout: float | str | None
    forward_headers: ForwardHeaders | None = field(repr=False)
    expose_headers: Sequence[ExposeHeader]
    response_headers: Sequence[str]
    pass_headers: Sequence[str] | None
    authorize: Authorize | None
    methods: Sequence[str]
    allowed_schemes: Sequence[str]
    allowed_ports: Sequence[int] | None
    errors: str | None
    redact_bodies: bool
    max_in_flight: int | None
    rate_limit: RateLimit | None
    count_tokens: bool
    location_ttl: float | str
    follow_redirects: bool
    allow_networks: Sequence[AllowedNetwork | str]


def passed_headers(given: Sequence[str] | None, *, pinned: bool) -> Sequence[str]:
    """The browser headers that go upstream: ``pass_headers``, the usual ones if it is left out."""
    if given is not None:
        return given
    return PINNED_PASS if pinned else DEFAULT_PASS


def with_sessions(options: RouteOptions) -> RouteOptions:
    """*options* with what a WHIP route has beside them: methods and headers of its sessions."""
    passed = passed_headers(options.pass_headers, pinned=options.target is not None)
    return evolve(
        options,
        methods=route_methods(options.methods),
        expose_headers=exposed(options.expose_headers),
        pass_headers=tuple(dict.fromkeys((*passed, *CLIENT_HEADERS))),
    )
