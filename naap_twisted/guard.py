"""The reflection guard: an upstream that repeats our key must not hand it to the browser. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from .model import HeaderValue
from .secret import REDACTED, Secret

_SHORTEST_GUARDED = 8
_SHORTEST_PART = 4


class Guard:
    """Finds injected secrets in what an upstream sends back (reflection).

    Short values are left alone: they are version strings and the like, not keys.
    """

    def __init__(self, injected: Iterable[tuple[bytes, HeaderValue]]) -> None:
        self._needles = sorted(
            {
                needle
                for _, value in injected
                if isinstance(value, Secret)
                for needle in (value.reveal(), value.reveal().rpartition(b" ")[2])
                if len(needle) >= _SHORTEST_GUARDED
            },
            key=len,
            reverse=True,
        )

    def clean(self, data: bytes) -> bytes:
        """*data* with every secret replaced by ``[redacted]``."""
        for needle in self._needles:
            if needle in data:
                data = data.replace(needle, REDACTED.encode())
        return data

    def clean_cut(self, data: bytes) -> bytes:
        """The same for *data* that was cut somewhere: half a secret at its end goes, too."""
        data = self.clean(data)
        for needle in self._needles:
            for size in range(min(len(needle), len(data)), _SHORTEST_PART - 1, -1):
                if data.endswith(needle[:size]):
                    return data[:-size]
        return data
