"""What a route's options say of the tokens of its requests and answers."""

from __future__ import annotations

from collections.abc import Sequence

from ..options.provider import Provider
from ..options.route import RouteOptions
from ..policy.endpoints import Endpoint, Endpoints
from ..policy.output_limit import LimitedEndpoints
from ..spend.estimate import Estimator
from ..spend.tokens import USUAL_MEMBERS, TokenMembers
from .opening import Opening, model_places
from .spending import Costing
from .usage_asking import UsageAsking


def limited_endpoints(provider: Provider | None) -> tuple[LimitedEndpoints, ...]:
    """The endpoints at which a provider's models answer, and what bounds their answers."""
    limits = () if provider is None else provider.limits
    return tuple(
        LimitedEndpoints(
            Endpoints([*map(Endpoint.parse, limit.endpoints)]), limit.members, limit.tokens
        )
        for limit in limits
    )


def costing_of(
    options: RouteOptions, opening: Opening, limits: Sequence[LimitedEndpoints]
) -> Costing:
    """How the requests of a route are estimated."""
    provider, bound = options.provider, options.max_output_tokens
    return Costing(
        Estimator(limits, bound=None if bound is None else bound.tokens),
        model_places(provider),
        opening,
        token_members(provider),
        "" if provider is None else provider.name,
        () if provider is None else provider.model.routers,
    )


def token_members(provider: Provider | None) -> TokenMembers:
    """Where the answers of a provider report tokens."""
    return (provider and provider.token_members) or USUAL_MEMBERS


def asking_of(options: RouteOptions, opening: Opening) -> UsageAsking | None:
    """How a stream's usage is asked for; ``None``: it is not."""
    asked = None if options.provider is None else options.provider.stream_usage
    if not options.count_tokens or asked is None or not asked.endpoints:
        return None
    endpoints = Endpoints([*map(Endpoint.parse, asked.endpoints)])
    return UsageAsking(opening, endpoints, tuple(asked.member.split(".")))
