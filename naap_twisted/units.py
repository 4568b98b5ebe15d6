"""Sizes and durations as people write them (``"1mb"``, ``"15m"``) to bytes and seconds. Pure."""

from __future__ import annotations

import math
import re

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(b|kb|mb|gb)", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)")
# The seed's bodyLimit comes from the npm package "bytes": its units are powers of 1024.
_SIZE_UNITS = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(value: object) -> int:
    """Bytes from ``1048576``, ``"500kb"`` or ``"1mb"`` (1 kb = 1024 bytes).

    :raises ValueError: not a size, zero or negative.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError('expected bytes as a whole number, or text such as "500kb" or "1mb"')
    if isinstance(value, int):
        size = value
    else:
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(
                f'{value!r} is not a size; write bytes, or text such as "500kb", "1mb"'
            )
        size = int(float(match[1]) * _SIZE_UNITS[match[2].lower()])
    if size <= 0:
        raise ValueError("must be more than zero")
    return size


def parse_duration(value: object) -> float:
    """Seconds from ``30``, ``2.5``, ``"500ms"``, ``"30s"``, ``"15m"``.

    :raises ValueError: not a duration, zero, negative or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError('expected seconds as a number, or text such as "500ms", "30s", "15m"')
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(
                f'{value!r} is not a duration; write seconds, or text such as "500ms", "30s", "15m"'
            )
        seconds = float(match[1]) * _DURATION_UNITS[match[2]]
    else:
        seconds = float(value)
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError("must be more than zero")
    return seconds
