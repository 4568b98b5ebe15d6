"""From request path to resource: Klein's url map, asked once for each path and method.

Klein stays the router. A mounted proxy is an ordinary Klein route whose handler returns a resource;
this resource asks the same url map one step earlier, because a proxy must get its request at the
end of the headers and every other handler must get it with its body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote_to_bytes as unquote

from klein import Klein
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource, getChildForRequest
from twisted.web.server import NOT_DONE_YET

from ..auth.gate import Gate
from ..downstream.answer import send
from ..downstream.answering import HeadResource
from ..errors import ConfigError, MethodNotAllowed, NotFound, Unavailable
from ..interfaces import IDownstreamRequest
from ..limits.door import Door
from ..model import RouteCors
from ..route.spine import ExternalProxy, MountedProxy
from ..whip.rules import SESSION_METHODS
from ..whip.sessions import SEGMENT
from .mounts import Mount, methods_of, pinned_above
from .url_map import Match, UrlMap

_ANY_METHOD = (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE")
_MOST_CACHED = 1024
_SLASHES = re.compile(rb"/+")
# What a mount's path may hold as it is, and "/".
_KEPT = "/:@!$&'()*+,;=~"


class Routes(HeadResource):
    """The innermost resource: proxies and Klein routes below the base path, others beside it.

    :param base_path: ``"/api/v1"``, or ``""``.
    :param door: the limits for each user, on every route below the base path.
    :ivar klein: the application whose url map decides.
    :ivar beside: resources outside the base path, by first path segment.
    """

    def __init__(self, klein: Klein, base_path: str, gate: Gate, door: Door) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.klein = klein
        self.base_path = base_path
        self.beside: dict[bytes, Resource | IResource] = {}
        self.mounts: list[Mount] = []
        self.door = door
        self._gate = gate
        self._base = base_path.encode("ascii")
        self._segments = _segments_of(self._base)
        self._klein_resource = klein.resource()
        self._url_map = UrlMap(klein)
        self._matches: dict[tuple[bytes, bytes], Match] = {}
        self._cors: dict[bytes, RouteCors | None] = {}
        self._known = 0

    def mount(
        self,
        path: str,
        resource: IResource | ExternalProxy,
        bind: Callable[[str, ExternalProxy], MountedProxy],
    ) -> None:
        """Add *resource* at *path* below the base path.

        :param path: a path that the options' rules accept.
        :param bind: makes a resource of a proxy and its path.
        :raises ConfigError: the path is taken for one of the methods.
        """
        methods = methods_of(resource)
        for other in self.mounts:
            shared = not methods or not other.methods or set(methods) & set(other.methods)
            if other.path == path and shared:
                raise ConfigError(f'path: "{path}" is already the path of another mount')
        if isinstance(resource, ExternalProxy):
            resource = bind(path, resource)
        mount = Mount(path, self.base_path + path, resource)
        proxy = mount.proxy
        branch = proxy is None or mount.is_pinned
        endpoint = f"{path} {' '.join(mount.methods)}".strip()
        self._route(path, mount, endpoint, mount.methods, branch=branch)
        if mount.has_sessions and not branch:
            below = f"{path}/{SEGMENT}/<path:session>"
            self._route(below, mount, f"{endpoint} session", SESSION_METHODS, branch=False)
        self.mounts.append(mount)

    def _route(
        self, path: str, mount: Mount, endpoint: str, methods: tuple[str, ...], *, branch: bool
    ) -> None:
        options: dict[str, Any] = {"methods": list(methods)} if methods else {}
        decorate: Any = self.klein.route(
            path, branch=branch, endpoint=endpoint, strict_slashes=False, **options
        )

        def handler(request: object, **rest: object) -> IResource:
            return mount.resource

        handler.__name__ = endpoint
        decorate(handler)
        mounts = self._url_map.by_endpoint
        mounts[endpoint] = mounts[endpoint + "_branch"] = mount

    def holds(self, path: str) -> frozenset[str] | None:
        """What of a page token every mount at *path* can hold it to; ``None``: none is there."""
        found = [mount for mount in self.mounts if mount.path == path]
        if not found:
            return None
        held = {"models", "budget"}
        for mount in found:
            if mount.proxy is None:
                held.clear()
            elif not mount.proxy.route.narrowing.holds:
                held.discard("models")
        return frozenset(held)

    def is_own(self, segments: Sequence[bytes]) -> bool:
        """Whether *segments* are the beginning of the base path, or of a path beside it."""
        below = self._segments[: len(segments)]
        return list(segments) == below or (bool(segments) and segments[0] in self.beside)

    def render(self, request: IDownstreamRequest) -> int:
        """Find the resource for *request* and let it answer."""
        below = self._below_base(request.path)
        if below is None:
            self._render_beside(request)
            return NOT_DONE_YET
        site = getattr(request, "site", None)
        if getattr(site, "draining", False):
            # A keep-alive connection outlived the listener; a retry reaches another server.
            full = getattr(site, "is_overflow", False)
            reason = "too many connections are open" if full else "shutting down"
            request.refuse(Unavailable(reason=reason))
            return NOT_DONE_YET
        match = self._match(request.method, below)
        if match.error is not None:
            request.refuse(match.error)
        elif match.mount is not None and match.mount.proxy is not None:
            request.render(match.mount.proxy)
        elif match.location:
            self._point_to(match.location, request)
        else:
            request.record.route = self.base_path + match.rule
            self._render_klein(request, "" if match.mount is None else match.mount.full_path)
        return NOT_DONE_YET

    def _point_to(self, location: bytes, request: IDownstreamRequest) -> None:
        _, mark, query = request.uri.partition(b"?")
        where = request.outer + self._base + location + mark + query
        send(request, 308, ((b"Location", where), (b"Content-Length", b"0")), b"")

    def _render_klein(self, request: IDownstreamRequest, mount: str) -> None:
        """Admit the caller as a proxy would, then let Klein answer, once the body is there."""
        admitted = Deferred.fromCoroutine(self._admit(request, mount))
        request.notifyFinish().addErrback(lambda _: admitted.cancel())

        def go(_: object) -> None:
            # Klein puts what it is given here before the URLs that it makes.
            request.prepath = [*_segments_of(request.outer), *self._segments]
            request.postpath = request.postpath[len(self._segments) :]
            request.render(self._klein_resource)

        def stop(failure: Failure) -> None:
            if not failure.check(CancelledError):
                request.processingFailed(failure)

        admitted.addCallback(go).addErrback(stop)

    async def _admit(self, request: IDownstreamRequest, mount: str) -> None:
        await self._gate.admit_own(request, mount)
        await self.door.admit(request)

    def _render_beside(self, request: IDownstreamRequest) -> None:
        first, *rest = request.postpath
        resource = self.beside.get(first)
        if resource is None:
            request.refuse(NotFound())
            return
        request.record.route = "/" + first.decode("ascii", "replace")
        request.prepath, request.postpath = [*_segments_of(request.outer), first], rest
        request.render(getChildForRequest(resource, request))

    def _below_base(self, path: bytes) -> bytes | None:
        base = self._base
        if not base:
            # Without a base path, /healthz and its like are found before any route.
            return None if _first_segment(path) in self.beside else path
        if not path.startswith(base):
            return None
        below = path[len(base) :]
        return below if below[:1] == b"/" else (b"/" if not below else None)

    def _forget_if_changed(self) -> None:
        if self._known != len(self.klein.endpoints):  # A route was added after the last request.
            self._known = len(self.klein.endpoints)
            self._matches.clear()
            self._cors.clear()

    def _match(self, method: bytes, below: bytes) -> Match:
        self._forget_if_changed()
        match = self._matches.get((method, below))
        if match is None:
            match = self._find(method, below)
            if len(self._matches) >= _MOST_CACHED:
                self._matches.clear()
            self._matches[method, below] = match
        return match

    def _find(self, method: bytes, below: bytes) -> Match:
        match = self._find_as_spelled(method, below)
        read = unquote(below)
        if b"//" not in read or match.mount is None or not match.mount.is_pinned:
            return match
        # Most upstreams take several slashes for one, so a route below this one is meant as well.
        meant = self._find_as_spelled(
            method, quote(_SLASHES.sub(b"/", read), _KEPT).encode("ascii")
        )
        if meant.mount is match.mount:
            return match
        if meant.mount is not None and meant.mount.is_continued_by(below):
            return meant
        return Match(error=NotFound(reason="the path of a route, with a slash too many"))

    def _find_as_spelled(self, method: bytes, below: bytes) -> Match:
        match = self._url_map.match(method, below)
        if match.rule:
            return match
        try:
            pinned = pinned_above(self.mounts, method, below)
        except MethodNotAllowed as error:
            return Match(error=error)
        return Match(pinned) if pinned else match

    def cors_for(self, path: bytes) -> RouteCors | None:
        """What a preflight for *path* may allow; ``None`` where nothing is found."""
        below = self._below_base(path)
        if below is None:
            return RouteCors((b"GET", b"HEAD")) if _first_segment(path) in self.beside else None
        self._forget_if_changed()
        if below not in self._cors:
            if len(self._cors) >= _MOST_CACHED:
                self._cors.clear()
            self._cors[below] = self._find_cors(below)
        return self._cors[below]

    def _find_cors(self, below: bytes) -> RouteCors | None:
        methods = [m for m in _ANY_METHOD if self._find(m, below).error is None]
        methods += [m for m in self._url_map.methods(below) if m not in methods]
        methods = [method for method in methods if method != b"OPTIONS"]
        found = {id(m): m for m in (self._find(method, below).mount for method in methods) if m}
        routes = [mount.proxy.route.cors for mount in found.values() if mount.proxy is not None]
        if not methods:
            return None
        return RouteCors(
            methods=tuple(methods),
            allow_headers=tuple(name for route in routes for name in route.allow_headers),
            allow_patterns=(*dict.fromkeys(n for route in routes for n in route.allow_patterns),),
            pass_headers=tuple(name for route in routes for name in route.pass_headers),
            accept_post=next((r.accept_post for r in routes if r.accept_post), b""),
            accept_patch=next((r.accept_patch for r in routes if r.accept_patch), b""),
            route=next((mount.full_path for mount in found.values() if mount.proxy), ""),
        )


def _segments_of(path: bytes) -> list[bytes]:
    return [unquote(part) for part in path.split(b"/") if part]


def _first_segment(path: bytes) -> bytes:
    return unquote(path[1:].split(b"/", 1)[0])
