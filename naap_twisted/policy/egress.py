"""Where a route may connect: hosts, schemes, ports. The one place that makes a ``VettedTarget``.

A decision is a value with a reason: :meth:`EgressPolicy.vet` raises from it and
``naap-proxy explain`` prints it. The rules are read in :mod:`.host_rules`, addresses are judged in
:mod:`.addresses` once the name is resolved. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from attrs import frozen

from ..errors import ConfigError, HostNotAllowed, PortNotAllowed, SchemeNotAllowed
from ..model import DEFAULT_PORTS, Address, AllowedNetwork, Target, VettedTarget
from .addresses import AddressVerdict, judge, opens
from .host_rules import HostRule, parse_host_rule


@frozen
class Decision:
    """What the policy says to one target.

    :ivar allowed: may it go on to address checks?
    :ivar rule: the ``allowed_hosts`` entry that matched, as written; ``""`` if none did.
    :ivar step: the check that said no, ``"host"``, ``"scheme"`` or ``"port"``; ``""`` if allowed.
    :ivar reason: the same in words, for the operator. It may name host, scheme and port, never
        path or query.
    """

    allowed: bool
    rule: str
    step: str
    reason: str


_REALMS = itertools.count(1)


class EgressPolicy:
    """A route's allow list.

    :param allowed_hosts: exact hosts, or ``.example.org`` / ``*.example.org`` for every name
        below ``example.org``, itself excluded.
    :param allowed_schemes: of ``"https"`` and ``"http"``.
    :param allowed_ports: ``None`` for the scheme's own port.
    :param allow_networks: non-public networks that may be connected to; they also admit IP
        addresses inside them, and ``localhost``, as hosts.
    :param carries_key: requests hold a server-side key, which crosses the net in plain text only
        to addresses in *allow_networks*.
    :raises ConfigError: one problem a line, each opening with its key: ``allowed_hosts[0]: ...``.
    """

    def __init__(
        self,
        allowed_hosts: Sequence[str],
        allowed_schemes: Sequence[str] = ("https",),
        allowed_ports: Sequence[int] | None = None,
        allow_networks: Sequence[AllowedNetwork] = (),
        *,
        carries_key: bool = False,
    ) -> None:
        self.allow_networks = tuple(allow_networks)
        self._carries_key = carries_key
        self._realm = next(_REALMS)
        problems: list[str] = []
        rules = _read_hosts(allowed_hosts, self.allow_networks, problems)
        _check_schemes(allowed_schemes, problems)
        _check_ports(allowed_ports, problems)
        if problems:
            raise ConfigError(*problems)
        self.rules = tuple(rules)
        self.schemes = tuple(allowed_schemes)
        self.ports = None if allowed_ports is None else tuple(allowed_ports)
        # Made once: the usual answer on the hot path is one look-up of a finished decision.
        self._exact = {rule.host: _allow(rule) for rule in rules if not rule.below}
        self._below = {rule.host: _allow(rule) for rule in rules if rule.below}

    def decide(self, target: Target) -> Decision:
        """Host first, then scheme, then port. Never raises."""
        allow = self._exact.get(target.host) or self._match_below(target.host)
        if allow is None:
            return Decision(False, "", "host", f"host {target.host} matches no allowed_hosts entry")
        if target.scheme not in self.schemes:
            listed = ", ".join(self.schemes)
            reason = f"scheme {target.scheme} is not in allowed_schemes ({listed})"
            return Decision(False, allow.rule, "scheme", reason)
        if self.ports is None:
            if target.port != DEFAULT_PORTS[target.scheme]:
                reason = f"port {target.port} is not the default of {target.scheme}"
                return Decision(False, allow.rule, "port", reason)
        elif target.port not in self.ports:
            listed = ", ".join(map(str, self.ports))
            reason = f"port {target.port} is not in allowed_ports ({listed})"
            return Decision(False, allow.rule, "port", reason)
        return allow

    def vet(self, target: Target) -> VettedTarget:
        """The target, fit to be sent once its addresses pass.

        :raises HostNotAllowed: no entry matches.
        :raises SchemeNotAllowed: an entry matches, the scheme is not listed.
        :raises PortNotAllowed: host and scheme are fine, the port is not listed.
        """
        decision = self.decide(target)
        if decision.allowed:
            plain_key = self._carries_key and target.scheme != "https"
            return VettedTarget(target, decision.rule, self.allow_networks, plain_key, self._realm)
        if decision.step == "host":
            message = f'Host "{target.host}" is not in the allowed list'
            raise HostNotAllowed(message, reason=decision.reason)
        if decision.step == "scheme":
            message = f'Scheme "{target.scheme}" is not in the allowed list'
            raise SchemeNotAllowed(message, reason=decision.reason)
        message = f"Port {target.port} is not in the allowed list"
        raise PortNotAllowed(message, reason=decision.reason)

    def _match_below(self, host: str) -> Decision | None:
        """The rule of the nearest parent. Whole labels: ``evilexample.org`` is not a subdomain."""
        if not self._below:
            return None
        parent = host.partition(".")[2]
        while parent:
            allow = self._below.get(parent)
            if allow is not None:
                return allow
            parent = parent.partition(".")[2]
        return None


class AnyHost:
    """The policy of the server's own calls, whose URL its code chooses: every host and port.

    What the addresses say holds as for a route: no address that is not public, but those in
    *allow_networks*; and plain http to those only, for such a call may carry a key.

    :param allow_networks: as for :class:`EgressPolicy`.
    """

    def __init__(self, allow_networks: Sequence[AllowedNetwork] = ()) -> None:
        self._allow_networks = tuple(allow_networks)
        self._realm = next(_REALMS)

    def vet(self, target: Target) -> VettedTarget:
        """The target, fit to be sent once its addresses pass."""
        plain = target.scheme != "https"
        return VettedTarget(target, "", self._allow_networks, plain, self._realm)


def check_address(vetted: VettedTarget, address: Address) -> AddressVerdict:
    """Whether a request to *vetted* may go to *address*, one of its host's.

    Part of the policy, asked once the addresses are known: see :func:`~.addresses.judge`.
    """
    port = vetted.target.port
    verdict = judge(address, port, vetted.allow_networks)
    listed = any(opens(entry, address, port) for entry in vetted.allow_networks)
    if verdict.allowed and vetted.listed_only and not listed:
        return AddressVerdict(False, "not in allow_networks, and a key would go over plain http")
    return verdict


def _allow(rule: HostRule) -> Decision:
    return Decision(True, rule.text, "", f"allowed_hosts entry {rule.text}")


def _read_hosts(
    entries: Sequence[str], allow_networks: Sequence[AllowedNetwork], problems: list[str]
) -> list[HostRule]:
    if not _is_list(entries):
        problems.append('allowed_hosts: expected a list of hosts, such as ["api.openai.com"]')
        return []
    if not entries:
        problems.append("allowed_hosts: is empty; name each host that may be reached")
    rules = []
    for index, entry in enumerate(entries):
        try:
            rules.append(parse_host_rule(entry, allow_networks))
        except ValueError as fault:
            problems.append(f"allowed_hosts[{index}]: {fault}")
    return rules


def _check_schemes(schemes: Sequence[str], problems: list[str]) -> None:
    if not _is_list(schemes) or not schemes:
        problems.append('allowed_schemes: expected a list of "https" and "http"')
        return
    for index, scheme in enumerate(schemes):
        if not isinstance(scheme, str) or scheme not in DEFAULT_PORTS:
            problems.append(f'allowed_schemes[{index}]: {scheme!r} is not "https" or "http"')


def _check_ports(ports: Sequence[int] | None, problems: list[str]) -> None:
    if ports is None:
        return
    if not _is_list(ports) or not ports:
        problems.append("allowed_ports: expected a list of ports; leave it out for the scheme's")
        return
    for index, port in enumerate(ports):
        # bool is an int in Python, and true is a likely slip in TOML.
        if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
            problems.append(f"allowed_ports[{index}]: {port!r} is not a port from 1 to 65535")


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
