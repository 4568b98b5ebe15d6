"""Whether a browser sends a preflight, and whether the answer lets the request follow. Pure.

The rules are the Fetch standard's of 2025: "CORS-preflight fetch", "CORS-safelisted request-header"
and "CORS check".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from ..wrappers.origins import Origins, parse_origin
from ..wrappers.remedies import (
    SAFELISTED_METHODS,
    HeaderOption,
    Problem,
    origin_refused,
    refusals,
    wildcard_with_credentials,
)
from .replay import Reply

SAFE_TYPES = frozenset(("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"))
# The methods that a browser writes in upper case (Fetch, "normalize"); "patch" stays as it is.
_NORMALIZED = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"))
# Fetch's "forbidden request-headers": the browser drops them, or sends a value of its own.
_FORBIDDEN = frozenset(
    (
        *("accept-charset", "accept-encoding", "connection", "content-length", "cookie", "cookie2"),
        *("access-control-request-headers", "access-control-request-method", "date", "dnt"),
        *("expect", "host", "keep-alive", "origin", "referer", "set-cookie", "te", "trailer"),
        *("transfer-encoding", "upgrade", "via"),
    )
)
_UNSAFE_BYTE = re.compile(r'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')
_LANGUAGE = re.compile(r"[0-9A-Za-z *,\-.;=]*")
_RANGE = re.compile(r"bytes=[0-9]+-[0-9]*")
_MOST = 128


@frozen
class Need:
    """What a browser does before it sends a request.

    :ivar foreign: whether the page is of another origin than the proxy.
    :ivar needed: whether the browser sends a preflight.
    :ivar why: the reason, for people to read.
    :ivar method: the method as the browser sends it.
    :ivar names: the header names that the preflight asks for: lower case, sorted.
    :ivar dropped: headers of the request that a page can't set.
    """

    foreign: bool
    needed: bool
    why: str
    method: str
    names: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def need_of(
    method: str, headers: Mapping[str, str], origin: str, own_origins: Sequence[str]
) -> Need:
    """Whether a page of *origin* has to send a preflight before *method* with *headers*.

    :param origin: the page's origin; ``""`` for a client that is no browser.
    """
    sent = method.upper() if method.upper() in _NORMALIZED else method
    dropped = tuple(sorted(name for name in headers if is_forbidden(name)))
    kept = {name: value for name, value in headers.items() if not is_forbidden(name)}
    names = unsafe_names(kept)
    if not origin:
        return Need(False, False, "no page asks: CORS is between browsers and servers", sent)
    page = parse_origin(origin)
    if page is not None and page in [parse_origin(own) for own in own_origins]:
        return Need(False, False, "the page is of the proxy's own origin", sent, (), dropped)
    reasons = [] if sent in SAFELISTED_METHODS else [f"the method {sent}"]
    reasons += [f"the header {name}{_kind(name, kept)}" for name in names]
    if reasons:
        why = f"needed for {', '.join(reasons)}"
    else:
        why = "only CORS-safelisted method and headers: sent at once"
    return Need(True, bool(reasons), why, sent, names, dropped)


def is_forbidden(name: str) -> bool:
    """Whether a page can't set this request header."""
    lower = name.lower()
    return lower in _FORBIDDEN or lower.startswith(("proxy-", "sec-"))


def unsafe_names(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The CORS-unsafe request-header names: lower case, sorted.

    The standard's bound of 1024 bytes on all safelisted values together needs no check: there are
    five safelisted names, whose values have 128 bytes each at most.
    """
    combined: dict[str, str] = {}
    for name, value in headers.items():
        before = combined.get(name.lower())
        combined[name.lower()] = value if before is None else f"{before}, {value}"
    return tuple(sorted(name for name, value in combined.items() if not _is_safe(name, value)))


def _is_safe(name: str, value: str) -> bool:
    if len(value) > _MOST:
        return False
    if name in ("accept-language", "content-language"):
        return _LANGUAGE.fullmatch(value) is not None
    if name == "range":
        return _RANGE.fullmatch(value) is not None
    if name == "accept":
        return _UNSAFE_BYTE.search(value) is None
    if name == "content-type":
        kind = value.partition(";")[0].strip().lower()
        return _UNSAFE_BYTE.search(value) is None and kind in SAFE_TYPES
    return False


def _kind(name: str, headers: Mapping[str, str]) -> str:
    if name != "content-type":
        return ""
    return "".join(f": {value}" for key, value in headers.items() if key.lower() == name)


def problems_of(
    reply: Reply,
    need: Need,
    origin: str,
    *,
    origins: Origins,
    allowing: HeaderOption,
    credentials: bool = False,
) -> list[Problem]:
    """Why a browser would not send the request after this *reply*; empty: it would.

    :param reply: the site's answer to the preflight.
    :param origins: the option ``cors_origins``; with *allowing*, what a remedy would change.
    :param credentials: whether cookies go along (``credentials: "include"``).
    """
    if 300 <= reply.status <= 399:
        return [Problem("Redirect is not allowed for a preflight request")]
    allowed = reply.values("access-control-allow-origin")
    if allowed == ["*"] and credentials:
        return [wildcard_with_credentials(origin)]
    if allowed not in (["*"], [origin]):
        if reply.status >= 400 and origins.allows(origin.encode("latin-1", "replace")):
            # The origin is allowed, so a wrapper outside CORS has refused the preflight.
            return [Problem(f"The proxy answered the preflight with HTTP status {reply.status}")]
        return [origin_refused(origins, origin)]
    if not need.needed:
        return []
    if not 200 <= reply.status <= 299:
        return [Problem(f"Response to preflight request has HTTP status {reply.status}, not ok")]
    methods = reply.listed("access-control-allow-methods")
    listed = {name.lower() for name in reply.listed("access-control-allow-headers")}
    return refusals(need.method, need.names, methods, listed, allowing)
