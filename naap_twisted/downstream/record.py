"""The record of an exchange, which becomes its log line. No header, query or body gets into it."""

from __future__ import annotations

from time import perf_counter

from attrs import define, field

from ..model import Tokens, User
from .caller import rate_key


@define
class ExchangeRecord:
    """The record of one exchange: each step fills its part in, and its end logs it.

    :ivar request_id: the caller's own where it is well-formed, else one of ours.
    :ivar client: the caller's address as the rate limit sees it.
    :ivar route: the mount's path, never the raw request path below it.
    :ivar target: scheme and authority of the upstream, never path or query.
    :ivar outcome: ``"ok"``, an error code, ``"client_gone"``, ``"upstream_cut"``, or ``"drained"``
        where the end of the server cut it.
    :ivar reason: the part of a refusal that only the operator reads.
    :ivar rule: the option of the route that refused it, or the rule in that option.
    :ivar status: the status that the browser got; 0 when it left before the response head.
    :ivar upstream_status: the status that the upstream answered; 0 when it was not asked.
    :ivar model_tokens: a language model's tokens, where the route counts them and the answer
        reports them, as far as it came.
    :ivar answer_text: bytes of a model's words in the upstream's answer, where it was read;
        *answer_events*: the events of a stream that had some.
    :ivar answer_model: the model that answered, as the answer names it; ``""`` where nobody knows.
    :ivar report_is_partial: such words came behind the last report of *model_tokens*.
    :ivar booked: the tokens that were booked under the budgets of the route; *usd* is what they
        cost, in billionths of a dollar. They are *estimated* where nobody reported them.
    :ivar model: a priced model that the request names; ``""`` where it names none.
    :ivar replayed: the answer is one that was kept, so that no upstream was asked.
    :ivar dropped: request headers that the route did not pass on.
    :ivar bytes_in: bytes of the request body.
    :ivar bytes_out: bytes of the answer's body.
    :ivar started: the beginning in seconds of the site's clock.
    :ivar phases: seconds spent in each phase of the spine, in order.
    """

    request_id: str = ""
    client: str = ""
    route: str = ""
    user: User | None = None
    target: str = ""
    outcome: str = "ok"
    reason: str = ""
    rule: str = ""
    status: int = 0
    upstream_status: int = 0
    model_tokens: Tokens | None = None
    answer_text: int = 0
    answer_events: int = 0
    answer_model: str = ""
    report_is_partial: bool = False
    booked: Tokens | None = None
    usd: int = 0
    estimated: bool = False
    model: str = ""
    replayed: bool = False
    dropped: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    started: float = 0.0
    phases: dict[str, float] = field(factory=dict)
    _marked: float = field(factory=perf_counter)

    @property
    def caller(self) -> str:
        """The name under which limits count the caller: the user, else the address (or its /64).

        The prefix keeps a user apart from a guest or an address that is spelled alike.
        """
        user = self.user
        if user is None:
            return f"a:{rate_key(self.client)}"
        return f"g:{user.id}" if user.guest else f"u:{user.id}"

    def mark(self, phase: str) -> None:
        """Note that *phase* ends now; it began when the phase before it ended."""
        now = perf_counter()
        self.phases[phase] = now - self._marked
        self._marked = now
