"""By which names a server is called: ``server_names``, and what its listeners say by themselves.

A page chooses neither the Host that its browser sends nor the Origin, but whoever owns a DNS name
chooses where it points: Host and Origin that equal each other prove nothing (DNS rebinding). A name
that is known here does. Loopback's names are nobody's to point elsewhere (RFC 6761 section 6.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from attrs import frozen

from ..options.listen import Listen
from ..wrappers.server_names import LOOPBACK_NAMES, parse_host

_OVER_TCP = ("tcp", "tcp6", "ssl")


@frozen
class OwnNames:
    """A server's names.

    :ivar listed: ``server_names`` as written.
    :ivar known: names that are surely ours, as a Host header spells them: what "same origin" and
        the URL of a redirect may rest on.
    :ivar loopback: who connects over TCP can only be this machine; no other name is answered then.
    """

    listed: tuple[str, ...]
    known: frozenset[bytes]
    loopback: bool

    @property
    def answered(self) -> tuple[str, ...]:
        """The names that are answered, in words; empty: any."""
        if not self.loopback:
            return self.listed
        return (*self.listed, *sorted(n.decode("ascii") for n in self.known - _parsed(self.listed)))


def own_names(listeners: Iterable[Listen], server_names: Sequence[str]) -> OwnNames:
    """The names of a server that hears *listeners*; of none: where it listens is not known.

    A UNIX socket is this machine's too, but what connects to it is a proxy, which passes the Host
    on that the world outside uses.
    """
    over_tcp = [each for each in listeners if each.kind != "unix"]
    loopback = bool(over_tcp) and all(each.kind in _OVER_TCP and each.local for each in over_tcp)
    listed = _parsed(server_names)
    # Beyond loopback a list is the whole list: nothing else is answered, so nothing else is ours.
    own = LOOPBACK_NAMES.union(_addresses(over_tcp)) if loopback or not listed else frozenset()
    return OwnNames(tuple(server_names), listed | own, loopback)


def _parsed(names: Sequence[str]) -> frozenset[bytes]:
    hosts = (parse_host(name.encode("utf-8")) for name in names)
    return frozenset(host.name for host in hosts if host is not None)


def _addresses(listeners: Iterable[Listen]) -> Iterable[bytes]:
    for listen in listeners:
        try:
            address = ip_address(listen.arguments.get("interface", ""))
        except ValueError:
            continue  # all interfaces, a name, or a socket that somebody else opened
        if not address.is_unspecified:
            text = address.compressed
            yield (f"[{text}]" if address.version == 6 else text).encode("ascii")
