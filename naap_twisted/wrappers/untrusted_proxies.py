"""Says which ``trusted_proxies`` is missing, where a proxy is taken for the caller.

All who come through it then share one rate limit, and their https is taken for plain http, which
looks like a fault of something else.
"""

from __future__ import annotations

import json

from twisted.logger import Logger

from ..downstream.caller import TrustedProxies
from ..interfaces import IDownstreamRequest

#: Anybody can send the header: strangers of the whole internet must not fill the log.
MOST_TOLD = 16


class UntrustedProxies:
    """Logs a line for each peer that sends ``X-Forwarded-*`` and is not trusted, once.

    :param trusted: the proxies that are.
    """

    _log = Logger()

    def __init__(self, trusted: TrustedProxies) -> None:
        self._trusted = trusted
        self._told: set[str] = set()

    def meet(self, request: IDownstreamRequest, peer: str) -> None:
        """Tell of *peer*, which has sent such a header with *request*."""
        if peer in self._told or len(self._told) >= MOST_TOLD or self._trusted.trusts(peer):
            return
        if getattr(getattr(request, "channel", None), "announced", False):
            return  # A front has named the client: its header is its own, and the front trusted.
        self._told.add(peer)
        self._log.warn(
            "X-Forwarded-For or -Proto of {peer} is not believed: all that comes through it counts"
            " as one caller; if that is a proxy of yours: {line}",
            peer=peer,
            line=f"trusted_proxies = {json.dumps([*self._trusted.listed, peer])}",
        )
