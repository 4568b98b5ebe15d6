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

    def __bool__(self) -> bool:
        return bool(self._needles)

    def clean(self, data: bytes) -> bytes:
        """*data* with every secret replaced by ``[redacted]``."""
        for needle in self._needles:
            if needle in data:
                data = data.replace(needle, REDACTED.encode())
        return data

    def unfinished(self, data: bytes) -> int:
        """How many bytes at the end of *data* may be the beginning of a secret."""
        longest = 0
        for needle in self._needles:
            for size in range(min(len(needle) - 1, len(data)), longest, -1):
                if data.endswith(needle[:size]):
                    longest = size
                    break
        return longest

    def clean_cut(self, data: bytes) -> bytes:
        """The same for *data* that was cut somewhere: half a secret at its end goes, too."""
        data = self.clean(data)
        half = self.unfinished(data)
        return data[:-half] if half >= _SHORTEST_PART else data


class Scrubber:
    """The guard over a body that comes in pieces: finds secrets across their borders.

    A piece waits for the next only where its end looks like the beginning of a secret.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may go out of what has come so far."""
        data = self._guard.clean(self._held + data)
        held = self._guard.unfinished(data)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def end(self) -> bytes:
        """The rest: a beginning that was none."""
        data, self._held = self._held, b""
        return data
