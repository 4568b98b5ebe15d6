"""Constant response headers, set in one go where the request's headers can do that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.web.http_headers import Headers

Preset = tuple[tuple[bytes, bytes], ...]


def make_preset(headers: Mapping[bytes, bytes]) -> Preset:
    """*headers* with their names as Twisted's ``Headers`` spells them."""
    spelled = Headers({name: [value] for name, value in headers.items()})
    return tuple((name, values[0]) for name, values in spelled.getAllRawHeaders())


def spelling(name: bytes) -> bytes:
    """*name* as Twisted's ``Headers`` spells it; a preset's names have to be."""
    return make_preset({name: b""})[0][0]


def put_fields(headers: Any, fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Set *fields* on *headers*, ours or Twisted's; a name that is repeated stays repeated."""
    at_once = getattr(headers, "relay", None)
    if at_once is not None:
        at_once(fields)
        return
    seen = set()
    for name, value in fields:
        if name in seen:
            headers.addRawHeader(name, value)
        else:
            seen.add(name)
            headers.setRawHeaders(name, [value])


def put_preset(headers: Any, preset: Preset) -> None:
    """Set *preset* on *headers*, ours or Twisted's."""
    at_once = getattr(headers, "preset", None)
    if at_once is not None:
        at_once(preset)
        return
    for name, value in preset:
        headers.setRawHeaders(name, [value])
