"""Keys in the target of a request: they are put in on the way to the wire. Pure.

Until then a target is what the page asked for. So neither what is logged or explained, nor a
Location that is resolved against the target, nor the table of decided targets has a key in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import evolve

from ..errors import InvalidTarget
from ..model import Target
from ..policy.own_query import OwnNames
from ..policy.target import PinnedBase
from ..secret import Secret

_SOURCE = "the route's request target"


class Sealing:
    """What a route puts into the targets of its requests.

    :param query: parameters that end each query, by name.
    :param base: the route's pinned base, where secrets stand in its path.
    """

    def __init__(self, query: Mapping[str, Secret], base: PinnedBase | None = None) -> None:
        self._base = base
        self._query = {quote(name, safe=""): value for name, value in query.items()}
        self._names = OwnNames(query)

    def refuse_own(self, target: Target) -> None:
        """Refuse a page's *target* that sets a parameter of the route's.

        :raises InvalidTarget: naming it; upstreams differ in which of the two would count.
        """
        name = self._names.named_in(target.path_and_query)
        if name is not None:
            raise InvalidTarget(
                f'The server sets the query parameter "{name}" itself; leave it out of the URL',
                reason=f"the page sets {name}, which is in the route's forward_query",
            )

    def cleaned(self, target: Target) -> Target:
        """A *target* that an upstream wrote, which may repeat the route's own parameters."""
        rest = self._names.without(target.path_and_query)
        return target if rest == target.path_and_query else evolve(target, path_and_query=rest)

    def seal(self, target: Target) -> Secret:
        """The request target for the wire: path and query of *target*, and the keys."""
        text = target.path_and_query
        if self._base is not None:
            text = self._base.opened(text)
        if not self._query:
            return Secret(text, _SOURCE)
        mark = "&" if "?" in text else "?"
        if text.endswith(("?", "&")):
            mark = ""
        own = (f"{name}={quote(value.reveal(), safe='')}" for name, value in self._query.items())
        return Secret(f"{text}{mark}{'&'.join(own)}", _SOURCE)

    def opened(self, target: Target) -> Target:
        """*target* with the base's secrets in it, for what an upstream says about its own URLs."""
        if self._base is None:
            return target
        return evolve(target, path_and_query=self._base.opened(target.path_and_query))
