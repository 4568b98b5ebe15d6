"""The names of a server: ``server_names``, and the addresses that it listens on.

A page chooses neither the Host nor the Origin that its browser sends, but the owner of a DNS name
chooses the address behind it: a Host that equals the Origin proves nothing (DNS rebinding). A Host
that is one of these names does. ``localhost`` can't be pointed elsewhere (RFC 6761 section 6.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from attrs import frozen

from ..options.listen import Listen
from ..wrappers.server_names import LOOPBACK_NAMES, host_names

_OVER_TCP = ("tcp", "tcp6", "ssl")


@frozen
class OwnNames:
    """A server's names.

    :ivar listed: ``server_names`` as written.
    :ivar known: the names that are certainly the server's own, as a Host header spells them: "same
        origin" and the URL of a redirect may rest on them.
    :ivar loopback: whether only this machine can connect over TCP; then only known names are
        answered.
    """

    listed: tuple[str, ...]
    known: frozenset[bytes]
    loopback: bool

    @property
    def answered(self) -> tuple[str, ...]:
        """The names that are answered, for people to read; empty: any name is."""
        if not self.loopback:
            return self.listed
        further = self.known - host_names(self.listed)
        return (*self.listed, *sorted(name.decode("ascii") for name in further))


def own_names(listeners: Iterable[Listen], server_names: Sequence[str]) -> OwnNames:
    """The names of a server with these *listeners*; empty: where it listens is not known.

    A UNIX socket says nothing about names: a proxy connects to it, and passes on the Host that
    browsers use.
    """
    over_tcp = [listen for listen in listeners if listen.kind != "unix"]
    loopback = bool(over_tcp) and all(
        listen.kind in _OVER_TCP and listen.local for listen in over_tcp
    )
    listed = host_names(server_names)
    # Beyond loopback ``server_names`` is the full list: no other name is answered.
    own = LOOPBACK_NAMES.union(_addresses(over_tcp)) if loopback or not listed else frozenset()
    return OwnNames(tuple(server_names), listed | own, loopback)


def _addresses(listeners: Iterable[Listen]) -> Iterable[bytes]:
    for listen in listeners:
        try:
            address = ip_address(listen.arguments.get("interface", ""))
        except ValueError:
            continue  # all interfaces, a host name, or a socket that systemd opened
        if not address.is_unspecified:
            text = address.compressed
            yield (f"[{text}]" if address.version == 6 else text).encode("ascii")
