"""The site of an embedded upstream: stock, but silent."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

from twisted.web.http import Request
from twisted.web.server import Site


class UpstreamSite(Site):
    """A stock ``twisted.web`` site without an access log.

    The log is the proxy's: a second line for each request, from a server that is elsewhere in real
    life, would only puzzle its reader.
    """

    noisy = False

    def log(self, request: Request) -> None:
        """Nothing."""
