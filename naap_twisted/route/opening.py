"""What a route opens of its upstream: which endpoints, with which query.

The egress policy says which host is asked; this says for what. Both judge the one parsed target,
and each redirect that is followed again.
"""

from __future__ import annotations

from attrs import frozen

from ..model import Target
from ..options.provider import Provider
from ..policy.endpoints import Endpoints
from ..policy.models import ModelPlaces, Models
from ..policy.query_rules import QueryRules
from ..policy.target import PinnedBase


@frozen
class Opening:
    """The rules about the method and the URL of a route's requests.

    :ivar endpoints: ``None`` where the route opens every endpoint of its upstream.
    :ivar query: ``None`` where it takes any query.
    :ivar models: ``None`` where it takes every model.
    :ivar pinned: the base below which endpoints are written; ``None`` where the page names the URL.
    """

    endpoints: Endpoints | None = None
    query: QueryRules | None = None
    models: Models | None = None
    pinned: PinnedBase | None = None

    def check(self, method: bytes, target: Target) -> None:
        """Let *method* to *target* pass.

        :raises EndpointNotAllowed: the route does not open it, or not with that query.
        :raises ModelNotAllowed: it names a model that the route does not list.
        """
        origin, path, query = self.parts(target)
        if self.endpoints is not None and self.endpoints.match(method, origin, path) is None:
            raise self.endpoints.refusal(method, origin, path)
        if self.query is not None:
            refusal = self.query.refusal(query)
            if refusal is not None:
                raise refusal
        if self.models is not None:
            self.models.in_target(origin, path, query)

    def explain(self, method: bytes, target: Target) -> str:
        """Why :meth:`check` lets it pass, for the operator.

        :raises EndpointNotAllowed, ModelNotAllowed: it does not.
        """
        self.check(method, target)
        origin, path, _ = self.parts(target)
        entry = None if self.endpoints is None else self.endpoints.match(method, origin, path)
        return "every endpoint is open" if entry is None else f'matches "{entry.text}"'

    def names_model(self, target: Target) -> bool:
        """Whether the URL names a model, which :meth:`check` has judged."""
        return self.models is not None and bool(self.models.in_target(*self.parts(target)))

    def parts(self, target: Target) -> tuple[str, str, str]:
        """The origin, the path and the query of *target* as the rules are written.

        Below a pinned base the path is what follows the base, and nobody names an origin.
        """
        if self.pinned is None:
            path, _, query = target.path_and_query.partition("?")
            return target.origin, path, query
        path, _, query = self.pinned.below(target).partition("?")
        return "", path, query


def model_places(provider: Provider | None) -> ModelPlaces:
    """Where requests name their model: as a provider's file says, or in the usual places."""
    named = None if provider is None else provider.model
    if named is None or not (named.body or named.query or named.path):
        return ModelPlaces()
    return ModelPlaces(named.body, named.query, named.path)
