"""Tells a request that this server has sent itself, by the pseudonym that it writes into ``Via``.

A target that leads back here would otherwise go round until every place in flight is held by it
(RFC 9110 section 7.6.3). Two servers in a row do not refuse each other: each has a pseudonym of its
own, and passes on those of the servers of this kind before it. What other proxies wrote stays here,
because it tells an upstream about the network in front.
"""

from __future__ import annotations

import re
import secrets

from ..errors import LoopDetected
from ..interfaces import IDownstreamRequest

_NAME = b"Via"
_OURS = re.compile(rb"(?<![\w.-])naap-[0-9a-f]{16}(?![\w.-])")
# Servers of this kind in a row. A loop through processes that do not know each other's pseudonym,
# such as the machines behind one balancer, ends here at the latest.
_MOST_HOPS = 16


class Via:
    """The ``Via`` of one server.

    :param pseudonym: of all processes of that server; drawn where nobody gives one. It says nothing
        about the machine.
    """

    def __init__(self, pseudonym: bytes | None = None) -> None:
        self.pseudonym = pseudonym or b"naap-" + secrets.token_hex(8).encode("ascii")
        self._alone = (_NAME, self._entry(self.pseudonym))

    @staticmethod
    def _entry(pseudonym: bytes) -> bytes:
        # This server speaks HTTP/1.1 to both sides.
        return b"1.1 " + pseudonym

    def _before(self, request: IDownstreamRequest) -> list[bytes]:
        values = request.requestHeaders.getRawHeaders(_NAME, ())
        return [name for value in values for name in _OURS.findall(value)]

    def check(self, request: IDownstreamRequest) -> None:
        """:raises LoopDetected: *request* came through this server before, or through too many."""
        if not request.requestHeaders.hasHeader(_NAME):
            return
        before = self._before(request)
        if self.pseudonym in before:
            raise LoopDetected(reason="Via names this server")
        if len(before) >= _MOST_HOPS:
            raise LoopDetected(reason=f"Via names {len(before)} servers of this kind")

    def field(self, request: IDownstreamRequest) -> tuple[bytes, bytes]:
        """The header field for the upstream."""
        if not request.requestHeaders.hasHeader(_NAME):
            return self._alone
        before = self._before(request)
        return _NAME, b", ".join(map(self._entry, (*before, self.pseudonym)))
