"""A route's options over those of its provider: what the route says itself comes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, fields_dict

from ..headers import TAKEN_OUT
from ..model import UserKeyHeader
from ..policy.own_query import folded
from ..secret import Secret
from .opened import with_endpoints
from .provider import KEY, KeyPlace, Provider
from .read import Problems, read_section
from .route import RouteOptions
from .secrets import LITERAL
from .values import Surroundings

_OF_ROUTES = ("path", "provider", "authorize")
#: Options that add to the usual names, and so to the provider's.
_ADDING = frozenset(("pass_headers", "response_headers"))
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
    route = _over_provider(own, given, place, surroundings, problems)
    return with_endpoints(route, given, place, problems)


def _over_provider(
    own: RouteOptions,
    given: Mapping[str, object],
    place: str,
    surroundings: Surroundings,
    problems: Problems,
) -> RouteOptions:
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
    for name, value in own.provider.route.items():
        if not _is_of_routes(name, value):
            continue
        words = "is for a route to say, not for a provider"
        problems.add(f"{place}.provider", f"{own.provider.name}: route.{name}: {words}")
    for name, example in own.provider.needs.items():
        if not any(given.get(key) for key in (name, "allowed_hosts")):
            problems.add(
                f"{place}.{name}", f"is missing: {own.provider.title} needs it; such as {example}"
            )
    inherited = {key: getattr(usual, key) for key in table if hasattr(usual, key)}
    for key in _ADDING & inherited.keys():
        inherited[key] = _added(inherited[key], getattr(own, key))
    return _with_key(evolve(own, **inherited), own.provider.key, place, problems)


def _usual(provider: Provider, given: Mapping[str, object]) -> dict[str, object]:
    """The provider's options of a route that says *given*, without those that have no place there.

    Who lists hosts pins nothing, and below a pinned base no header names the URL.
    """
    no_place = {_INSTEAD[key] for key in _INSTEAD if given.get(key)}
    return {
        key: value
        for key, value in provider.route.items()
        if (key not in given or key in _ADDING)
        and key not in no_place
        and not _is_of_routes(key, value)
    }


def _is_of_routes(name: str, value: object) -> bool:
    """Whether no provider's file may set the option *name* to *value*.

    Such a file comes from others, as data: it reads no secret, imports no code, and does not say
    who may call.
    """
    about = fields_dict(RouteOptions).get(name)
    refers = isinstance(value, str) and "${" in value
    return name in _OF_ROUTES or refers or (about is not None and not about.repr)


def _added(usual: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    """The provider's names of headers and the route's; the route's "!Name" takes one out."""
    taken = {name.lower() for name in own if name.startswith(TAKEN_OUT)}
    return (*(name for name in usual if TAKEN_OUT + name.lower() not in taken), *own)


def _with_key(route: RouteOptions, where: KeyPlace, place: str, problems: Problems) -> RouteOptions:
    key, beside = route.key, getattr(route, where.option)
    if key is None:
        return route
    if callable(beside):
        problems.add(f"{place}.key", "has no meaning beside a callable that makes the headers")
        return route
    written = {*map(folded, beside)}
    made: dict[str, Secret | UserKeyHeader] = {}
    for name, around in where.places:
        before, _, after = around.partition(KEY)
        if folded(name) in written:
            problems.add(f"{place}.key", f"sets {name}, as {where.option} does; delete one of them")
        elif isinstance(key, UserKeyHeader) and where.query:
            problems.add(
                f"{place}.key",
                f"is a user's own, which only a header takes; the provider puts it into {name},"
                " a query parameter",
            )
        elif isinstance(key, UserKeyHeader):
            made[name] = UserKeyHeader(key.provider, before + key.before, key.after + after)
        elif before and key.begins_with(before):
            problems.add(f"{place}.key", f'begins with "{before}", which the provider puts there')
        else:
            # A key that is written out is told once, as ``key``; wherever it goes it is a key.
            source = "key" if key.source == LITERAL else key.source
            made[name] = key.between(before, after, source)
    placed: Any = {where.option: {**made, **beside}}
    return evolve(route, **placed)
