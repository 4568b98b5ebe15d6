"""What is told when a part of a budget is spent: to the log, and to whom the owner names. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from attrs import frozen

from .budget import Budget, plain_usd
from .ledger import Charge


@frozen
class Alert:
    """A part of a budget is spent or reserved.

    :ivar percent: of the limit.
    :ivar charge: of the request that did it.
    :ivar amount: what is spent and reserved now, in the budget's unit.
    :ivar route: of the request.
    :ivar who: shares the budget: ``"u:ada"``, an address, or ``"all together"``.
    """

    percent: int
    budget: Budget
    charge: Charge
    amount: int
    route: str
    who: str

    @property
    def text(self) -> str:
        """It in words."""
        return (
            f"{self.percent} % of a budget of {self.route} is spent or reserved:"
            f" {self.budget.text}; by {self.who}"
        )

    @property
    def id(self) -> str:
        """Names this part of this window of this budget, in every process that shares a ledger."""
        charge = self.charge
        return sha256(f"{charge.account} {charge.part} {self.percent}".encode()).hexdigest()[:32]

    def document(self, service: str) -> dict[str, Any]:
        """It for a webhook; money is a text."""
        budget = self.budget
        limit, amount = (
            plain_usd(each) if budget.unit == "usd" else each
            for each in (budget.limit, self.amount)
        )
        began = datetime.fromtimestamp(self.charge.since, UTC)
        return {
            "type": "budget",
            "id": self.id,
            "service": service,
            "text": f"{service}: {self.text}",
            "percent": self.percent,
            "route": self.route,
            "who": self.who,
            "unit": budget.unit,
            "limit": limit,
            "spent": amount,
            "per": budget.window.name,
            "of": budget.of,
            "mode": "audit" if budget.audit else "enforce",
            "window_began": began.isoformat(),
        }
