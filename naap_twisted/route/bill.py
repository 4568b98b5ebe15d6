"""One request's bill: what it has reserved, until what it did cost is known and booked."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve

from ..downstream.record import ExchangeRecord
from ..errors import ProxyError
from ..model import Tokens
from ..spend.answered_price import AnsweredPrice
from ..spend.counts import Counts
from ..spend.estimate import Estimator, Worst
from ..spend.prices import Price
from ..spend.purse import Cost, Reservation


@define
class Bill:
    """The bill of one request.

    :ivar price: what the models cost that it names; ``None`` where nobody counts money.
    :ivar metered: one of its budgets is about tokens, or money.
    :ivar price_of: tells the price of a model, for what is told where no budget is about money.
    """

    reservation: Reservation
    estimator: Estimator
    worst: Worst
    price: AnsweredPrice | None
    metered: bool
    price_of: Callable[[str], Price | None]

    def settle(self, record: ExchangeRecord, error: BaseException | None) -> None:
        """Book what the exchange did cost, which is over.

        :param error: what ended it; ``None``: its answer was relayed to the end.
        """
        if "headers" not in record.phases or _never_went(record, error):
            self.reservation.settle(Cost())
            return
        if not self.metered:
            self.reservation.settle(Cost(1))
            return
        tokens, estimated = self._tokens(record, whole=error is None)
        price = self._price(record, tokens)
        if price is not None and price.is_timed and not tokens.milliseconds and tokens.total:
            # What is paid by its length has one, whoever reports something else.
            tokens, estimated = evolve(tokens, milliseconds=self.worst.milliseconds), True
        spent = Cost.of(tokens, price)
        record.booked, record.usd, record.estimated = tokens, spent.usd, estimated
        self.reservation.purse.spent.add(Counts.of(record))
        self.reservation.settle(spent)

    def _price(self, record: ExchangeRecord, tokens: Tokens) -> Price | None:
        if self.price is not None:
            return self.price.of(record.answer_model, tokens)
        return self.price_of(record.answer_model or record.model)

    def _tokens(self, record: ExchangeRecord, *, whole: bool) -> tuple[Tokens, bool]:
        """The tokens of the exchange, and whether they are estimated."""
        worst, status, reported = self.worst, record.upstream_status, record.model_tokens
        if not worst.total:
            # What reads a stored answer is told again what that did cost, which is booked already.
            return Tokens(), False
        if status == 0:
            return worst.at(None if self.price is None else self.price.asked), True
        if reported is not None and whole and not record.report_is_partial:
            if reported.total or not reported.milliseconds:
                return reported, False
            # Its length is reported, which some models are paid by; its tokens are not.
            timed = self.price is not None and self.price.asked.is_timed
            sound = evolve(reported, input=worst.input, audio_input=worst.audio)
            return sound, not timed
        if status >= 300:
            return reported or Tokens(), False
        tokens = self._estimated(record, reported or Tokens())
        if not whole and not record.answer_text and not (reported and reported.output):
            # It may have thought, unseen, or have been refused here unread: all may be made.
            tokens = evolve(tokens, output=worst.output)
        return tokens, True

    def _estimated(self, record: ExchangeRecord, seen: Tokens) -> Tokens:
        """The tokens of an answer that has reported no more than *seen*."""
        worst, received = self.worst, 0
        if worst.sized:
            received = worst.output
        elif worst.output:
            received = self.estimator.answer_tokens(record.answer_text, record.answer_events)
        if worst.bounded:
            # Estimates are on the high side, and many of them above what was reserved would be
            # more than the limit and one worst case.
            received = min(received, worst.output)
        sent = {} if seen.input else {"audio_input": worst.audio, "image_input": worst.image}
        return evolve(
            seen,
            input=seen.input or worst.input,
            output=max(seen.output, received),
            milliseconds=seen.milliseconds or worst.milliseconds,
            **sent,
        )


def _never_went(record: ExchangeRecord, error: BaseException | None) -> bool:
    """Whether the upstream can't have the request.

    No connection was made to it, or a callable of the route's has answered in its place.
    """
    if record.upstream_status:
        return False
    return error is None or (isinstance(error, ProxyError) and not error.was_sent)
