"""Why a browser gives up on us, in its own words, and the one config line that would help. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from attrs import frozen

from .origins import Origins, parse_origin

#: Sent without being on any list (Fetch, "CORS-safelisted method").
SAFE_METHODS = frozenset(("GET", "HEAD", "POST"))
#: The methods that APIs have; a line with any other would hardly help.
PROXIED_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))


@frozen
class Problem:
    """One reason.

    :ivar text: as a browser's console puts it.
    :ivar line: the config line that would let it through; ``None`` where none can.
    """

    text: str
    line: str | None = None


def refusals(
    method: str,
    names: Iterable[str],
    methods: Sequence[str],
    listed: Collection[str],
    cors_headers: Sequence[str],
) -> list[Problem]:
    """What of a preflight's question its answer does not allow.

    Each header's line lists all that are missing: one edit, not one for each try.

    :param names: the headers asked for; compared in lower case with *listed*.
    :param methods: those allowed.
    :param cors_headers: the setting as it is.
    """
    refused = method not in methods and method not in SAFE_METHODS
    problems = [method_refused(method, methods)] if refused else []
    missing = [name for name in dict.fromkeys(names) if name.lower() not in listed]
    return problems + [header_refused(name, [*cors_headers, *missing]) for name in missing]


def origin_refused(origins: Origins, origin: str) -> Problem:
    """The page's origin is not let in."""
    return Problem(
        "Response to preflight request doesn't pass access control check:"
        " No 'Access-Control-Allow-Origin' header is present on the requested resource",
        origins.line_allowing(origin.encode("latin-1", "replace")),
    )


def cross_site_refused(origins: Origins, page: str, *, sibling: bool) -> Problem:
    """Another site's page used a route with a key without CORS: an image, a link, a form, a frame.

    :param page: its origin, as far as it is told.
    :param sibling: it is of our own site, which a list of origins can name.
    """
    parsed = parse_origin(page) if sibling else None
    return Problem(
        "Failed to load resource: the server responded with a status of 403: a route with a key"
        " takes no image, link, form or frame of another site's page",
        None if parsed is None else f"cors_origins = {json.dumps([*origins.listed, parsed])}",
    )


def wildcard_with_credentials(origin: str) -> Problem:
    """Cookies go along, and every origin is let in."""
    return Problem(
        "The value of the 'Access-Control-Allow-Origin' header in the response must not be the"
        " wildcard '*' when the request's credentials mode is 'include'",
        f"cors_origins = {json.dumps([origin])}",
    )


def header_refused(name: str, cors_headers: Sequence[str]) -> Problem:
    """A request header that the page wants to send is on no list.

    :param cors_headers: the setting as it would have to be.
    """
    return Problem(
        f"Request header field {name.lower()} is not allowed by Access-Control-Allow-Headers in"
        " preflight response",
        f"cors_headers = {json.dumps(cors_headers)}",
    )


def method_refused(method: str, methods: Sequence[str]) -> Problem:
    """The route does not answer the method."""
    proxied = [each for each in methods if each not in ("OPTIONS", "HEAD")]
    # Not "patch", above all: it is another method than "PATCH", and no route may list it.
    line = f"methods = {json.dumps([*proxied, method])}" if method in PROXIED_METHODS else None
    return Problem(
        f"Method {method} is not allowed by Access-Control-Allow-Methods in preflight response",
        line,
    )
