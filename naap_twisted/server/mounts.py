"""A server's mounts, and the search for the pinned route that a path continues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen
from twisted.web.resource import IResource

from ..errors import MethodNotAllowed
from ..options.code import exposed
from ..options.route import RouteOptions
from ..options.server import Config
from ..route.spine import ExternalProxy, MountedProxy
from ..whip.sessions import SEGMENT


@frozen
class Mount:
    """One mounted resource.

    :ivar path: its path below the base path.
    :ivar full_path: the same with the base path before it, as request targets have it.
    """

    path: str
    full_path: str
    resource: IResource

    @property
    def proxy(self) -> MountedProxy | None:
        """The resource if it is a proxy."""
        return self.resource if isinstance(self.resource, MountedProxy) else None

    @property
    def is_pinned(self) -> bool:
        """Whether it is a proxy with a fixed upstream, which reads what follows the path."""
        return self.proxy is not None and self.proxy.route.pinned is not None

    def is_continued_by(self, below: bytes) -> bool:
        """Whether it is pinned, and *below*, a percent-encoded path, goes on behind its path."""
        return self.is_pinned and below.startswith(f"{self.path}/".encode("ascii"))

    @property
    def has_sessions(self) -> bool:
        """Whether it is a proxy that signs the Locations of WHIP sessions."""
        return self.proxy is not None and self.proxy.route.session_ttl is not None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that it answers; empty for a resource that decides for itself."""
        return methods_of(self.resource)


def methods_of(resource: IResource | ExternalProxy) -> tuple[str, ...]:
    """The methods of a proxy; none of a resource that decides for itself."""
    if not isinstance(resource, (ExternalProxy, MountedProxy)):
        return ()
    return tuple(method.decode("ascii") for method in resource.route.methods)


def pinned_above(mounts: Sequence[Mount], method: bytes, below: bytes) -> Mount | None:
    """The mount of a pinned route with the longest path that *below* continues, if there is one.

    A url map has no pattern for what may follow it: doubled slashes, line breaks and bytes that
    are no UTF-8 are for the upstream to read, byte for byte.

    :param below: the request's path below the base path, still percent-encoded.
    :raises MethodNotAllowed: there is such a path, and none of its mounts takes *method*.
    """
    above = [mount for mount in mounts if mount.is_continued_by(below)]
    nearest = max((mount.path for mount in above), key=len, default="")
    candidates = [mount for mount in above if mount.path == nearest]
    for mount in candidates:
        if method.decode("ascii") in mount.methods:
            return mount
    if candidates:
        raise wrong_method(name for mount in candidates for name in mount.methods)
    return None


def shadowed(mounts: Sequence[Mount], beside: Iterable[bytes]) -> Iterator[str]:
    """One line for each mount that a path of the server's own stands before.

    :param beside: first path segments that are answered before any mount.
    """
    taken = set(beside)
    sessions = [f"{mount.path}/{SEGMENT}" for mount in mounts if mount.has_sessions]
    for mount in mounts:
        if mount.path.split("/")[1].encode("ascii") in taken:
            yield f'{mount.full_path}: "{mount.path}" is the server\'s own; choose another'
        for session in sessions:
            if f"{mount.path}/".startswith(f"{session}/"):
                yield f"{mount.full_path}: WebRTC sessions are at {session}; choose another path"


def wrong_method(methods: Iterable[str]) -> MethodNotAllowed:
    """The 405 of a path that takes only *methods*, and OPTIONS."""
    allow = ", ".join(sorted({*methods, "OPTIONS"})).encode("ascii")
    reason = f"the path takes {allow.decode('ascii')}"
    return MethodNotAllowed(reason=reason, headers=((b"Allow", allow),))


def in_words(mounts: Sequence[Mount]) -> str:
    """Methods and path of each of *mounts*, for the log's line about a start."""
    routes = (f"{' '.join(mount.methods) or 'ANY'} {mount.full_path}" for mount in mounts)
    return ", ".join(routes) or "none"


def options_of(mounts: Sequence[Mount]) -> list[tuple[str, RouteOptions | None]]:
    """Path and options of each of *mounts*; ``None`` for one that is no proxy."""
    return [(m.path, None if m.proxy is None else m.proxy.options) for m in mounts]


def exposures(mounts: Sequence[Mount], config: Config) -> list[str]:
    """Why a server with *mounts* would be an open relay, one line each."""
    return [
        f"{mount.full_path}: {line}"
        for mount in mounts
        if mount.proxy is not None
        for line in exposed(config, mount.proxy.options)
    ]
