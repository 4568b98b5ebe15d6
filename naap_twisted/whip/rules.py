"""Which routes serve WHIP, and what such a route has in addition to its options. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import ExposeHeader

#: Media types of an offer and of what a PATCH brings (RFC 9725 sections 4.2 and 4.3).
OFFER = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
#: The form in which OpenAI's endpoint for calls takes an offer and the call's session.
FORM = "multipart/form-data"
#: Methods of a session's Location beside OPTIONS. WHIP gives GET no meaning; endpoints may.
SESSION_METHODS = ("PATCH", "DELETE", "GET")
#: Request headers of WHIP clients that a page's preflight has to ask for. The entity-tag of a PATCH
#: belongs in If-Match; clients of early drafts send it as ETag (@eyevinn/whip-web-client 1.1 does).
CLIENT_HEADERS = ("If-Match", "ETag")
#: Seconds that a Location works: longer than a session, which ends by a DELETE to its Location.
DEFAULT_TTL = 7 * 86400.0

_RESOURCE = ExposeHeader("Location", "X-WHIP-Resource")


def is_whip(content_types: Sequence[str], methods: Sequence[str]) -> bool:
    """Whether a route with these options serves WHIP: it takes SDP offers by POST."""
    return "POST" in methods and OFFER in (name.lower() for name in content_types)


def route_methods(methods: Sequence[str]) -> tuple[str, ...]:
    """The methods of a WHIP route: its own and those of its sessions."""
    return tuple(dict.fromkeys((*methods, *SESSION_METHODS)))


def patch_types(content_types: Sequence[str]) -> tuple[str, ...]:
    """Media types that a session's PATCH may have: the route's own, and ICE fragments."""
    return tuple(dict.fromkeys((*content_types, FRAGMENT)))


def exposed(pairs: Sequence[ExposeHeader]) -> tuple[ExposeHeader, ...]:
    """*pairs*, and X-WHIP-Resource with the session's upstream URL if it is not among them."""
    listed = {(pair.from_.lower(), pair.to.lower()) for pair in pairs}
    return (*pairs,) if ("location", "x-whip-resource") in listed else (*pairs, _RESOURCE)
