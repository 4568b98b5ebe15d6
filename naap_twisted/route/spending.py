"""What a route's requests cost: reserved before they go upstream, settled when they are over.

What an answer reports is what is booked. Where it reports nothing, or breaks off, what was sent and
received is estimated, and marked so; where no answer came, the upstream may have made one, so all
that was reserved is spent.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, frozen
from twisted.web.iweb import IBodyProducer

from ..documents.json_text import JsonDocument
from ..documents.reader import read_document, readable
from ..downstream.headers import put_preset, spelled
from ..downstream.record import ExchangeRecord
from ..errors import ModelNotAllowed, ProxyError
from ..headers import media_type
from ..interfaces import IDownstreamRequest
from ..model import Target, Tokens
from ..policy.members import shown
from ..policy.models import ModelPlaces
from ..spend.estimate import Estimator, Worst
from ..spend.prices import Price, Prices
from ..spend.purse import Cost, Purse, Reservation
from ..spend.tokens import TokenMembers
from .opening import Opening

_REMAINING = spelled(b"X-Budget-Remaining")
_EXPOSE = spelled(b"Access-Control-Expose-Headers")


@frozen
class Costing:
    """How the requests of a route are estimated.

    :ivar reports: where answers report tokens.
    :ivar provider: the name of its provider; ``""`` where it has none.
    """

    estimator: Estimator
    places: ModelPlaces
    opening: Opening
    reports: TokenMembers
    provider: str

    def worst(
        self, method: bytes, target: Target, body: bytes | IBodyProducer | None, kind: bytes | None
    ) -> tuple[Worst, tuple[str, ...]]:
        """What a request may cost at most, and the models that it names.

        :raises InvalidJson: its body is no JSON, and says that it is.
        :raises BodyNotAllowed: it is JSON that can be read in more than one way, so that what it
            costs can't be told.
        """
        origin, path, query = self.opening.parts(target)
        named = [*self.places.in_path(origin, path), *self.places.in_query(query)]
        length, value = 0, None
        if not isinstance(body, bytes):
            length = 0 if body is None else _length(body)
        else:
            length = len(body)
            if readable(media_type(kind or b"")):
                document = read_document(body, kind or b"")
                named += [n for _, n in self.places.in_body(document) if isinstance(n, str)]
                value = document.value if isinstance(document, JsonDocument) else None
        worst = self.estimator.worst(method, path, value, length)
        return worst, tuple(dict.fromkeys(named))

    def is_of_a_model(self, method: bytes, target: Target, worst: Worst) -> bool:
        """Whether a model answers the request, as far as can be told."""
        path = self.opening.parts(target)[1]
        return worst.total > 0 and self.estimator.limiting(method, path) is not None


def _length(body: IBodyProducer) -> int:
    # A body of a length that nobody told is none of no bytes, and must not be free.
    length = body.length
    return length if isinstance(length, int) else 1


class Spending:
    """The budgets of a mounted route.

    :param prices: what models cost.
    """

    def __init__(self, purse: Purse, costing: Costing, prices: Prices) -> None:
        self._purse = purse
        self._costing = costing
        self._prices = prices

    def counts(self, record: ExchangeRecord) -> bool:
        """Whether a request falls under any budget."""
        return bool(self._purse.pockets_of(record))

    def reports(self, record: ExchangeRecord) -> TokenMembers | None:
        """Where answers report tokens; ``None`` where no budget of the request is about any."""
        pockets = self._purse.pockets_of(record)
        return self._costing.reports if any(p.budget.counts_tokens for p in pockets) else None

    async def reserve(
        self,
        request: IDownstreamRequest,
        target: Target,
        body: bytes | IBodyProducer | None,
        kind: bytes | None,
    ) -> Bill:
        """Reserve what a request may cost.

        :raises BudgetExceeded: a budget is spent.
        :raises ModelNotAllowed: money is counted, and its model has no price.
        :raises InvalidJson, BodyNotAllowed: what it costs can't be told.
        """
        record, worst, price = request.record, Worst(), None
        pockets = self._purse.pockets_of(record)
        metered = any(pocket.budget.counts_tokens for pocket in pockets)
        if metered:
            worst, models = self._costing.worst(request.method, target, body, kind)
            if worst.total and any(pocket.budget.unit == "usd" for pocket in pockets):
                price = self._price(request.method, target, worst, models)
        most = Cost.of(Tokens(input=worst.input, output=worst.output), price)
        reservation, left = await self._purse.reserve(record, pockets, most)
        if left:
            _announce(request, left)
        return Bill(reservation, self._costing.estimator, worst, price, metered)

    def _price(
        self, method: bytes, target: Target, worst: Worst, models: Sequence[str]
    ) -> Price | None:
        """The price of the dearest model that a request names."""
        if not models:
            if self._costing.is_of_a_model(method, target, worst):
                raise ModelNotAllowed(
                    "The request names no model, and this route counts money",
                    reason="the request names no model, so that it has no price",
                    param="model",
                    rule="prices",
                )
            return None
        priced = [(self._of(model), model) for model in models]
        for price, model in priced:
            if price is None:
                raise ModelNotAllowed(
                    f'Model "{shown(model)}" has no price, and this route counts money',
                    reason=f'model "{shown(model)}" has no price',
                    param="model",
                    remedy=f'[prices] "{shown(model)}" = {{ input = 0.15, output = 0.60 }}',
                    rule="prices",
                )
        tokens = Tokens(input=worst.input, output=worst.output)
        known = [price for price, _ in priced if price is not None]
        return max(known, key=lambda price: price.cost(tokens))

    def _of(self, model: str) -> Price | None:
        return self._prices.of(self._costing.provider, model)


@define
class Bill:
    """One request's reservation, until what it did cost is known.

    :ivar metered: one of its budgets is about tokens, or money.
    """

    reservation: Reservation
    estimator: Estimator
    worst: Worst
    price: Price | None
    metered: bool

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
        spent = Cost.of(tokens, self.price)
        record.booked, record.usd, record.estimated = tokens, spent.usd, estimated
        self.reservation.settle(spent)

    def _tokens(self, record: ExchangeRecord, *, whole: bool) -> tuple[Tokens, bool]:
        """The tokens of the exchange, and whether they are estimated."""
        status, reported = record.upstream_status, record.model_tokens
        if not self.worst.total:
            # What reads a stored answer is told again what that did cost, which is booked already.
            return Tokens(), False
        if status == 0:
            return Tokens(input=self.worst.input, output=self.worst.output), True
        if reported is not None and whole and not record.report_is_partial:
            return reported, False
        if status >= 300:
            return reported or Tokens(), False
        seen = reported or Tokens()
        received = 0
        if self.worst.output:
            received = self.estimator.answer_tokens(record.answer_text, record.answer_events)
        if self.worst.bounded:
            # Estimates are on the high side, and many of them above what was reserved would be
            # more than the limit and one worst case.
            received = min(received, self.worst.output)
        sent = seen.input or self.worst.input
        return Tokens(
            input=sent,
            cached_input=seen.cached_input,
            cache_write=seen.cache_write,
            output=max(seen.output, received),
            reasoning=seen.reasoning,
        ), True


def _never_went(record: ExchangeRecord, error: BaseException | None) -> bool:
    """Whether the upstream can't have the request.

    No connection was made to it, or a callable of the route's has answered in its place.
    """
    if record.upstream_status:
        return False
    return error is None or (isinstance(error, ProxyError) and not error.was_sent)


def _announce(request: IDownstreamRequest, left: bytes) -> None:
    headers = request.responseHeaders
    put_preset(headers, ((_REMAINING, left),))
    exposed = headers.getRawHeaders(_EXPOSE)
    if exposed:
        put_preset(headers, ((_EXPOSE, b", ".join((exposed[0], _REMAINING))),))
