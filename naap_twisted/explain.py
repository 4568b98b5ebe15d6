"""Why a route would, or would not, connect to a URL: the spine's own rooms, step by step."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from attrs import frozen
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from .config import ProxyConfig, UpstreamConfig
from .egress import EgressPolicy, check_address
from .errors import InvalidTarget, ProxyError
from .hostname import address_of
from .model import Target
from .target import PinnedBase, parse_target

Address = IPv4Address | IPv6Address


@frozen
class Step:
    """One step of the decision.

    :ivar name: ``"parse"``, ``"host"``, ``"scheme"``, ``"port"``, ``"dns"`` or ``"address"``.
    :ivar passed: whether the request would go on.
    :ivar text: the reason, for the operator.
    """

    name: str
    passed: bool
    text: str


async def explain(
    route: ProxyConfig, upstream: UpstreamConfig, url: str, resolver: Any, clock: IReactorTime
) -> tuple[Step, ...]:
    """Every step up to the first that refuses; each address is judged, so that all are seen.

    :param url: the target; on a pinned route what follows the route's path, or the whole URL.
    :param resolver: an :class:`~naap_twisted.interfaces.IResolver`; it has the route's
        ``connect_timeout`` to answer.
    """
    try:
        target, policy = _target(route, upstream, url)
    except InvalidTarget as error:
        return (Step("parse", False, error.reason),)
    steps = [Step("parse", True, f"{target.origin}{target.path}")]
    steps += policy_steps(policy, target)
    if not steps[-1].passed:
        return tuple(steps)
    addresses: tuple[Address, ...]
    literal = address_of(target.host)
    if literal is not None:
        addresses = (literal,)
        steps.append(Step("dns", True, "not asked: the host is an address"))
    else:
        try:
            answer = await resolver.resolve(target.host).addTimeout(route.connect_timeout, clock)
        except ProxyError as error:
            return (*steps, Step("dns", False, error.reason))
        except TimeoutError:
            late = f"no answer for {target.host} in {route.connect_timeout:g} seconds"
            return (*steps, Step("dns", False, late))
        addresses = answer.addresses
        steps.append(Step("dns", True, f"{len(addresses)} answer(s) for {target.host}"))
    vetted = policy.vet(target)
    for address in addresses:
        verdict = check_address(vetted, address)
        steps.append(Step("address", verdict.allowed, f"{address}: {verdict.reason}"))
    return tuple(steps)


def policy_steps(policy: EgressPolicy, target: Target) -> list[Step]:
    """Host, scheme and port in the policy's own order, up to the one that refuses."""
    decision = policy.decide(target)
    passed = {
        "host": f"{target.host} matches allowed_hosts entry {decision.rule}",
        "scheme": f"{target.scheme} is allowed",
        "port": f"{target.port} is allowed",
    }
    steps: list[Step] = []
    for name, text in passed.items():
        if name == decision.step:
            return [*steps, Step(name, False, decision.reason)]
        steps.append(Step(name, True, text))
    return steps


def _target(route: ProxyConfig, upstream: UpstreamConfig, url: str) -> tuple[Target, EgressPolicy]:
    raw = url.encode("utf-8", "surrogateescape")
    keyed = bool(route.forward_headers)
    if route.target is None:
        policy = EgressPolicy(
            route.allowed_hosts,
            route.allowed_schemes,
            route.allowed_ports,
            upstream.allow_networks,
            carries_key=keyed,
        )
        return parse_target(raw, route.target_url_header or "X-Target-URL"), policy
    pinned = PinnedBase.parse(route.target)
    base = pinned.base
    policy = EgressPolicy(
        (base.host,), (base.scheme,), (base.port,), upstream.allow_networks, carries_key=keyed
    )
    if not raw.startswith((b"/", b"?")) and raw:
        return pinned.within(parse_target(raw, "target")), policy
    return pinned.join(raw), policy
