"""Questions to a usage store, and its answers: sums by user, route, model, day or month. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import Factory, frozen

from .counts import Counts

#: What sums can be told apart by, in the order in which an answer names them.
DIMENSIONS = ("month", "day", "user", "route", "model")


@frozen
class Question:
    """Which sums are asked for.

    :ivar by: some of :data:`DIMENSIONS`.
    :ivar where: the only user, route or model that counts, by the name of its dimension.
    :ivar first: the first day that counts, such as ``"2026-11-26"``; ``""``: the oldest.
    :ivar last: the last day that counts; ``""``: today.
    :ivar limit: rows at most; *offset* rows are left out before them.
    """

    by: tuple[str, ...]
    where: Mapping[str, str] = Factory(dict)
    first: str = ""
    last: str = ""
    limit: int = 1_000
    offset: int = 0


@frozen
class Total:
    """One row of an answer.

    :ivar names: what the sums are of, by each dimension of the question.
    """

    names: Mapping[str, str]
    counts: Counts


@frozen
class Totals:
    """An answer. The latest days come first, and of one day those who cost most.

    :ivar whole: the sums over all rows, also over those that are left out.
    :ivar more: there are rows after these.
    """

    rows: tuple[Total, ...]
    whole: Counts
    more: bool
