"""A resolver for tests that reads a table instead of asking DNS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from twisted.internet.defer import Deferred, fail, succeed

from ..model import Answer
from ..upstream.resolver import NoAddress


class StaticResolver:
    """Answers from a table.

    :param hosts: one address, or several, by host name.
    :ivar asked: the names that were looked up, in order.
    """

    def __init__(self, hosts: Mapping[str, str | Sequence[str]]) -> None:
        self._hosts = hosts
        self.asked: list[str] = []

    def resolve(self, host: str) -> Deferred[Answer]:
        """The addresses of *host*; the Deferred fails with NoAddress for an unknown name."""
        self.asked.append(host)
        texts = self._hosts.get(host, ())
        if isinstance(texts, str):
            texts = (texts,)
        if not texts:
            return fail(NoAddress(reason=f"no address for {host}"))
        return succeed(Answer(tuple(ip_address(text) for text in texts)))
