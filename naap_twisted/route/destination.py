"""Finds the URL that a request is for and has it vetted: the spine's second and third step."""

from __future__ import annotations

from ..errors import InvalidTarget, MissingTarget, NotFound
from ..interfaces import IDownstreamRequest
from ..model import VettedTarget
from ..policy.egress import EgressPolicy
from ..policy.target import parse_target
from ..whip.sessions import WebRtcSessions
from .compiled import Route

_MOST_DECIDED = 1024
_LONGEST_DECIDED = 4096


class Targets:
    """The targets of one mounted route.

    :param prefix: the mount's full path as it stands in a request target.
    :param webrtc: the route's WebRTC sessions, whose Locations name targets of their own.
    """

    def __init__(
        self, route: Route, egress: EgressPolicy, prefix: bytes, webrtc: WebRtcSessions | None
    ) -> None:
        self._route = route
        self._egress = egress
        self._prefix = prefix
        self._webrtc = webrtc
        self._header = route.target_url_header.encode("ascii")
        self._decided: dict[bytes, VettedTarget] = {}

    def of(self, request: IDownstreamRequest) -> VettedTarget:
        """The request's target, which the egress policy allows.

        :raises MissingTarget, InvalidTarget, NotFound: the request names no target.
        :raises HostNotAllowed, SchemeNotAllowed, PortNotAllowed: the route does not allow it.
        :raises EndpointNotAllowed, ModelNotAllowed: it does not open that of the host.
        """
        if self._webrtc is not None:
            resource = self._webrtc.target(request)
            if resource is not None:
                sealing = self._route.sealing_of(resource)
                return self._egress.vet(sealing.cleaned(resource) if sealing else resource)
        raw, opening = self._raw(request), self._route.opening
        # A verdict depends on these bytes alone, so the last ones are kept.
        key = raw if opening is None else b"%b %b" % (request.method, raw)
        vetted = self._decided.get(key)
        if vetted is None:
            pinned = self._route.pinned
            header = self._route.target_url_header
            target = pinned.join(raw) if pinned else parse_target(raw, header)
            vetted = self._egress.vet(self._route.judged(target))
            if opening is not None:
                opening.check(request.method, target)
            if len(raw) <= _LONGEST_DECIDED:
                if len(self._decided) >= _MOST_DECIDED:
                    self._decided.clear()
                self._decided[key] = vetted
        return vetted

    def _raw(self, request: IDownstreamRequest) -> bytes:
        if self._route.pinned is not None:
            if not request.uri.startswith(self._prefix):
                # The router matched another spelling of the mount's path, whose end is unknown.
                raise NotFound(reason="the mount's path came encoded, or with a slash too many")
            return bytes(request.uri[len(self._prefix) :])
        values = request.requestHeaders.getRawHeaders(self._header)
        if not values:
            raise MissingTarget(f"Missing {self._route.target_url_header} header")
        if len(values) > 1:
            raise InvalidTarget(
                f"Invalid URL in {self._route.target_url_header} header",
                reason="the header is repeated",
            )
        return bytes(values[0])
