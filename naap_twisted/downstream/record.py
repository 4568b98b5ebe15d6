"""What an exchange leaves behind: the fields of its log line. Never header, query or body."""

from __future__ import annotations

from time import perf_counter

from attrs import define, field

from ..model import User
from .caller import rate_key


@define
class ExchangeRecord:
    """Filled in as the request goes along; written as one log line at its end.

    :ivar request_id: ours or the caller's sane one.
    :ivar client: the caller's address as the rate limit sees it.
    :ivar route: the mount's path, never the raw request path of a branch.
    :ivar target: scheme and authority of the upstream, never path or query.
    :ivar phases: seconds spent per phase of the spine, in order.
    :ivar status: what the browser got; 0 when it left before the head.
    :ivar upstream_status: what the upstream answered; 0 when it was not asked.
    :ivar outcome: ``"ok"``, an error code, ``"client_gone"`` or ``"upstream_cut"``.
    :ivar reason: the operator's side of a refusal.
    :ivar tokens: of prompt, completion and both, where the route counts them and the answer tells.
    """

    request_id: str = ""
    client: str = ""
    route: str = ""
    user: User | None = None
    target: str = ""
    outcome: str = "ok"
    reason: str = ""
    status: int = 0
    upstream_status: int = 0
    tokens: tuple[int, int, int] | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    started: float = 0.0
    phases: dict[str, float] = field(factory=dict)
    _marked: float = field(factory=perf_counter)

    @property
    def caller(self) -> str:
        """Whom limits count: the user, else the address (of IPv6 the /64).

        A user is never counted as an address that happens to be spelled alike.
        """
        return f"u:{self.user.id}" if self.user is not None else f"a:{rate_key(self.client)}"

    def mark(self, phase: str) -> None:
        """*phase* ends now; it began where the one before it ended."""
        now = perf_counter()
        self.phases[phase] = now - self._marked
        self._marked = now
