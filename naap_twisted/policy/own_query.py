"""Names of a query's parameters, as the readers of upstreams may take them. Pure.

A route sets some parameters itself, last. Readers differ in which of two parameters of one name
counts, and in what one name is: ASP.NET ignores case, PHP takes ``api.key`` for ``api_key`` and
``key[]`` for ``key``, older ones take ``;`` for ``&``, and some decode twice. So whatever may be
read as a name of the route's is found here.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote_plus

_MOST_DECODINGS = 4
_ALIKE = str.maketrans("-. ", "___")


def folded(name: str) -> str:
    """*name*, in one spelling for all that some reader takes for it.

    >>> folded("Api-Version") == folded("api_version")
    True
    """
    return name.strip().lower().translate(_ALIKE)


class OwnNames:
    """The names of parameters that a route sets itself."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {folded(name): name for name in names}

    def named_in(self, path_and_query: str) -> str | None:
        """The first of the names that a query sets, as the route spells it; ``None`` for none.

        >>> OwnNames(["key"]).named_in("/maps?q=x&%4bey%5B%5D=mine")
        'key'
        """
        query = path_and_query.partition("?")[2]
        found = (self._own(pair) for pair in query.split("&"))
        return next((name for name in found if name is not None), None)

    def without(self, path_and_query: str) -> str:
        """The same target without the pairs that set one of the names.

        >>> OwnNames(["key"]).without("/maps?key=old&q=x")
        '/maps?q=x'
        """
        path, mark, query = path_and_query.partition("?")
        pairs = query.split("&")
        kept = [pair for pair in pairs if self._own(pair) is None]
        if len(kept) == len(pairs):
            return path_and_query
        return f"{path}{mark}{'&'.join(kept)}" if kept else path

    def _own(self, pair: str) -> str | None:
        for part in pair.split(";"):
            for reading in readings(part.partition("=")[0]):
                if reading in self._names:
                    return self._names[reading]
        return None


def readings(name: str) -> Iterable[str]:
    """What some reader may take an encoded *name* for, folded, as :func:`folded` does it."""
    for _ in range(_MOST_DECODINGS):
        decoded = unquote_plus(name)
        # What follows a NUL or a bracket may be cut off, or say where in an array the value goes.
        for end in ("", "\0", "["):
            at = decoded.find(end, 1) if end else -1
            yield folded(decoded if at < 0 else decoded[:at])
        if decoded == name:
            return
        name = decoded
