"""Twisted's ``Headers``, a header table, with a short way for what every request does to it.

The short way serves one bytes value under a bytes name, and gives what Twisted's own code gives;
everything else goes to Twisted's code. An exchange takes it fourteen times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twisted.web.http_headers import Headers

from .._twisted import TableHeaders
from ..framing.fields import Fields

#: Constant headers, with the names that :func:`spelled` gives.
Preset = tuple[tuple[bytes, bytes], ...]

# Names as Twisted spells them, by every spelling seen so far. Peers choose names, so it is bounded.
_SPELLED: dict[bytes, bytes] = {}
_MOST_SPELLED = 2048


def spelled(name: bytes) -> bytes:
    """*name* in the spelling that Twisted's ``Headers`` keeps it under.

    :raises twisted.web.http_headers.InvalidHeaderName: *name* is no token.

    >>> spelled(b"x-request-id"), spelled(b"etag")
    (b'X-Request-Id', b'ETag')
    """
    known = _SPELLED.get(name)
    if known is None:
        probe = Headers()
        probe.setRawHeaders(name, [b""])
        known = next(iter(probe.getAllRawHeaders()))[0]
        if len(_SPELLED) >= _MOST_SPELLED:
            _SPELLED.clear()  # one caller's odd names must not slow all others down for good
        _SPELLED[name] = known
    return known


_EXPOSE = spelled(b"Access-Control-Expose-Headers")


class LeanHeaders(TableHeaders):
    """The header table of our own requests and answers."""

    __slots__ = ()

    @classmethod
    def of(cls, fields: Fields) -> LeanHeaders:
        """A table of a header list that passed the framing checks, so that no line breaks out."""
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

    def preset(self, preset: Preset) -> None:
        """Set constant headers, each to its one value."""
        table = self.table
        for key, value in preset:
            table[key] = [value]

    def setRawHeaders(self, name: str | bytes, values: Sequence[str | bytes]) -> None:
        if type(name) is bytes and len(values) == 1:
            value = values[0]
            if type(value) is bytes and b"\n" not in value and b"\r" not in value:
                self.table[_SPELLED.get(name) or spelled(name)] = [value]
                return
        super().setRawHeaders(name, values)

    def relay(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Set *fields*, which passed the framing checks; repeated names stay repeated."""
        table = self.table
        seen = set()
        for name, value in fields:
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


def make_preset(headers: Mapping[bytes, bytes]) -> Preset:
    """*headers* as a preset."""
    return tuple((spelled(name), value) for name, value in headers.items())


def put_preset(headers: Headers, preset: Preset) -> None:
    """Set *preset* on our header table, or on Twisted's where a stock site serves."""
    if isinstance(headers, LeanHeaders):
        headers.preset(preset)
    else:
        for name, value in preset:
            headers.setRawHeaders(name, [value])


def put_fields(headers: Headers, fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Set *fields* on our header table or on Twisted's; repeated names stay repeated."""
    if isinstance(headers, LeanHeaders):
        headers.relay(fields)
        return
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    for name, together in values.items():
        headers.setRawHeaders(name, together)


def put_exposed(headers: Headers, name: bytes, value: bytes) -> None:
    """Set a header of an answer, and let pages read it if they may read the answer.

    :param name: in the spelling of :func:`spelled`.
    """
    put_preset(headers, ((name, value),))
    exposed = headers.getRawHeaders(_EXPOSE)
    if exposed:
        put_preset(headers, ((_EXPOSE, b", ".join((exposed[0], name))),))
