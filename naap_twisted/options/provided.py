"""A route's options over those of its provider: what the route says itself comes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from ..model import UserKeyHeader
from ..policy.own_query import folded
from ..secret import Secret
from .provider import KeyPlace, Provider
from .read import Problems, read_section
from .route import RouteOptions
from .secrets import LITERAL
from .values import Surroundings

#: What a route says, and which of its provider's options that makes void.
_INSTEAD = {"allowed_hosts": "target", "target": "target_url_header"}


def over_provider(
    own: RouteOptions,
    given: Mapping[str, object],
    place: str,
    surroundings: Surroundings,
    problems: Problems,
) -> RouteOptions:
    """*own* with its provider's options where the route does not say otherwise, and with its key.

    :param own: the route's options as read.
    :param given: the table that they were read of.
    """
    if own.provider is None:
        if own.key is not None and not problems.touch(f"{place}.provider"):
            problems.add(
                f"{place}.key",
                "has no meaning without provider, which says where it goes;"
                " name one, or write forward_headers",
            )
        return own
    table = _usual(own.provider, given)
    inner = Problems()
    usual = read_section(RouteOptions, table, "route", surroundings, inner)
    for line in inner.lines:
        # A provider's route has no path of its own.
        if line != "route.path: is missing":
            problems.add(f"{place}.provider", f"{own.provider.name}: {line}")
    for name, example in own.provider.needs.items():
        if not any(given.get(key) for key in (name, "allowed_hosts")):
            problems.add(
                f"{place}.{name}", f"is missing: {own.provider.title} needs it; such as {example}"
            )
    inherited = {key: getattr(usual, key) for key in table if hasattr(usual, key)}
    return _with_key(evolve(own, **inherited), own.provider.key, place, problems)


def _usual(provider: Provider, given: Mapping[str, object]) -> dict[str, object]:
    """The provider's options of a route that says *given*, without those that have no place there.

    Who lists hosts pins nothing, and below a pinned base no header names the URL.
    """
    no_place = {_INSTEAD[key] for key in _INSTEAD if given.get(key)}
    return {
        key: value
        for key, value in provider.route.items()
        if key not in given and key not in no_place
    }


def _with_key(route: RouteOptions, where: KeyPlace, place: str, problems: Problems) -> RouteOptions:
    key, beside = route.key, getattr(route, where.option)
    if key is None:
        return route
    if callable(beside):
        problems.add(f"{place}.key", "has no meaning beside a callable that makes the headers")
        return route
    if folded(where.name) in map(folded, beside):
        problems.add(
            f"{place}.key", f"sets {where.name}, as {where.option} does; delete one of them"
        )
        return route
    before, after = where.around
    if isinstance(key, Secret):
        if before and key.begins_with(before):
            problems.add(f"{place}.key", f'begins with "{before}", which the provider puts there')
            return route
        # A key that is written out is told once, as ``key``; wherever it goes it is a key.
        source = "key" if key.source == LITERAL else key.source
        value: Secret | UserKeyHeader = key.between(before, after, source)
    elif where.query:
        problems.add(
            f"{place}.key",
            f"is a user's own, which only a header takes; the provider puts it into {where.name},"
            " a query parameter",
        )
        return route
    else:
        value = UserKeyHeader(key.provider, before + key.before, key.after + after)
    placed: Any = {where.option: {where.name: value, **beside}}
    return evolve(route, **placed)
