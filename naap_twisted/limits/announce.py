"""Tells a page its limits: the RateLimit and RateLimit-Policy header fields. Pure.

The fields have the form of draft-ietf-httpapi-ratelimit-headers since revision 08, which gives each
policy a name, because a request falls under several limits at once. The older triple
``RateLimit-Limit``, ``-Remaining`` and ``-Reset`` can tell of one limit only.
"""

from __future__ import annotations

from twisted.web.http_headers import Headers

from ..downstream.headers import put_preset, spelled
from ..model import RateDecision, RateLimit

LIMIT, POLICY = b"RateLimit", b"RateLimit-Policy"
_EXPOSE = spelled(b"Access-Control-Expose-Headers")
_LIMIT_SPELLED, _POLICY_SPELLED = spelled(LIMIT), spelled(POLICY)


class Announcement:
    """The part of one policy in both fields.

    :param policy: its name: ``"address"``, ``"user"`` or ``"route"``.
    """

    def __init__(self, policy: str, limit: RateLimit) -> None:
        name = b'"%b"' % policy.encode("ascii")
        self._policy = b"%b;q=%d;w=%d" % (name, limit.requests, max(1, round(limit.window)))
        self._limit = name + b";r=%d;t=%d"

    def put(self, headers: Headers, decision: RateDecision) -> None:
        """Add to a response's *headers* ``r``, the requests left, and ``t``, seconds until more."""
        current = self._limit % (decision.remaining, decision.reset or decision.retry_after)
        earlier = headers.getRawHeaders(LIMIT)
        if earlier is None:
            exposed = headers.getRawHeaders(_EXPOSE)
            put_preset(headers, ((_LIMIT_SPELLED, current), (_POLICY_SPELLED, self._policy)))
            if exposed:
                put_preset(headers, ((_EXPOSE, b", ".join((exposed[0], LIMIT, POLICY))),))
        else:
            headers.setRawHeaders(LIMIT, [earlier[0] + b", " + current])
            policies = (headers.getRawHeaders(POLICY) or [b""])[0]
            headers.setRawHeaders(POLICY, [policies + b", " + self._policy])
