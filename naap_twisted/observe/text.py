"""Writes the access line to a text log in a quarter of the time that Twisted's observer takes.

Twisted's text observer formats every event through ``string.Formatter`` and makes each time stamp
anew, zone and all. The access line of an exchange is text already, so the text observers get a
formatter that copies it, and formats every other event as Twisted does.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted import logger

from .._twisted import observers_of


class AccessText:
    """Formats access lines itself, and every other event as *usual* does."""

    def __init__(self, usual: Callable[[logger.LogEvent], str | None]) -> None:
        self._usual = usual
        self._second = 0
        self._stamp = ""

    def __call__(self, event: logger.LogEvent) -> str | None:
        """The text of *event*, as ``FileLogObserver`` asks for it."""
        if "exchange" not in event:
            return self._usual(event)
        second = int(event["log_time"])
        if second != self._second:
            self._second, self._stamp = second, logger.formatTime(second)
        return f"{self._stamp} [{event['log_namespace']}#info] {event['line']}\n"


def speed_up_text_logs(publisher: logger.LogPublisher = logger.globalLogPublisher) -> None:
    """Give every text observer of *publisher* an :class:`AccessText`, once."""
    for observer in observers_of(publisher):
        if isinstance(observer, logger.FileLogObserver):
            usual = observer.formatEvent
            # Only the formatter that textFileLogObserver makes, not somebody's own.
            if getattr(usual, "__module__", "") == logger.textFileLogObserver.__module__:
                observer.formatEvent = AccessText(usual)
