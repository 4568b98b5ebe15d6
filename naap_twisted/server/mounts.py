"""What is mounted on a server, and which pinned route a path continues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen
from twisted.web.resource import IResource

from ..errors import MethodNotAllowed
from ..route.spine import ExternalProxy, MountedProxy


@frozen
class Mount:
    """One mounted resource.

    :ivar path: below the base path, as mounted.
    :ivar full_path: as it stands in a request target.
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
        """Whether what follows its path is for a fixed upstream to read."""
        return self.proxy is not None and self.proxy.route.pinned is not None

    def is_continued_by(self, below: bytes) -> bool:
        """Whether *below*, a path as it came, is pinned to this mount and goes on behind it."""
        return self.is_pinned and below.startswith(f"{self.path}/".encode("ascii"))

    @property
    def has_sessions(self) -> bool:
        """Whether it hands out Locations of its own."""
        return self.proxy is not None and self.proxy.route.session_ttl is not None

    @property
    def methods(self) -> tuple[str, ...]:
        """What it answers; empty for a resource that decides for itself."""
        return methods_of(self.resource)


def methods_of(resource: IResource | ExternalProxy) -> tuple[str, ...]:
    """The methods of a proxy; none of a resource that decides for itself."""
    if not isinstance(resource, (ExternalProxy, MountedProxy)):
        return ()
    return tuple(method.decode("ascii") for method in resource.route.methods)


def pinned_above(mounts: Sequence[Mount], method: bytes, below: bytes) -> Mount | None:
    """The nearest pinned route that *below*, a path as it came, continues.

    Slashes, line breaks and odd bytes behind its path are the upstream's to read, byte for byte;
    no pattern of a url map describes them.

    :raises MethodNotAllowed: none that takes *method*.
    """
    above = [each for each in mounts if each.is_continued_by(below)]
    nearest = max((each.path for each in above), key=len, default="")
    same = [each for each in above if each.path == nearest]
    found = next((each for each in same if method.decode("ascii") in each.methods), None)
    if found is None and same:
        raise wrong_method(name for each in same for name in each.methods)
    return found


def wrong_method(methods: Iterable[str]) -> MethodNotAllowed:
    """The refusal where only *methods* are answered."""
    allow = ", ".join(sorted({*methods, "OPTIONS"})).encode("ascii")
    return MethodNotAllowed(headers=((b"Allow", allow),))
