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
from ..secret import Secret


class Sealing:
    """What a route puts into the targets of its requests.

    :param query: parameters that end each query, by name.
    """

    def __init__(self, query: Mapping[str, Secret]) -> None:
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
        mark = "&" if "?" in text else "?"
        if text.endswith(("?", "&")):
            mark = ""
        own = (f"{name}={quote(value.reveal(), safe='')}" for name, value in self._query.items())
        return Secret(f"{text}{mark}{'&'.join(own)}", "the route's request target")
