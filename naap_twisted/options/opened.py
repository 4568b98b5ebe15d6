"""What the endpoints of a route say together, and what follows from them for its methods."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from ..model import Target
from ..policy.egress import EgressPolicy
from ..policy.endpoint_pattern import Endpoint, flaws, unreachable
from .endpoint_groups import expanded
from .endpoints import GROUP
from .read import Problems
from .route import RouteOptions


def with_endpoints(
    route: RouteOptions, given: Mapping[str, object], place: str, problems: Problems
) -> RouteOptions:
    """*route* with its provider's groups resolved, and the methods that its endpoints need.

    :param given: the table that its options were read of.
    """
    where = f"{place}.endpoints"
    if not route.endpoints or problems.touch(where):
        return route
    written = {
        index: Endpoint.parse(text)
        for index, text in enumerate(route.endpoints)
        if not text.startswith(GROUP)
    }
    groups = [text for text in route.endpoints if text.startswith(GROUP)]
    with problems.noting(where):
        route = evolve(route, endpoints=expanded(route.endpoints, route.provider))
    if problems.touch(where):
        return route
    # Two groups of a provider may have an endpoint in common; what the owner wrote has a meaning.
    grouped = [Endpoint.parse(text) for text in expanded(groups, route.provider)]
    for position, reason in flaws([*grouped, *written.values()]):
        if position >= len(grouped):
            problems.add(f"{where}[{[*written][position - len(grouped)]}]", reason)
    return route if "methods" in given else _with_methods(route)


def _with_methods(route: RouteOptions) -> RouteOptions:
    """*route* with the methods of its endpoints beside its provider's."""
    usual = () if route.provider is None else route.methods
    needed = (text.partition(" ")[0] for text in route.endpoints)
    methods = tuple(dict.fromkeys((*usual, *needed)))
    return evolve(route, methods=methods)


def judge_endpoints(
    route: RouteOptions, policy: EgressPolicy | None, place: str, problems: Problems
) -> None:
    """Note the endpoints that no request can match.

    :param policy: which hosts the page may name; ``None`` below a pinned base.
    """
    where = f"{place}.endpoints"
    if problems.touch(where, f"{place}.methods"):
        return

    def why_not(target: Target) -> str:
        decision = None if policy is None else policy.decide(target)
        return "" if decision is None or decision.allowed else decision.reason

    entries = [Endpoint.parse(text) for text in route.endpoints]
    for position, reason in unreachable(entries, pinned=policy is None, why_not=why_not):
        problems.add(where, f'"{entries[position].text}" {reason}')
    for entry in entries:
        if entry.method not in (*route.methods, "HEAD"):
            listed = ", ".join(route.methods)
            words = f"can never match: {entry.method} is not in methods ({listed}); add it"
            problems.add(where, f'"{entry.text}" {words}')
    for method in route.methods:
        served = any(
            entry.method in (method, "GET" if method == "HEAD" else "") for entry in entries
        )
        if entries and not served and route.provider is None:
            problems.add(
                f"{place}.methods", f"{method} opens nothing, for no endpoint has it; drop it"
            )
