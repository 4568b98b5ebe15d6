"""Services' tokens in a database, which every process of a server shares."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import sqlalchemy as sql
from attrs import asdict, frozen
from sqlalchemy.engine import Connection
from twisted.internet.defer import Deferred

from ..model import PageBudget
from ..storage.database import Database
from ..storage.tables import TOKENS
from .tokens import ServiceToken

_TOKENS = TOKENS.c


@frozen(eq=False)
class SqlTokenStore:
    """Keeps tokens in *database*. What is for a command blocks."""

    _database: Database

    def find(self, token_id: str) -> Deferred[ServiceToken | None]:
        """See :class:`~naap_twisted.auth.tokens.ITokenStore`."""

        def read(connection: Connection) -> ServiceToken | None:
            found = connection.execute(sql.select(TOKENS).where(_TOKENS.id == token_id))
            row = found.mappings().first()
            return None if row is None else _token(dict(row))

        return self._database.run(read)

    def used(self, token_id: str, now: int) -> Deferred[None]:
        """See :class:`~naap_twisted.auth.tokens.ITokenStore`."""

        def write(connection: Connection) -> None:
            connection.execute(sql.update(TOKENS).where(_TOKENS.id == token_id).values(used_at=now))

        return self._database.run(write, write=True)

    def add(self, token: ServiceToken) -> None:
        """Keep a new token."""
        routes = None if token.routes is None else json.dumps(token.routes)
        budget = json.dumps([[each.unit, str(each.amount), each.per] for each in token.budget])
        row = {**asdict(token), "routes": routes, "budget": budget}
        self._database.now(lambda connection: connection.execute(sql.insert(TOKENS).values(row)))

    def every(self) -> list[ServiceToken]:
        """All tokens, ended ones too, in the order in which they were made."""

        def read(connection: Connection) -> list[ServiceToken]:
            rows = connection.execute(
                sql.select(TOKENS).order_by(_TOKENS.created_at, _TOKENS.id)
            ).mappings()
            return [_token(dict(row)) for row in rows]

        return self._database.now(read)

    def revoke(self, named: str, now: int) -> int:
        """End the token of the id *named*, or every one of this name; how many there were."""

        def write(connection: Connection) -> int:
            meant = sql.or_(_TOKENS.id == named, _TOKENS.name == named)
            found = sql.update(TOKENS).where(meant, _TOKENS.revoked_at.is_(None))
            return connection.execute(found.values(revoked_at=now)).rowcount

        return self._database.now(write)


def _token(row: dict[str, Any]) -> ServiceToken:
    routes = None if row["routes"] is None else tuple(json.loads(row["routes"]))
    budget = tuple(
        PageBudget(unit, Decimal(amount), per)
        for unit, amount, per in json.loads(row["budget"] or "[]")
    )
    return ServiceToken(**{**row, "routes": routes, "budget": budget})
