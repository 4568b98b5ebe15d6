"""Why a browser refuses a response, in the browser's words, and the line that would help. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from attrs import frozen

from ..model import RouteCors
from .origins import Origins, parse_origin

#: Methods that no preflight has to allow (Fetch, "CORS-safelisted method").
SAFELISTED_METHODS = frozenset(("GET", "HEAD", "POST"))
#: The methods that APIs have; a config line with any other would hardly help.
PROXIED_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"))


@frozen
class Problem:
    """One reason.

    :ivar text: the reason as a browser's console words it.
    :ivar line: the config line that would allow the request; ``None`` where none can.
    """

    text: str
    line: str | None = None


@frozen
class HeaderOption:
    """The option that lets a page send a header to one path, with its value now.

    A proxy route has to pass the header on, too: ``cors_headers`` alone would let the page through
    and throw the header away.

    :ivar key: ``"pass_headers"`` of a proxy route, else ``"cors_headers"``.
    """

    key: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, route: RouteCors | None, cors_headers: Sequence[str]) -> HeaderOption:
        """The option for what answers a path."""
        if route is not None and route.route:
            return cls("pass_headers", route.pass_headers)
        return cls("cors_headers", tuple(cors_headers))

    def line(self, missing: Iterable[str]) -> str | None:
        """The config line that allows *missing* headers as well; ``None`` where none can.

        A name with "_" is allowed to be sent at most: no route passes it on.
        """
        more = [name for name in missing if "_" not in name or self.key != "pass_headers"]
        return f"{self.key} = {json.dumps([*self.names, *more])}" if more else None


def refusals(
    method: str,
    names: Iterable[str],
    methods: Sequence[str],
    listed: Collection[str],
    allowing: HeaderOption,
) -> list[Problem]:
    """The reasons why a preflight fails; empty where it passes.

    Each header's line lists all headers that are missing, so that one edit mends all.

    :param names: the requested headers, in any case.
    :param methods: the allowed methods.
    :param listed: the allowed headers, in lower case.
    :param allowing: the option that would allow a header.
    """
    refused = method not in methods and method not in SAFELISTED_METHODS
    problems = [method_refused(method, methods)] if refused else []
    missing = [name for name in dict.fromkeys(names) if name.lower() not in listed]
    line = allowing.line(missing)
    return problems + [
        header_refused(name, line if allowing.line([name]) else None) for name in missing
    ]


def origin_refused(origins: Origins, origin: str) -> Problem:
    """The page's origin is not allowed."""
    return Problem(
        "Response to preflight request doesn't pass access control check:"
        " No 'Access-Control-Allow-Origin' header is present on the requested resource",
        origins.line_allowing(origin.encode("latin-1", "replace")),
    )


def cross_site_refused(origins: Origins, page: str, *, named: bool) -> Problem:
    """Another site's page used a route with a key without CORS: an image, a link, a form, a frame.

    :param page: the page's origin, or as much as Referer tells of it.
    :param named: a list of origins that names the page would let it pass.
    """
    parsed = parse_origin(page) if named else None
    return Problem(
        "Failed to load resource: the server responded with a status of 403: a route with a key"
        " takes no image, link, form or frame of another site's page",
        None if parsed is None else f"cors_origins = {json.dumps([*origins.listed, parsed])}",
    )


def wildcard_with_credentials(origin: str) -> Problem:
    """The page sends credentials, and ``cors_origins`` allows every origin."""
    return Problem(
        "The value of the 'Access-Control-Allow-Origin' header in the response must not be the"
        " wildcard '*' when the request's credentials mode is 'include'",
        f"cors_origins = {json.dumps([origin])}",
    )


def header_refused(name: str, line: str | None) -> Problem:
    """The preflight does not allow a request header that the page wants to send.

    :param line: the option that would allow it.
    """
    return Problem(
        f"Request header field {name.lower()} is not allowed by Access-Control-Allow-Headers in"
        " preflight response",
        line,
    )


def method_refused(method: str, methods: Sequence[str]) -> Problem:
    """The route does not answer the method."""
    listed = [name for name in methods if name not in ("OPTIONS", "HEAD")]
    # A page's fetch() may ask for "patch": that is another method than "PATCH", which no route has.
    line = f"methods = {json.dumps([*listed, method])}" if method in PROXIED_METHODS else None
    return Problem(
        f"Method {method} is not allowed by Access-Control-Allow-Methods in preflight response",
        line,
    )
