"""Twisted's ``Headers`` with a short way for what happens fourteen times a request.

The short way is taken for one bytes value under a bytes name that has been seen before, and gives
what Twisted's own code gives; everything else goes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.web.http_headers import Headers

from .._twisted import TableHeaders
from ..framing.fields import Fields
from .presets import Preset

# Names as Twisted spells them, in any spelling seen so far; bounded, for peers choose names.
_SPELLED: dict[Any, bytes] = {}
_MOST_SPELLED = 2048
_OWN: dict[Any, bytes] = {}


def spelled(name: bytes) -> bytes:
    """*name* in the spelling that Twisted's ``Headers`` keeps it under.

    :raises twisted.web.http_headers.InvalidHeaderName: it is no token.
    """
    known = _SPELLED.get(name)
    if known is None:
        probe = Headers()
        probe.setRawHeaders(name, [b""])
        known = next(iter(probe.getAllRawHeaders()))[0]
        if len(_SPELLED) >= _MOST_SPELLED:
            # One caller's odd names must not slow all others down for good.
            _SPELLED.clear()
            _SPELLED.update(_OWN)
        _SPELLED[name] = known
    return known


class LeanHeaders(TableHeaders):
    """See the module's docstring."""

    __slots__ = ()

    @classmethod
    def of(cls, fields: Fields) -> LeanHeaders:
        """From fields that passed the framing gate, which lets no line break through."""
        headers = cls()
        table = headers.table
        for name, value in fields:
            key = _SPELLED.get(name) or spelled(name)
            values = table.get(key)
            if values is None:
                table[key] = [value]
            else:
                values.append(value)
        return headers

    def preset(self, pairs: Preset) -> None:
        """Set constant headers, each to its one value."""
        table = self.table
        for key, value in pairs:
            table[key] = [value]

    def setRawHeaders(self, name: str | bytes, values: Sequence[str | bytes]) -> None:
        key = _SPELLED.get(name)
        if key is not None and len(values) == 1:
            value = values[0]
            if type(value) is bytes and b"\n" not in value and b"\r" not in value:
                self.table[key] = [value]
                return
        super().setRawHeaders(name, values)

    def relay(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Set fields that passed the framing gate, or Twisted's: repeated names stay repeated."""
        table = self.table
        seen = set()
        for name, value in pairs:
            if name in seen:
                table[spelled(name)].append(value)
            else:
                seen.add(name)
                table[_SPELLED.get(name) or spelled(name)] = [value]

    def hasHeader(self, name: Any) -> bool:
        if type(name) is bytes:
            return (_SPELLED.get(name) or spelled(name)) in self.table
        return super().hasHeader(name)

    def getRawHeaders(self, name: Any, default: Any = None) -> Any:
        if type(name) is bytes:
            return self.table.get(_SPELLED.get(name) or spelled(name)) or default
        return super().getRawHeaders(name, default)


for _name in (
    b"Access-Control-Allow-Credentials",
    b"Access-Control-Allow-Origin",
    b"Access-Control-Expose-Headers",
    b"Cache-Control",
    b"Content-Length",
    b"Content-Security-Policy",
    b"Content-Type",
    b"Cross-Origin-Resource-Policy",
    b"Date",
    b"Referrer-Policy",
    b"Vary",
    b"X-Content-Type-Options",
    b"X-Frame-Options",
    b"X-Request-ID",
):
    spelled(_name)
_OWN.update(_SPELLED)
