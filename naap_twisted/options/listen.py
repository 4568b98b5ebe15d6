"""Endpoint strings (``tcp:4020:interface=127.0.0.1``) read without opening anything. Pure.

The syntax is that of :func:`twisted.internet.endpoints.serverFromString`, which is not used here
because it opens the key files of ``ssl:`` as it parses.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

from .values import reads_text

_ESCAPES = re.compile(r"(?:[^\\]|\\.)+", re.DOTALL)
_PIECE = re.compile(r"((?:[^\\:]|\\.)*)(?::|$)", re.DOTALL)
BACKLOG = 1024
_INET = ("port", "interface", "backlog")
_TLS = ("privateKey", "certKey", "sslmethod", "extraCertChain", "dhParameters")
# The arguments each kind of endpoint knows, the positional ones in order.
_KINDS: dict[str, tuple[str, ...]] = {
    "tcp": _INET,
    "tcp6": ("port", "backlog", "interface"),
    "ssl": ("port", *_TLS[:3], "interface", "backlog", *_TLS[3:]),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
}


# Before the endpoint string that it wraps, as Twisted has it.
_FRONTED = "haproxy:"


@frozen
class Listen:
    """One listening address.

    :ivar description: the endpoint string as written.
    :ivar kind: ``"tcp"``, ``"tcp6"``, ``"ssl"``, ``"unix"`` or ``"systemd"``.
    :ivar arguments: the endpoint's arguments by name.
    :ivar fronted: each connection begins with the PROXY protocol, by which a front says for whom it
        connects (``haproxy:`` before another endpoint).
    """

    description: str
    kind: str
    arguments: dict[str, str]
    fronted: bool = False

    @property
    def endpoint(self) -> str:
        """The endpoint string of the socket."""
        return self.description.removeprefix(_FRONTED)

    @property
    def local(self) -> bool:
        """Whether requests come from this machine only. A front passes on those of others."""
        return self.closed and not self.fronted

    @property
    def closed(self) -> bool:
        """Whether only this machine can connect. When in doubt, no."""
        interface = self.arguments.get("interface", "")
        if self.kind == "unix" or interface == "localhost":
            return True
        try:
            return ipaddress.ip_address(interface).is_loopback
        except ValueError:
            return False


def with_backlog(description: str) -> str:
    """The socket's endpoint with a queue for connections that come at once; Twisted's own is 50.

    One that is written out stays.

    :raises ValueError: as :func:`parse_listen`.
    """
    listen = parse_listen(description)
    if "backlog" not in _KINDS[listen.kind] or "backlog" in listen.arguments:
        return listen.endpoint
    return f"{listen.endpoint}:backlog={BACKLOG}"


def _split(description: str) -> tuple[list[str], dict[str, str]]:
    if _ESCAPES.fullmatch(description) is None:
        raise ValueError("ends in the middle of an escape")
    positional: list[str] = []
    named: dict[str, str] = {}
    # The last match is the empty one behind the end.
    for piece in _PIECE.findall(description)[:-1]:
        key, equals, value = piece.partition("=")
        plain = re.sub(r"\\(.)", r"\1", value if equals else key)
        if equals:
            named[key] = plain
        else:
            positional.append(plain)
    return positional, named


@reads_text()
def parse_listen(description: str) -> Listen:
    """Read one endpoint string.

    :raises ValueError: not text, an unknown kind, unknown arguments or values that can't be.
    """
    fronted = description.startswith(_FRONTED)
    (kind, *positional), named = _split(description.removeprefix(_FRONTED))
    if fronted and kind == "ssl":
        raise ValueError(
            "would expect TLS before the PROXY header, which fronts send first; let the front end"
            ' TLS, and write "haproxy:tcp:..."'
        )
    if kind not in _KINDS:
        raise ValueError(
            'is not an endpoint such as "tcp:4020:interface=127.0.0.1" or "ssl:443:..."'
        )
    known = _KINDS[kind]
    if len(positional) > len(known):
        raise ValueError("has too many parts")
    arguments = dict(zip(known, positional, strict=False))
    for key in named:
        if key not in known or key in arguments:
            raise ValueError(f"{key} is unknown or given twice; {kind} takes {', '.join(known)}")
    arguments |= named
    if not arguments.get(known[0]):
        raise ValueError(f"needs {'a' if known[0] != 'address' else 'an'} {known[0]}")
    for key, highest in (("port", 65535), ("backlog", 65535), ("index", 1024)):
        number = arguments.get(key, "0")
        if not re.fullmatch("[0-9]{1,5}", number) or int(number) > highest:
            raise ValueError(f"{key} must be a number from 0 to {highest}")
    interface = arguments.get("interface", "")
    if "interface" in known and (kind == "tcp6" or interface not in ("", "localhost")):
        try:
            (ipaddress.IPv6Address if kind == "tcp6" else ipaddress.ip_address)(interface or "::")
        except ValueError:
            wanted = "an IPv6" if kind == "tcp6" else "an IP"
            raise ValueError(f"interface must be {wanted} address") from None
    return Listen(description, kind, arguments, fronted)


def check_admin(description: str, public: Iterable[Listen], *, remote: bool = False) -> None:
    """Refuse an ``admin_listen`` that strangers could reach.

    :param public: the endpoints of ``listen``.
    :param remote: ``admin_remote``: other machines may reach it.
    :raises ValueError: why, and what to do.
    """
    admin = parse_listen(description)
    if admin.fronted:
        raise ValueError(
            "has a front before it, whose callers all look as it says; listen without haproxy:"
        )
    for other in public:
        if _collide(admin, other):
            raise ValueError(f"is the public {other.description}; give it a port of its own")
    if not (admin.local or remote):
        raise ValueError(
            f"{description} can be reached from other machines and asks for no password; listen on"
            " 127.0.0.1 or a unix socket, or write admin_remote = true"
        )


def heard_twice(listeners: Sequence[Listen]) -> Iterator[tuple[int, Listen]]:
    """The number of each listener that can't be opened beside one before it, and that one.

    An IPv4 and an IPv6 address are two places, also where the system makes one of them.
    """
    for index, listen in enumerate(listeners):
        for other in listeners[:index]:
            if _version(listen) == _version(other) and _collide(listen, other):
                yield index, other
                break


def _version(listen: Listen) -> int:
    interface = listen.arguments.get("interface", "")
    return 6 if listen.kind == "tcp6" or ":" in interface else 4


def _collide(listen: Listen, other: Listen) -> bool:
    """Whether both are heard at the same place."""
    first, second = listen.arguments, other.arguments
    if {listen.kind, other.kind} <= {"tcp", "tcp6", "ssl"}:
        interfaces = {first.get("interface", ""), second.get("interface", "")}
        anywhere = interfaces & {"", "0.0.0.0", "::"}
        same = int(first["port"]) == int(second["port"]) != 0
        return same and bool(anywhere or len(interfaces - {"localhost"}) < 2)
    names = ("address",) if listen.kind == "unix" else ("index", "name")
    return listen.kind == other.kind and all(first.get(n) == second.get(n) for n in names)
