"""The config line that would let a refused target pass. Pure.

A line is given only if the config's own rules would accept it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from ..model import DEFAULT_PORTS, Address, AllowedNetwork, Target
from ..policy.addresses import format_allow_network, judge
from ..policy.egress import EgressPolicy
from ..policy.host_rules import parse_host_rule
from ..route.explain import Step, target_of
from ..route.spine import MountedProxy


def line_for(proxy: MountedProxy, step: Step, url: str) -> str | None:
    """The line that would let *url* past *step*; ``None`` where no line could or should."""
    # The target of a pinned route is fixed: another upstream is another route.
    is_fixed = proxy.route.pinned is not None and step.address is None
    if is_fixed or step.name == "parse":
        return None
    target, policy = target_of(proxy.route, url), proxy.egress
    if step.name == "host":
        return _host_line(policy, target)
    if step.name == "scheme":
        return _line("allowed_schemes", [*policy.schemes, target.scheme])
    if step.name == "port":
        return _line("allowed_ports", _ports(policy, target))
    if step.address is not None:
        return _network_line(policy, target, step.address)
    return None


def _line(key: str, values: Sequence[Any]) -> str:
    return f"{key} = {json.dumps(list(values))}"


def _host_line(policy: EgressPolicy, target: Target) -> str | None:
    host = f"[{target.host}]" if ":" in target.host else target.host
    try:
        parse_host_rule(host, policy.allow_networks)
    except ValueError:
        return None
    return _line("allowed_hosts", [*(rule.text for rule in policy.rules), host])


def _ports(policy: EgressPolicy, target: Target) -> list[int]:
    known = policy.ports
    if known is None:
        known = tuple(DEFAULT_PORTS[scheme] for scheme in policy.schemes)
    return [*known, target.port]


def _network_line(policy: EgressPolicy, target: Target, address: Address) -> str | None:
    entry = AllowedNetwork(ip_network(address), target.port)
    opened = (*policy.allow_networks, entry)
    # The addresses of cloud metadata services stay closed whatever allow_networks says.
    if not judge(address, target.port, opened).allowed:
        return None
    return _line("allow_networks", [format_allow_network(network) for network in opened])
