"""Which price a request has once its answer has named the model. Pure.

A vendor may answer with another model than it was asked for: an alias stands for a dated version, a
router chooses, a fallback steps in. The name comes from outside, so that it may make a request
dearer, and cheaper only where the request left the choice to the vendor.
"""

from __future__ import annotations

from collections.abc import Collection

from attrs import frozen

from .prices import CountedTokens, Price, Prices


@frozen
class AnsweredPrice:
    """The price of one request.

    :ivar asked: of the dearest model that it names.
    :ivar models: the names of all of these.
    :ivar routers: names that stand for a model of the vendor's choice.
    """

    prices: Prices
    provider: str
    asked: Price
    models: Collection[str]
    routers: Collection[str] = ()

    def of(self, answered: str, tokens: CountedTokens) -> Price:
        """The price of *tokens* from the model that is named *answered*.

        :param answered: ``""`` where the answer names none.
        """
        price = self.prices.of(self.provider, answered) if answered else None
        if price is None:
            return self.asked
        if all(model in self.routers for model in self.models):
            return price
        if any(map(self.prices.owns, self.models)) and not self.prices.owns(answered):
            return self.asked  # Its owner's word about what was asked for goes before our table.
        return max(self.asked, price, key=lambda each: each.cost(tokens))
