"""What a route's requests cost: reserved before they go upstream, settled when they are over.

What an answer reports is what is booked. Where it reports nothing, or breaks off, what was sent and
received is estimated, and marked so; where no answer came, the upstream may have made one, so all
that was reserved is spent.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from twisted.web.iweb import IBodyProducer

from ..documents.json_text import JsonDocument
from ..downstream.headers import put_exposed, spelled
from ..downstream.record import ExchangeRecord
from ..errors import ModelNotAllowed
from ..interfaces import IDownstreamRequest
from ..model import Target
from ..policy.members import shown
from ..policy.models import ModelPlaces
from ..spend.answered_price import AnsweredPrice
from ..spend.estimate import Estimator, Worst
from ..spend.prices import Price, Prices
from ..spend.purse import Cost, Pockets, Purse
from ..spend.tokens import TokenMembers
from .bill import Bill
from .opening import Opening
from .sent_body import SentBody

_REMAINING = spelled(b"X-Budget-Remaining")
# Names of models, whose prices are looked up once.
_MOST_KNOWN, _LONGEST_KNOWN = 1_000, 100


@frozen
class Costing:
    """How the requests of a route are estimated.

    :ivar reports: where answers report tokens.
    :ivar provider: the name of its provider; ``""`` where it has none.
    :ivar routers: models that stand for one of the vendor's choice.
    """

    estimator: Estimator
    places: ModelPlaces
    opening: Opening
    reports: TokenMembers
    provider: str
    routers: tuple[str, ...] = ()

    def worst(self, method: bytes, target: Target, sent: SentBody) -> tuple[Worst, tuple[str, ...]]:
        """What a request may cost at most, and the models that it names.

        :raises InvalidJson: its body is no JSON, and says that it is.
        :raises BodyNotAllowed: it is JSON that can be read in more than one way, so that what it
            costs can't be told.
        """
        origin, path, query = self.opening.parts(target)
        named = [*self.places.in_path(origin, path), *self.places.in_query(query)]
        value, is_form = None, False
        if sent.is_readable:
            document = sent.document()
            named += [n for _, n in self.places.in_body(document) if isinstance(n, str)]
            value, is_form = document.value, not isinstance(document, JsonDocument)
        length = _length(sent.content)
        worst = self.estimator.worst(method, path, value, length, is_form=is_form)
        return worst, tuple(dict.fromkeys(named))

    def is_of_a_model(self, method: bytes, target: Target, worst: Worst) -> bool:
        """Whether a model answers the request, as far as can be told."""
        path = self.opening.parts(target)[1]
        return worst.total > 0 and self.estimator.limiting(method, path) is not None


def _length(body: bytes | IBodyProducer | None) -> int | None:
    if body is None or isinstance(body, bytes):
        return len(body or b"")
    length = body.length
    return length if isinstance(length, int) else None


class Spending:
    """The budgets of a mounted route.

    :param prices: what models cost.
    """

    def __init__(self, purse: Purse, costing: Costing, prices: Prices) -> None:
        self._purse = purse
        self._costing = costing
        self._prices = prices
        self._known: dict[str, Price | None] = {}

    def pockets_of(self, record: ExchangeRecord) -> Pockets:
        """The budgets that a request falls under."""
        return self._purse.pockets_of(record)

    def reports(self, pockets: Pockets) -> TokenMembers | None:
        """Where answers report tokens; ``None`` where none of these budgets is about any."""
        return self._costing.reports if pockets.counts_tokens else None

    async def reserve(
        self, request: IDownstreamRequest, target: Target, sent: SentBody, pockets: Pockets
    ) -> Bill:
        """Reserve what a request may cost.

        :raises BudgetExceeded: a budget is spent.
        :raises ModelNotAllowed: money is counted, and its model has no price.
        :raises InvalidJson, BodyNotAllowed: what it costs can't be told.
        """
        record, worst = request.record, Worst()
        models: tuple[str, ...] = ()
        asked: AnsweredPrice | None = None
        if pockets.counts_tokens:
            worst, models = self._costing.worst(request.method, target, sent)
            if worst.total and pockets.counts_money:
                asked = self._price(request.method, target, worst, models)
        price = None if asked is None else asked.asked
        most = Cost.of(worst.at(price), price)
        reservation, left = await self._purse.reserve(record, pockets, most)
        if left:
            put_exposed(request.responseHeaders, _REMAINING, left)
        # A name that nobody knows a price of may be invented, and is none to count under.
        record.model = next((model for model in models if self._of(model) is not None), "")
        metered = pockets.counts_tokens
        return Bill(reservation, self._costing.estimator, worst, asked, metered, self._of)

    def _price(
        self, method: bytes, target: Target, worst: Worst, models: Sequence[str]
    ) -> AnsweredPrice | None:
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
        known: list[Price] = []
        for model in models:
            price = self._of(model)
            if price is None:
                raise ModelNotAllowed(
                    f'Model "{shown(model)}" has no price, and this route counts money',
                    reason=f'model "{shown(model)}" has no price',
                    param="model",
                    remedy=f'[prices] "{shown(model)}" = {{ input = 0.15, output = 0.60 }}',
                    rule="prices",
                )
            known.append(price)
        dearest = max(known, key=lambda price: price.cost(worst.at(price)))
        costing = self._costing
        return AnsweredPrice(self._prices, costing.provider, dearest, models, costing.routers)

    def _of(self, model: str) -> Price | None:
        known = self._known
        if model in known:
            return known[model]
        price = self._prices.of(self._costing.provider, model)
        if len(model) <= _LONGEST_KNOWN:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[model] = price
        return price
