"""Says why a route would or would not connect to a URL: the spine's own decisions, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..errors import AddressNotAllowed, BadGateway, InvalidTarget, ProxyError
from ..model import Address, Target, VettedTarget
from ..policy.egress import EgressPolicy, check_address
from ..policy.hostname import address_of
from ..policy.target import parse_target
from .compiled import Route
from .sent_body import SentBody
from .spine import MountedProxy


@frozen
class Step:
    """One step of the decision.

    :ivar name: ``"parse"``, ``"host"``, ``"scheme"``, ``"port"``, ``"endpoint"``, ``"body"``,
        ``"dns"`` or ``"address"``.
    :ivar allowed: whether the request would go on.
    :ivar text: the reason, for the operator.
    :ivar error: the answer to the caller of a request that this step refuses.
    :ivar address: the address that the step judged.
    :ivar line: the config line that would allow it, where whoever asks looks for one.
    """

    name: str
    allowed: bool
    text: str
    error: ProxyError | None = field(default=None, eq=False, repr=False)
    address: Address | None = None
    line: str | None = None


def target_of(route: Route, url: str) -> Target:
    """The target that *url* names, as :func:`explain` takes it.

    :raises InvalidTarget: the route takes no such URL.
    """
    raw = url.encode("utf-8", "surrogateescape")
    if route.pinned is None:
        return route.judged(parse_target(raw, route.target_url_header))
    if not raw.startswith((b"/", b"?")) and raw:
        return route.judged(route.pinned.whole(raw))
    return route.judged(route.pinned.join(raw))


@frozen
class Sent:
    """What a route judges of a request beside its URL.

    :ivar body: ``None`` where nobody asks about one.
    """

    method: bytes = b"POST"
    body: bytes | None = None
    content_type: bytes | None = None


async def explain(
    proxy: MountedProxy, url: str, resolver: Any, clock: IReactorTime, sent: Sent = Sent()
) -> tuple[Step, ...]:
    """The steps up to the first that refuses; every address is judged, also after a refusal.

    :param url: the target; on a pinned route what follows the route's path, or the whole URL.
    :param resolver: an :class:`~naap_twisted.interfaces.IResolver`; it has the route's
        ``connect_timeout`` to answer.
    """
    try:
        target = target_of(proxy.route, url)
    except InvalidTarget as error:
        return (Step("parse", False, error.reason, error),)
    pinned = proxy.route.pinned
    steps = [Step("parse", True, target.url if pinned is None else pinned.shown(target))]
    steps += policy_steps(proxy.egress, target)
    if steps[-1].allowed:
        steps += _rule_steps(proxy.route, target, sent)
    if not steps[-1].allowed:
        return tuple(steps)
    addresses: tuple[Address, ...]
    literal = address_of(target.host)
    if literal is not None:
        addresses = (literal,)
        steps.append(Step("dns", True, "not asked: the host is an address"))
    else:
        seconds = proxy.route.timeouts.connect
        try:
            answer = await resolver.resolve(target.host).addTimeout(seconds, clock)
        except ProxyError as error:
            return (*steps, Step("dns", False, error.reason, error))
        except TimeoutError:
            late = f"no answer for {target.host} in {seconds:g} seconds"
            return (*steps, Step("dns", False, late, BadGateway(reason=late)))
        addresses = answer.addresses
        steps.append(Step("dns", True, f"{len(addresses)} answer(s) for {target.host}"))
    return (*steps, *_address_steps(proxy.egress.vet(target), addresses))


def _rule_steps(route: Route, target: Target, sent: Sent) -> list[Step]:
    """What the route's own rules say of the method and the URL, then of the body."""
    steps: list[Step] = []
    opening, body = route.opening, sent.body
    if opening is not None:
        steps.append(_judged("endpoint", lambda: opening.explain(sent.method, target)))
    if body is not None and all(step.allowed for step in steps):
        steps.append(_judged("body", lambda: _body_in_words(route, target, sent, body)))
    return steps


def _body_in_words(route: Route, target: Target, sent: Sent, body: bytes) -> str:
    policy = route.patch if sent.method == b"PATCH" else route.body
    opened = policy.whole(sent.method, body, sent.content_type)
    if route.judge is None:
        return "no rule judges it"
    return route.judge.explain(sent.method, target, SentBody(*opened))


def _judged(name: str, decide: Callable[[], str]) -> Step:
    try:
        return Step(name, True, decide())
    except ProxyError as error:
        return Step(name, False, error.reason, error, line=error.remedy or None)


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
    texts = {
        "host": f"{target.host} matches allowed_hosts entry {decision.rule}",
        "scheme": f"{target.scheme} is allowed",
        "port": f"{target.port} is allowed",
    }
    steps: list[Step] = []
    for name, text in texts.items():
        if name == decision.step:
            return [*steps, Step(name, False, decision.reason, decision.refusal(target))]
        steps.append(Step(name, True, text))
    return steps
