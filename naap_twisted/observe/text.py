"""The access line in a text log, at a quarter of the usual price.

Twisted's text observer formats every event through ``string.Formatter`` and makes each time stamp
anew, zone and all. The access line is text already, and there is one for every exchange; so the
observers that write text get a formatter that knows it. Every other event goes Twisted's way.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import (
    FileLogObserver,
    LogEvent,
    LogPublisher,
    formatTime,
    globalLogPublisher,
    textFileLogObserver,
)

from .._twisted import observers_of

Format = Callable[[LogEvent], str | None]


class AccessText:
    """Formats as *usual* does, but access lines by itself."""

    def __init__(self, usual: Format) -> None:
        self._usual = usual
        self._second = 0
        self._stamp = ""

    def __call__(self, event: LogEvent) -> str | None:
        """For ``FileLogObserver``."""
        if "exchange" not in event:
            return self._usual(event)
        second = int(event["log_time"])
        if second != self._second:
            self._second, self._stamp = second, formatTime(second)
        return f"{self._stamp} [{event['log_namespace']}#info] {event['line']}\n"


def speed_up_text_logs(publisher: LogPublisher = globalLogPublisher) -> None:
    """Give every text observer of *publisher* the short way. Harmless when called twice."""
    for observer in observers_of(publisher):
        if isinstance(observer, FileLogObserver):
            usual = observer.formatEvent
            # Only the formatter that textFileLogObserver makes, not somebody's own.
            if getattr(usual, "__module__", "") == textFileLogObserver.__module__:
                observer.formatEvent = AccessText(usual)
