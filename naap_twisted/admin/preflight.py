"""Whether a browser asks before it sends, and whether the answer lets it go on.

The Fetch standard's rules ("CORS-preflight fetch", "CORS-safelisted request-header", "CORS check",
as of 2025). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from ..wrappers.origins import Origins, parse_origin
from ..wrappers.remedies import (
    SAFELISTED_METHODS,
    Problem,
    origin_refused,
    refusals,
    wildcard_with_credentials,
)
from .replay import Reply

SAFE_TYPES = frozenset(("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"))
# Methods whose case a browser mends; "patch" is sent as it is, and means nothing.
_MENDED = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"))
# Header names that a page can't set: the browser drops them, or says what it wants.
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
    """What a browser does before it sends.

    :ivar foreign: the page is of another origin than the proxy.
    :ivar needed: it asks first.
    :ivar why: in words.
    :ivar method: as it goes out.
    :ivar names: headers it asks for: lower case, sorted.
    :ivar dropped: headers that a page can't set.
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
    """Whether a page of *origin* may send *method* with *headers* at once.

    :param origin: ``""`` for no page at all.
    """
    mended = method.upper() if method.upper() in _MENDED else method
    dropped = tuple(sorted(name for name in headers if is_forbidden(name)))
    kept = {name: value for name, value in headers.items() if not is_forbidden(name)}
    names = unsafe_names(kept)
    if not origin:
        return Need(False, False, "no page asks: CORS is between browsers and servers", mended)
    page = parse_origin(origin)
    if page is not None and page in [parse_origin(own) for own in own_origins]:
        return Need(False, False, "the page is of the proxy's own origin", mended, (), dropped)
    reasons = [] if mended in SAFELISTED_METHODS else [f"the method {mended}"]
    reasons += [f"the header {name}{_kind(name, kept)}" for name in names]
    if reasons:
        why = f"needed for {', '.join(reasons)}"
    else:
        why = "only CORS-safelisted method and headers: sent at once"
    return Need(True, bool(reasons), why, mended, names, dropped)


def is_forbidden(name: str) -> bool:
    """Whether a page can't set this request header."""
    lower = name.lower()
    return lower in _FORBIDDEN or lower.startswith(("proxy-", "sec-"))


def unsafe_names(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The CORS-unsafe request-header names: lower case, sorted.

    The standard's bound on all safelisted values together is 1024 bytes; the five names there are,
    of 128 bytes each, can't reach it.
    """
    combined: dict[str, str] = {}
    for name, value in headers.items():
        known = combined.get(name.lower())
        combined[name.lower()] = value if known is None else f"{known}, {value}"
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
    cors_headers: Sequence[str],
    credentials: bool = False,
) -> list[Problem]:
    """Why a browser would not send what it asked for; empty: it would.

    :param reply: the site's answer.
    :param origins: the ``cors_origins`` setting, as *cors_headers* is: what a line would change.
    :param credentials: cookies go along (``credentials: "include"``).
    """
    if 300 <= reply.status <= 399:
        return [Problem("Redirect is not allowed for a preflight request")]
    allowed = reply.values("access-control-allow-origin")
    if allowed == ["*"] and credentials:
        return [wildcard_with_credentials(origin)]
    if allowed not in (["*"], [origin]):
        if reply.status >= 400 and origins.allows(origin.encode("latin-1", "replace")):
            # Refused for another reason, before CORS had its say.
            return [Problem(f"The proxy answered the preflight with HTTP status {reply.status}")]
        return [origin_refused(origins, origin)]
    if not need.needed:
        return []
    if not 200 <= reply.status <= 299:
        return [Problem(f"Response to preflight request has HTTP status {reply.status}, not ok")]
    methods = reply.listed("access-control-allow-methods")
    listed = {name.lower() for name in reply.listed("access-control-allow-headers")}
    return refusals(need.method, need.names, methods, listed, cors_headers)
