"""How a server's process stands to others: alone, as a supervisor of workers, or as one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from attrs import Factory, frozen

from ..interfaces import IPageTokenStore, IRateLimiter
from ..model import RateLimit
from ..spend.ledger import Ledger
from .sockets import OwnSockets, Sockets


class Crew(Protocol):
    """The workers of a supervisor, as its server and its admin side see them."""

    @property
    def restarts(self) -> int:
        """How many workers were put in the place of one that ended."""

    def start(self, descriptors: Callable[[int], Sequence[tuple[str, int]]]) -> None:
        """Let them begin.

        :param descriptors: of the sockets of the worker with a number, each behind its endpoint
            string.
        """

    def stop(self) -> Awaitable[None]:
        """Let them drain; at the end all of them have ended."""

    def hurry(self) -> None:
        """Let them cut what is open, while they stop."""

    async def checks(self) -> Mapping[str, str]:
        """Whether each does its work, by name: "ok", or what is the matter."""

    async def look(self) -> None:
        """Ask them for their numbers."""

    def numbers(self) -> Sequence[Sequence[Any]]:
        """The numbers of each, also of those that have ended, as :mod:`..admin.sums` has them."""

    def states(self) -> Mapping[str, int]:
        """How many there are in each state."""


class Workplace(Protocol):
    """What a worker has together with the other workers of its supervisor."""

    def limiter(self, policy: str, limit: RateLimit) -> IRateLimiter:
        """A rate limiter that counts for all of them."""

    def ledger(self) -> Ledger:
        """The ledger of all of them."""

    def page_tokens(self, lasting: float) -> IPageTokenStore:
        """What all of them know of page tokens.

        :param lasting: seconds that a token may live.
        """

    def key(self, purpose: str) -> bytes:
        """A key of 32 bytes that all of them have, and nobody else, until the supervisor ends."""


@frozen
class Setting:
    """How a server's process stands to others: alone, as a supervisor, or as a worker.

    :ivar crew: of a supervisor.
    :ivar workplace: of a worker.
    """

    sockets: Sockets = Factory(OwnSockets)
    crew: Crew | None = None
    workplace: Workplace | None = None


ALONE = Setting()
