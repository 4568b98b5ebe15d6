"""The one config line that would let a refused target through; checked before it is given. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from ..model import DEFAULT_PORTS, Address, AllowedNetwork, Target
from ..policy.addresses import format_allow_network, judge
from ..policy.host_rules import parse_host_rule
from ..route.explain import Route, Step


def line_for(route: Route, step: Step, url: str) -> str | None:
    """The line that would let *url* past *step*; ``None`` where none could, or should."""
    if route.pinned is not None and step.name != "address":
        return None  # another upstream is another route
    if step.name == "parse":
        return None
    target = route.target(url)
    if step.name == "host":
        return _host_line(route, target)
    if step.name == "scheme":
        return _line("allowed_schemes", [*route.policy.schemes, target.scheme])
    if step.name == "port":
        return _line("allowed_ports", _ports(route, target))
    if step.name == "address":
        return _network_line(route, target, step.address)
    return None


def _line(key: str, values: Sequence[Any]) -> str:
    return f"{key} = {json.dumps(list(values))}"


def _host_line(route: Route, target: Target) -> str | None:
    host = f"[{target.host}]" if ":" in target.host else target.host
    try:
        parse_host_rule(host, route.policy.allow_networks)
    except ValueError:
        return None
    return _line("allowed_hosts", [*(rule.text for rule in route.policy.rules), host])


def _ports(route: Route, target: Target) -> list[int]:
    known = route.policy.ports
    if known is None:
        known = tuple(DEFAULT_PORTS[scheme] for scheme in route.policy.schemes)
    return [*known, target.port]


def _network_line(route: Route, target: Target, address: Address | None) -> str | None:
    if address is None:
        return None
    entry = AllowedNetwork(ip_network(address), target.port)
    opened = (*route.policy.allow_networks, entry)
    # Metadata services stay closed whatever is written.
    if not judge(address, target.port, opened).allowed:
        return None
    return _line("allow_networks", [format_allow_network(each) for each in opened])
