"""Refuses, by Fetch Metadata (W3C), requests that other sites' pages make without CORS.

An image, a link, a form or a frame needs no CORS, so the request has no Origin to look up in
``cors_origins``; on a route that injects a key its owner would pay for it. Browsers tell in
``Sec-Fetch-Site`` where a request comes from, and no page can change that. A request without it
comes from no page, or from a browser of before 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from twisted.logger import Logger

from ..downstream.caller import NOBODY, TrustedProxies
from ..errors import CrossSiteNotAllowed, OriginNotAllowed
from ..interfaces import IDownstreamRequest
from ..policy.public_suffix import site_of
from ..wrappers.base import is_https
from ..wrappers.origins import Origins, parse_origin
from ..wrappers.remedies import cross_site_refused
from ..wrappers.server_names import host_of

# A page of this server, or a person who typed the address.
_SAME_ORIGIN = (b"same-origin", b"none")
_NAVIGATIONS = frozenset((b"navigate", b"nested-navigate"))


def need_origin(request: IDownstreamRequest) -> None:
    """Let *request* pass where it has an Origin, for the CORS wrapper has allowed that.

    :raises OriginNotAllowed: it has none. Any caller but a browser can write one, too.
    """
    if not request.requestHeaders.hasHeader(b"origin"):
        raise no_origin()


def no_origin() -> OriginNotAllowed:
    """The refusal of a request that has none."""
    return OriginNotAllowed(
        "This route is for pages; the request has no Origin",
        reason="the route has require_origin, and the request no Origin",
    )


class CrossSite:
    """Refuses requests of other sites' pages to a route with a key, unless CORS allowed them.

    :param origins: ``cors_origins``; ``"*"`` admits scripts but names no site.
    :ivar trusted: proxies whose X-Forwarded-Proto is believed.
    """

    _log = Logger()

    def __init__(
        self, origins: Sequence[str] | str = "*", trusted: TrustedProxies = NOBODY
    ) -> None:
        self._origins = Origins(origins)
        self.trusted = trusted

    def check(self, request: IDownstreamRequest, *, embeddable: bool = False) -> None:
        """Let *request* pass, or raise.

        :param embeddable: pages of listed origins may show the answer, as an image or a sound.
        :raises CrossSiteNotAllowed: another site's page made the request.
        """
        headers = request.requestHeaders
        sites = headers.getRawHeaders(b"sec-fetch-site")
        if sites is None or (len(sites) == 1 and sites[0] in _SAME_ORIGIN):
            return
        sibling = sites == [b"same-site"]
        # CORS does not judge a navigation: it leaves the page, and no script reads the answer.
        if _NAVIGATIONS.isdisjoint(headers.getRawHeaders(b"sec-fetch-mode", [])) and (
            headers.hasHeader(b"origin")  # the CORS wrapper has allowed the origin
            or (sibling and self._lists_site_of(request))
            or (embeddable and self._is_in_listed_page(request))
        ):
            return
        self._log_remedy(request, named=sibling or embeddable)
        raise CrossSiteNotAllowed(reason="Sec-Fetch-Site: another site's page, and no Origin")

    def _lists_site_of(self, request: IDownstreamRequest) -> bool:
        """Whether a listed origin is of this server's site, which is the page's site, too."""
        host = host_of(request)
        if host is None:
            return False
        site = site_of(host.name.decode("ascii"))
        # An https origin needs no check of the scheme, because a proxy may terminate TLS before us.
        return self._origins.has_of_site("https", site) or (
            self._origins.has_of_site("http", site) and not is_https(request, self.trusted)
        )

    def _is_in_listed_page(self, request: IDownstreamRequest) -> bool:
        """Whether Referer, which no page can set to another's origin, is of a listed origin."""
        if self._origins.any or request.method not in (b"GET", b"HEAD"):
            return False
        page = parse_origin(_page_of(request))
        return page is not None and self._origins.allows(page.encode("ascii"))

    def _log_remedy(self, request: IDownstreamRequest, *, named: bool) -> None:
        """Log what would help: the page's owner sees no more than a broken image or a 403.

        :param named: whether the page would pass if ``cors_origins`` named it.
        """
        problem = cross_site_refused(self._origins, _page_of(request), named=named)
        remedy = "call it with fetch()" if problem.line is None else f"to allow it: {problem.line}"
        self._log.warn("{text}; {remedy}", text=problem.text, remedy=remedy)


def _page_of(request: IDownstreamRequest) -> str:
    """The origin of the page, or as much as Referer tells of it."""
    referrer: bytes = request.requestHeaders.getRawHeaders(b"referer", [b""])[0]
    try:
        scheme, authority, *_ = urlsplit(referrer.decode("ascii"))
    except ValueError:  # not ASCII, or half an IPv6 address
        return ""
    return f"{scheme}://{authority}"
