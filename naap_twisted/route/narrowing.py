"""Holds a request to the models of its page token, beside all that its route asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

from attrs import field, frozen

from ..errors import TokenNotAllowed
from ..model import User
from ..policy.models import ModelPlaces, Models
from ..policy.target import PinnedBase
from .body import BodyPolicy
from .judgement import BodyJudge
from .opening import Opening

# Page tokens of one site list the same few models.
_MOST_JUDGES = 256


@frozen
class Narrowing:
    """Makes the judges of what a request's own token says, for one route.

    :ivar holds: whether it can: a redirect that the route follows may lead to another model.
    :ivar places: where the route's requests name their model.
    :ivar pinned: as the route has it.
    :ivar merged: the upstream is of a kind that takes a query's parameters for a form's fields.
    :ivar body: reads a whole body, for it is to be judged.
    :ivar patch: the same for PATCH.
    """

    holds: bool
    places: ModelPlaces
    pinned: PinnedBase | None
    merged: bool
    body: BodyPolicy
    patch: BodyPolicy
    _judge: Callable[[tuple[str, ...]], BodyJudge] = field(init=False, repr=False, eq=False)

    @_judge.default
    def _remembering(self) -> Callable[[tuple[str, ...]], BodyJudge]:
        made = partial(_judge_of, self.places, self.pinned, self.merged)
        return lru_cache(maxsize=_MOST_JUDGES)(made)

    def of(self, user: User | None) -> BodyJudge | None:
        """The judge of the models that *user* shows a token for; ``None``: it names none.

        It judges what goes upstream, when every rule of the route has had its word.

        :raises TokenNotAllowed: the token names models, and this route can't hold it to them.
        """
        if user is None or user.page is None or not user.page.models:
            return None
        if not self.holds:
            raise TokenNotAllowed(reason="a page token with models, on a route with redirects")
        return self._judge(user.page.models)


def _judge_of(
    places: ModelPlaces, pinned: PinnedBase | None, merged: bool, models: tuple[str, ...]
) -> BodyJudge:
    opening = Opening(models=Models(models, places), pinned=pinned)
    return BodyJudge(opening, merged=merged)
