"""Takes the event out of a stream that reports usage to this server, which asked for it. Pure.

OpenAI's chat completions put the report into a chunk of its own, whose list of choices is empty. A
page that did not ask for it may well read ``choices[0]`` of every chunk.
"""

from __future__ import annotations

import json
import re

#: Bytes of an event that is held until its end; a longer one passes, for no report is as long.
MOST_HELD = 64 * 1024
_NO_CHOICES = re.compile(rb'"choices"\s*+:\s*+\[\s*+\]')
_LINE_END = re.compile(rb"\r\n|\r|\n")
# Two ends of lines; a CR at the end of what has come may be half of one.
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_WHOLE_EVENTS = (b"\n\n", b"\r\n\r\n")
_LONGEST_END = 4


class ExtraEventFilter:
    """Passes on the events of one stream but for that one, byte for byte."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._is_long = False  # the present event is let through
        self._cut_end: bool | None = None  # an event ended with a CR; whether it was passed on

    def feed(self, data: bytes) -> bytes:
        """What may go on to the browser once *data* has come."""
        plain = not self._held and not self._is_long and self._cut_end is None
        if plain and data.endswith(_WHOLE_EVENTS) and not _NO_CHOICES.search(data):
            return data  # whole events, as almost all of them come
        passed = bytearray()
        if self._cut_end is not None and data:
            if data.startswith(b"\n"):
                passed += data[:1] if self._cut_end else b""
                data = data[1:]
            self._cut_end = None
        start = max(0, len(self._held) - _LONGEST_END)
        self._held += data
        self._pass_events(start, passed)
        if len(self._held) > MOST_HELD or self._is_long:
            self._is_long = True
            # Ends of lines stay, because the event's own end may begin with them.
            kept = len(self._held) - len(self._held.rstrip(b"\r\n"))
            most = len(self._held) - kept
            passed += self._held[:most]
            del self._held[:most]
        return bytes(passed)

    def end(self) -> bytes:
        """What is left when the stream is over."""
        rest = bytes(self._held)
        self._held.clear()
        return rest if self._is_long or not _is_extra(rest) else b""

    def _pass_events(self, start: int, passed: bytearray) -> None:
        at = 0
        for end in _EVENT_END.finditer(self._held, start):
            event = bytes(self._held[at : end.end()])
            at = end.end()
            passes = self._is_long or not _is_extra(event)
            passed += event if passes else b""
            self._is_long = False
            if at == len(self._held) and event.endswith(b"\r"):
                self._cut_end = passes
        del self._held[:at]


def _is_extra(event: bytes) -> bool:
    if len(event) > MOST_HELD or _NO_CHOICES.search(event) is None:
        return False
    lines = (line for line in _LINE_END.split(event) if line.startswith(b"data:"))
    try:
        chunk = json.loads(b"\n".join(line.removeprefix(b"data:") for line in lines))
    except (ValueError, RecursionError):
        return False
    return isinstance(chunk, dict) and not chunk.get("choices", True) and _reports(chunk)


def _reports(chunk: dict[str, object]) -> bool:
    return isinstance(chunk.get("usage"), dict)
