"""Why a route would, or would not, connect to a URL: the spine's own rooms, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..errors import AddressNotAllowed, BadGateway, InvalidTarget, ProxyError
from ..model import Address, Target, VettedTarget
from ..policy.egress import EgressPolicy, check_address
from ..policy.hostname import address_of
from ..policy.target import PinnedBase, parse_target
from .spine import MountedProxy


@frozen
class Step:
    """One step of the decision.

    :ivar name: ``"parse"``, ``"host"``, ``"scheme"``, ``"port"``, ``"dns"`` or ``"address"``.
    :ivar passed: whether the request would go on.
    :ivar text: the reason, for the operator.
    :ivar error: what the caller would be answered where it is refused.
    :ivar address: the one that was judged.
    """

    name: str
    passed: bool
    text: str
    error: ProxyError | None = field(default=None, eq=False, repr=False)
    address: Address | None = None


@frozen
class Route:
    """What decides where a route goes.

    :ivar pinned: its base; ``None`` where *header* names the URL.
    :ivar connect: seconds that DNS has to answer.
    """

    policy: EgressPolicy
    pinned: PinnedBase | None
    header: str
    connect: float

    def target(self, url: str) -> Target:
        """The target that *url* names.

        :raises InvalidTarget: it is none that this route takes.
        """
        raw = url.encode("utf-8", "surrogateescape")
        if self.pinned is None:
            return parse_target(raw, self.header)
        if not raw.startswith((b"/", b"?")) and raw:
            return self.pinned.within(parse_target(raw, "target"))
        return self.pinned.join(raw)


def mounted(proxy: MountedProxy) -> Route:
    """A route of a running server."""
    route = proxy.route
    return Route(proxy.egress, route.pinned, route.target_url_header, route.timeouts.connect)


async def explain(route: Route, url: str, resolver: Any, clock: IReactorTime) -> tuple[Step, ...]:
    """Every step up to the first that refuses; each address is judged, so that all are seen.

    :param url: the target; on a pinned route what follows the route's path, or the whole URL.
    :param resolver: an :class:`~naap_twisted.interfaces.IResolver`; it has the route's
        ``connect_timeout`` to answer.
    """
    try:
        target = route.target(url)
    except InvalidTarget as error:
        return (Step("parse", False, error.reason, error),)
    steps = [Step("parse", True, f"{target.origin}{target.path}")]
    steps += policy_steps(route.policy, target)
    if not steps[-1].passed:
        return tuple(steps)
    addresses: tuple[Address, ...]
    literal = address_of(target.host)
    if literal is not None:
        addresses = (literal,)
        steps.append(Step("dns", True, "not asked: the host is an address"))
    else:
        try:
            answer = await resolver.resolve(target.host).addTimeout(route.connect, clock)
        except ProxyError as error:
            return (*steps, Step("dns", False, error.reason, error))
        except TimeoutError:
            late = f"no answer for {target.host} in {route.connect:g} seconds"
            return (*steps, Step("dns", False, late, BadGateway(reason=late)))
        addresses = answer.addresses
        steps.append(Step("dns", True, f"{len(addresses)} answer(s) for {target.host}"))
    return (*steps, *_address_steps(route.policy.vet(target), addresses))


def _address_steps(vetted: VettedTarget, addresses: tuple[Address, ...]) -> Iterator[Step]:
    host = vetted.target.host
    refusal = AddressNotAllowed(f'Host "{host}" resolves to an address that is not allowed')
    for address in addresses:
        verdict = check_address(vetted, address)
        error = None if verdict.allowed else refusal
        yield Step("address", verdict.allowed, f"{address}: {verdict.reason}", error, address)


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
            return [*steps, Step(name, False, decision.reason, _refusal(policy, target))]
        steps.append(Step(name, True, text))
    return steps


def _refusal(policy: EgressPolicy, target: Target) -> ProxyError | None:
    try:
        policy.vet(target)
    except ProxyError as error:
        return error
    return None
