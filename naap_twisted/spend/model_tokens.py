"""The model's tokens that an answer reports, read while its bytes pass. Pure.

Read are objects of a JSON answer and of the events of a stream: those that the provider's file
names, else those of OpenAI's chat completions and responses and of Anthropic's messages. Nothing
but such an object is kept, so that neither the length of an answer nor how its bytes are cut
decides what is counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import fields, frozen

from ..framing.codings import Inflater, Unreadable
from ..headers import media_type
from ..model import Tokens
from .json_members import MOST_FOUND, MemberScanner

NUMBERS = tuple(field.name for field in fields(Tokens))
_MOST_TOKENS = 1 << 48
_SLICE = 64 * 1024
_STREAM = b"text/event-stream"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_EVENT_END = (b"\n\n", b"\r\n\r\n")
_DATA = b"data:"
# The members of events in which APIs put what a model says, thinks and calls.
_WORDS = re.compile(
    rb'"(?:content|text|delta|arguments|partial_json|thinking|reasoning|reasoning_content|refusal'
    rb'|transcript|output_text)"\s*+:\s*+"((?:[^"\\]++|\\.)++)"',
    re.DOTALL,
)
#: Numbers that some APIs count inside of the input or the output, and some beside them.
_WITHIN = {"cached_input": "input", "cache_write": "input", "reasoning": "output"}


@frozen
class TokenMembers:
    """Where answers report tokens.

    :ivar reports: paths of the objects that have the numbers.
    :ivar numbers: by the name in :class:`~naap_twisted.model.Tokens`: paths in a report; the first
        one that is there counts.
    :ivar beside: numbers that are no part of the input or the output that is reported.
    :ivar mark: what every text with such an object has in it.
    """

    reports: frozenset[tuple[bytes, ...]]
    numbers: Mapping[str, tuple[tuple[str, ...], ...]]
    beside: frozenset[str]
    mark: re.Pattern[bytes]

    @classmethod
    def at(cls, paths: Mapping[str, Iterable[str]], beside: Iterable[str] = ()) -> TokenMembers:
        """Those at paths such as ``"usage.prompt_tokens"``.

        A report is what the numbers of the input and of the output are members of; the other
        numbers stand in one of the reports, at any depth.

        >>> TokenMembers.at({"input": ["usage.tokens.in"]}).reports
        frozenset({(b'usage', b'tokens')})
        """
        split = {
            name: [tuple(path.split(".")) for path in listed] for name, listed in paths.items()
        }
        found = {keys[:-1] for name in ("input", "output") for keys in split.get(name, ())}
        numbers = {
            name: tuple(dict.fromkeys(_below(keys, found) for keys in listed))
            for name, listed in split.items()
        }
        reports = frozenset(tuple(key.encode() for key in report) for report in found)
        names = b"|".join(sorted({re.escape(report[-1]) for report in reports}))
        mark = re.compile(rb'"(?:%b)"\s*+:\s*+\{' % names)
        return cls(reports, numbers, frozenset(beside), mark)


def _below(keys: tuple[str, ...], reports: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    outer = [report for report in reports if keys[: len(report)] == report]
    return keys[len(max(outer, key=len, default=())) :]


# At the top of an answer or a chunk; in the last event of OpenAI's responses; in the first one of
# Anthropic's messages, whose later events report the rest.
USUAL_MEMBERS = TokenMembers.at(
    {
        "input": [
            f"{before}usage.{name}"
            for before in ("", "response.", "message.")
            for name in ("prompt_tokens", "input_tokens")
        ],
        "output": ["usage.completion_tokens", "usage.output_tokens"],
        "cached_input": [
            "usage.prompt_tokens_details.cached_tokens",
            "usage.input_tokens_details.cached_tokens",
        ],
        "reasoning": [
            "usage.completion_tokens_details.reasoning_tokens",
            "usage.output_tokens_details.reasoning_tokens",
        ],
    }
)


class ModelTokenMeter:
    """Reads along one answer, whether it ends or breaks off.

    :param content_type: the answer's; reports are read in JSON and event streams only.
    :param coding: its content coding, in lower case; one that is not read leaves the numbers out.
    :ivar text: bytes of a model's words so far: of a stream those of the members that usually hold
        them, of any other answer all of it, without the coding.
    :ivar events: of a stream, so far, with some of these words.
    """

    def __init__(
        self,
        content_type: bytes,
        *,
        coding: bytes = b"",
        members: TokenMembers = USUAL_MEMBERS,
    ) -> None:
        kind = media_type(content_type)
        self._members = members
        self._scanner = MemberScanner(members.reports, self._take)
        self._events = _EventData(self._scanner, members.mark) if kind == _STREAM else None
        self._reads = kind in (_STREAM, b"application/json")
        self._inflater: Inflater | None = None
        self._found: dict[str, int] = {}
        self.text = self.events = 0
        if coding and self._reads:
            try:
                self._inflater = Inflater(coding)
            except Unreadable:
                self._reads = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        inflater = self._inflater
        if inflater is None:
            self._read(data)
            return
        try:
            inflater.put(data)
            while inflater.waits:
                self._read(inflater.take(_SLICE))
        except Unreadable:
            # The browser gets these bytes all the same; what comes behind them can't be read.
            self._inflater, self._reads = None, False

    def _read(self, data: bytes) -> None:
        events = self._events
        if events is None or not self._reads:
            self.text += len(data)
        if events is not None and self._reads:
            events.feed(data)
            self.text, self.events = events.text, events.number
        elif self._reads:
            self._scanner.feed(data)

    @property
    def so_far(self) -> Tokens | None:
        """What the answer reported up to now, or ``None`` where it reported nothing."""
        found = self._found
        if not found:
            return None
        numbers = {name: found.get(name, 0) for name in NUMBERS}
        for name in self._members.beside:
            numbers[_WITHIN[name]] += numbers[name]
        return Tokens(**numbers)

    def _take(self, text: bytes) -> None:
        """Take a report: its numbers stand in for those before it, and leave the others alone."""
        try:
            usage: dict[str, Any] = json.loads(text)
        except (ValueError, RecursionError):
            return
        for name, paths in self._members.numbers.items():
            for path in paths:
                number = _number(usage, path)
                if number is not None:
                    self._found[name] = number
                    break


class _EventData:
    """Passes the data of server-sent events on to *scanner* (HTML, "Parsing an event stream").

    :ivar number: events with words of a model; *text*: the bytes of these words.
    """

    def __init__(self, scanner: MemberScanner, mark: re.Pattern[bytes]) -> None:
        self.number = self.text = 0
        self._scanner = scanner
        self._mark = mark
        self._begun = b""  # the beginning of a line, too short to know its field
        self._is_data: bool | None = None  # whether the present line is; None at its beginning
        self._after_cr = False
        self._event = bytearray()  # the data of the present event

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if (
            self._is_data is None
            and not self._begun
            and not self._event
            and self._scanner.between
            and data.endswith(_EVENT_END)
            and not self._mark.search(data)
        ):
            self._after_cr = False
            self._count(data)
            return  # whole events without a report, which are almost all of them
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        *lines, rest = _LINE_END.split(self._begun + data)
        self._begun = b""
        for line in lines:
            self._read(line, whole=True)
        if rest:
            self._read(rest, whole=False)

    def _read(self, text: bytes, *, whole: bool) -> None:
        if self._is_data is None:
            if not whole and len(text) < len(_DATA):
                self._begun = text
                return
            if not text:
                self._scanner.reset()  # a blank line ends the event
                self._count(bytes(self._event))
                self._event.clear()
            self._is_data = text.startswith(_DATA)
            text = text.removeprefix(_DATA)
        if self._is_data:
            self._scanner.feed(text)
            self._event += text
            if len(self._event) > MOST_FOUND:
                self._count(bytes(self._event))
                self._event.clear()
        if whole:
            self._is_data = None

    def _count(self, events: bytes) -> None:
        """Count the words in whole events; a long one is counted in pieces."""
        for words in _WORDS.findall(events):
            self.number += 1
            self.text += len(words)


def _number(usage: Any, path: tuple[str, ...]) -> int | None:
    for name in path:
        usage = usage.get(name) if isinstance(usage, dict) else None
    if type(usage) is int and 0 <= usage < _MOST_TOKENS:
        return usage
    return None
