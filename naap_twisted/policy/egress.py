"""The egress policy: which hosts, schemes and ports a route may reach. Pure.

This module alone makes a ``VettedTarget``. A decision is a value with a reason:
:meth:`EgressPolicy.vet` raises from it, and ``naap-proxy explain`` prints it. :mod:`.host_rules`
reads the rules; :mod:`.addresses` judges the addresses once the name is resolved.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from attrs import frozen

from ..errors import ConfigError, HostNotAllowed, PortNotAllowed, ProxyError, SchemeNotAllowed
from ..model import DEFAULT_PORTS, Address, AllowedNetwork, Target, VettedTarget
from .addresses import AddressVerdict, judge, opens
from .host_rules import HostRule, parse_host_rule


@frozen
class Decision:
    """The policy's verdict on one target.

    :ivar allowed: the target may go on to the address checks.
    :ivar rule: the ``allowed_hosts`` entry that matched, as written; ``""`` if none did.
    :ivar step: the check that said no, ``"host"``, ``"scheme"`` or ``"port"``; ``""`` if allowed.
    :ivar reason: the same in words for the operator, who may read host, scheme and port in it, but
        no path and no query.
    """

    allowed: bool
    rule: str
    step: str
    reason: str

    def refusal(self, target: Target) -> ProxyError:
        """The caller's answer where *target* is not allowed."""
        kind, part = {
            "host": (HostNotAllowed, f'Host "{target.host}"'),
            "scheme": (SchemeNotAllowed, f'Scheme "{target.scheme}"'),
            "port": (PortNotAllowed, f"Port {target.port}"),
        }[self.step]
        return kind(f"{part} is not in the allowed list", reason=self.reason)


#: Each policy has a number of its own, by which connections to one origin are kept apart.
_REALMS = itertools.count(1)


class EgressPolicy:
    """The allow list of one route.

    :param allowed_hosts: exact hosts, or ``.example.org`` / ``*.example.org`` for every name
        below ``example.org``, itself excluded.
    :param allowed_schemes: some of ``"https"`` and ``"http"``.
    :param allowed_ports: ``None`` for the scheme's own port.
    :param allow_networks: non-public networks that may be connected to; they also admit IP
        addresses inside them as hosts, and names without a dot, such as ``localhost``, which then
        lead into these networks only.
    :param pinned: the one host is that of a pinned base, which may have an underscore.
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
        pinned: bool = False,
    ) -> None:
        self.allow_networks = tuple(allow_networks)
        self._carries_key = carries_key
        self._realm = next(_REALMS)
        problems: list[str] = []
        rules = _read_hosts(allowed_hosts, self.allow_networks, pinned, problems)
        problems += [
            f'allowed_schemes[{index}]: {scheme!r} is not "https" or "http"'
            for index, scheme in enumerate(allowed_schemes)
            if scheme not in DEFAULT_PORTS
        ]
        problems += [
            f"allowed_ports[{index}]: {port!r} is not a port from 1 to 65535"
            for index, port in enumerate(allowed_ports or ())
            if not 1 <= port <= 65535
        ]
        if problems:
            raise ConfigError(*problems)
        self.rules = tuple(rules)
        self.schemes = tuple(allowed_schemes)
        self.ports = None if allowed_ports is None else tuple(allowed_ports)
        # The usual verdict on the hot path is one look-up of a decision that is made here.
        self._exact = {rule.host: _allow(rule) for rule in rules if not rule.below}
        self._below = {rule.host: _allow(rule) for rule in rules if rule.below}
        self._local = frozenset(rule.host for rule in rules if rule.local)

    def decide(self, target: Target) -> Decision:
        """The verdict on *target*: its host is checked first, then its scheme, then its port."""
        allow = self._match(target.host)
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
        """*target*, which may be sent to once its addresses pass :func:`check_address`.

        :raises HostNotAllowed: no entry matches.
        :raises SchemeNotAllowed: an entry matches, and the scheme is not listed.
        :raises PortNotAllowed: an entry matches, the scheme is listed, and the port is not.
        """
        decision = self.decide(target)
        if not decision.allowed:
            raise decision.refusal(target)
        plain_key = self._carries_key and target.scheme != "https"
        listed_only = plain_key or target.host in self._local
        return VettedTarget(target, decision.rule, self.allow_networks, listed_only, self._realm)

    def lists(self, host: str) -> bool:
        """Whether an entry of ``allowed_hosts`` matches *host*."""
        return self._match(host) is not None

    def _match(self, host: str) -> Decision | None:
        """The rule of *host* itself, or that of the nearest parent domain.

        It goes from label to label: ``evilexample.org`` is no subdomain of ``example.org``.
        """
        allow = self._exact.get(host)
        parent = host
        while allow is None and (parent := parent.partition(".")[2]):
            allow = self._below.get(parent)
        return allow


class AnyHost:
    """The policy of the server's own calls, whose URLs its code chooses: every host and port.

    The address checks hold as for a route: an address that is not public has to be in
    *allow_networks*. Plain http goes to those networks only, because such a call may carry a key.
    """

    def __init__(self, allow_networks: Sequence[AllowedNetwork] = ()) -> None:
        self._allow_networks = tuple(allow_networks)
        self._realm = next(_REALMS)

    def vet(self, target: Target) -> VettedTarget:
        """*target*, which may be sent to once its addresses pass :func:`check_address`."""
        plain = target.scheme != "https"
        return VettedTarget(target, "", self._allow_networks, plain, self._realm)


def check_address(vetted: VettedTarget, address: Address) -> AddressVerdict:
    """Whether a request to *vetted* may go to *address*, one that its host resolved to."""
    port = vetted.target.port
    verdict = judge(address, port, vetted.allow_networks)
    listed = any(opens(entry, address, port) for entry in vetted.allow_networks)
    if verdict.allowed and vetted.listed_only and not listed:
        return AddressVerdict(
            False,
            "not in allow_networks, where a key over plain http and a name of your own network go",
        )
    return verdict


def _allow(rule: HostRule) -> Decision:
    return Decision(True, rule.text, "", f"allowed_hosts entry {rule.text}")


def _read_hosts(
    entries: Sequence[str],
    allow_networks: Sequence[AllowedNetwork],
    pinned: bool,
    problems: list[str],
) -> list[HostRule]:
    if not entries:
        problems.append("allowed_hosts: is empty; name each host that may be reached")
    rules = []
    for index, entry in enumerate(entries):
        try:
            rules.append(parse_host_rule(entry, allow_networks, pinned=pinned))
        except ValueError as fault:
            problems.append(f"allowed_hosts[{index}]: {fault}")
    return rules
