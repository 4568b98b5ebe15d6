"""Names without DNS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from twisted.internet.defer import Deferred, fail, succeed

from ..model import Answer
from ..upstream.resolver import NoAddress


class StaticResolver:
    """Answers from a table.

    :param hosts: name to one address, or to several.
    :ivar asked: the names it was asked for, in order.
    """

    def __init__(self, hosts: Mapping[str, str | Sequence[str]]) -> None:
        self._hosts = hosts
        self.asked: list[str] = []

    def resolve(self, host: str) -> Deferred[Answer]:
        """See :class:`~naap_twisted.interfaces.IResolver`; fails with NoAddress for a stranger."""
        self.asked.append(host)
        found = self._hosts.get(host, ())
        texts = (found,) if isinstance(found, str) else tuple(found)
        if not texts:
            return fail(NoAddress(reason=f"no address for {host}"))
        return succeed(Answer(tuple(ip_address(text) for text in texts)))
