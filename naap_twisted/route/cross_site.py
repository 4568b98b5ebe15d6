"""Fetch Metadata (W3C): what another site's page makes a browser send, without asking us first.

An image, a link, a form or a frame needs no CORS, so no Origin is there to be looked up in
``cors_origins``; on a route that adds the owner's key the owner would pay for it. Browsers say in
``Sec-Fetch-Site`` where a request comes from, and no page can change that. Callers that say nothing
are no pages, or browsers from before 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from urllib.parse import urlsplit

from twisted.logger import Logger

from ..downstream.caller import NOBODY, TrustedProxies
from ..errors import CrossSiteNotAllowed
from ..interfaces import IDownstreamRequest
from ..policy.public_suffix import site_of
from ..wrappers.base import is_https
from ..wrappers.origins import Origins
from ..wrappers.remedies import cross_site_refused
from ..wrappers.server_names import host_of

# Our own page, or a person who typed the address.
_OWN = (b"same-origin", b"none")
_NAVIGATIONS = frozenset((b"navigate", b"nested-navigate"))


class CrossSite:
    """Refuses what pages of other sites send to a route with a key, unless CORS let them in.

    :param origins: ``cors_origins``. ``"*"`` lets scripts in, and is no word about anybody's site.
    :param trusted: proxies whose X-Forwarded-Proto is believed.
    """

    _log = Logger()

    def __init__(
        self, origins: Sequence[str] | str = "*", trusted: TrustedProxies = NOBODY
    ) -> None:
        self._origins = Origins(origins)
        self._trusted = trusted

    def check(self, request: IDownstreamRequest) -> None:
        """Let *request* pass, or raise.

        :raises CrossSiteNotAllowed: it comes from elsewhere.
        """
        sites = request.requestHeaders.getRawHeaders(b"sec-fetch-site")
        if sites is None or (len(sites) == 1 and sites[0] in _OWN):
            return
        sibling = sites == [b"same-site"]
        headers = request.requestHeaders
        # Whoever goes to another page leaves the one that CORS judges: no script reads the answer.
        if _NAVIGATIONS.isdisjoint(headers.getRawHeaders(b"sec-fetch-mode", [])) and (
            headers.hasHeader(b"origin")  # the CORS layer has let it in
            or (sibling and self._lists_site_of(request))
        ):
            return
        self._tell(headers.getRawHeaders(b"referer", [b""])[0], sibling=sibling)
        raise CrossSiteNotAllowed(reason="Sec-Fetch-Site: another site's page, and no Origin")

    def _lists_site_of(self, request: IDownstreamRequest) -> bool:
        """Whether some listed origin is of the site that this server is on, as the page is."""
        host = host_of(request)
        if host is None:
            return False
        site = site_of(host.name.decode("ascii"))
        # Who says https is believed: somebody may end TLS in front of us.
        return ("https", site) in self._sites or (
            ("http", site) in self._sites and not is_https(request, self._trusted)
        )

    @cached_property
    def _sites(self) -> frozenset[tuple[str, str]]:
        # A site has a scheme (HTML, "same site"); a port it has not.
        parts = [origin.partition("://") for origin in self._origins.listed]
        return frozenset(
            (scheme, site_of(rest if rest.endswith("]") else rest.rsplit(":", 1)[0]))
            for scheme, _, rest in parts
        )

    def _tell(self, referrer: bytes, *, sibling: bool) -> None:
        """Log what would help: the page's owner sees a broken image, or 403."""
        try:
            scheme, authority, *_ = urlsplit(referrer.decode("ascii"))
        except ValueError:  # no text, or half an IPv6 address
            scheme = authority = ""
        problem = cross_site_refused(self._origins, f"{scheme}://{authority}", sibling=sibling)
        remedy = "call it with fetch()" if problem.line is None else f"to allow it: {problem.line}"
        self._log.warn("{text}; {remedy}", text=problem.text, remedy=remedy)
