"""Which URL a request is for, and that it may be: the spine's second and third step."""

from __future__ import annotations

from ..errors import InvalidTarget, MissingTarget, NotFound
from ..interfaces import IDownstreamRequest
from ..model import Target, VettedTarget
from ..policy.egress import EgressPolicy
from ..policy.target import parse_target
from ..whip.sessions import Sessions
from .compiled import Route

_MOST_DECIDED = 1024


class Targets:
    """The targets of one mounted route.

    :param prefix: the mount's full path as it stands in a request target.
    :param sessions: where the route has sessions, they have paths of their own.
    """

    def __init__(
        self, route: Route, egress: EgressPolicy, prefix: bytes, sessions: Sessions | None = None
    ) -> None:
        self._route = route
        self._egress = egress
        self._prefix = prefix
        self._sessions = sessions
        self._header = route.target_url_header.encode("ascii")
        self._decided: dict[bytes, VettedTarget] = {}

    def of(self, request: IDownstreamRequest) -> VettedTarget:
        """The request's target, let through.

        :raises MissingTarget, InvalidTarget, NotFound: it names none.
        :raises HostNotAllowed, SchemeNotAllowed, PortNotAllowed: it may not be reached.
        """
        if self._sessions is not None:
            resource = self._sessions.target(request)
            if resource is not None:
                return self._egress.vet(resource)
        raw = self._raw(request)
        # The same bytes get the same answer, so answers are kept.
        vetted = self._decided.get(raw)
        if vetted is None:
            vetted = self._egress.vet(self._parsed(raw))
            if len(self._decided) >= _MOST_DECIDED:
                self._decided.clear()
            self._decided[raw] = vetted
        return vetted

    def _parsed(self, raw: bytes) -> Target:
        if self._route.pinned is not None:
            return self._route.pinned.join(raw)
        return parse_target(raw, self._route.target_url_header)

    def _raw(self, request: IDownstreamRequest) -> bytes:
        if self._route.pinned is not None:
            if not request.uri.startswith(self._prefix):
                # The router matched another spelling; what follows it can't be told apart.
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
