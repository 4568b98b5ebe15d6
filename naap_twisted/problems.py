"""What is wrong with a set of options, collected instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import ConfigError


class Problems:
    """:ivar lines: one a problem, each opening with the option's name."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def under(self, key: str = "") -> Iterator[None]:
        """Note a ValueError or ConfigError raised inside, under *key*."""
        try:
            yield
        except ConfigError as error:
            self.lines.extend(error.problems)
        except ValueError as error:
            self.lines.append(f"{key}: {error}")
