"""Sizes and durations as people write them, read as bytes and seconds. Pure."""

from __future__ import annotations

import math
import re

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(b|kb|mb|gb)", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)")
# The seed's bodyLimit comes from the npm package "bytes": its units are powers of 1024.
_SIZE_UNITS = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(value: object) -> int:
    """The bytes that *value* means, a number of them or text with a unit.

    :raises ValueError: *value* is not a size, or not above zero.

    >>> parse_size("1.5kb"), parse_size(1000)
    (1536, 1000)
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
    """The seconds that *value* means, a number of them or text with a unit.

    :raises ValueError: *value* is not a duration, not above zero, or not finite.

    >>> parse_duration("15m"), parse_duration("500ms")
    (900.0, 0.5)
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
