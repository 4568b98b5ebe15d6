"""Constant response headers, set in one go where the request's headers can do that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.web.http_headers import Headers

Preset = tuple[tuple[bytes, bytes], ...]


def make_preset(headers: Mapping[bytes, bytes]) -> Preset:
    """*headers* with their names as Twisted's ``Headers`` spells them."""
    spelled = Headers({name: [value] for name, value in headers.items()})
    return tuple((name, values[0]) for name, values in spelled.getAllRawHeaders())


def put_preset(headers: Any, preset: Preset) -> None:
    """Set *preset* on *headers*, ours or Twisted's."""
    at_once = getattr(headers, "preset", None)
    if at_once is not None:
        at_once(preset)
        return
    for name, value in preset:
        headers.setRawHeaders(name, [value])
