"""How much of a load retries may be: an upstream in trouble must not get more of it. Pure."""

from __future__ import annotations

# Retries for each request, and how many of them may be saved up for a bad moment.
_SHARE = 0.1
_MOST_SAVED = 10.0


class RetryBudget:
    """One upstream's: a tenth of its requests, and one to begin with."""

    def __init__(self) -> None:
        self._saved = 1.0

    def asked(self) -> None:
        """Count a request, which is no retry."""
        self._saved = min(self._saved + _SHARE, _MOST_SAVED)

    def take(self) -> bool:
        """Whether one more retry may go; it is counted then."""
        # Ten tenths are a little less than one.
        if self._saved < 1.0 - 1e-9:
            return False
        self._saved -= 1.0
        return True
