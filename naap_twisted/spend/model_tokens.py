"""The model's tokens that an answer reports, read while its bytes pass. Pure.

Read are objects of a JSON answer and of the events of a stream: those that the provider's file
names, else those of OpenAI's chat completions and responses and of Anthropic's messages. Nothing
but such an object is kept, so that neither the length of an answer nor how its bytes are cut
decides what is counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from attrs import frozen

from ..headers import media_type
from .json_members import MemberScanner

#: Tokens of the prompt, of the completion, and in total.
ModelTokens = tuple[int, int, int]

_MOST_TOKENS = 1 << 48
_STREAM = b"text/event-stream"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_EVENT_END = (b"\n\n", b"\r\n\r\n")
_DATA = b"data:"
_Other = TypeVar("_Other", int, None)


@frozen
class TokenMembers:
    """Where answers report tokens.

    :ivar reports: paths of the objects that have the numbers.
    :ivar prompt: names of the number of the prompt's tokens in them; the first one there counts.
    :ivar completion: likewise of the completion's.
    :ivar mark: what every text with such an object has in it.
    """

    reports: frozenset[tuple[bytes, ...]]
    prompt: tuple[str, ...]
    completion: tuple[str, ...]
    mark: re.Pattern[bytes]

    @classmethod
    def at(cls, prompt: Iterable[str], completion: Iterable[str]) -> TokenMembers:
        """Those at paths such as ``"usage.prompt_tokens"``; a report has a name of its own.

        >>> TokenMembers.at(["usage.tokens.in"], ["usage.tokens.out"]).reports
        frozenset({(b'usage', b'tokens')})
        """
        split = [[path.split(".") for path in paths] for paths in (prompt, completion)]
        reports = frozenset(
            tuple(key.encode() for key in keys[:-1]) for paths in split for keys in paths
        )
        first, second = (tuple(dict.fromkeys(keys[-1] for keys in paths)) for paths in split)
        names = b"|".join(sorted({re.escape(report[-1]) for report in reports}))
        return cls(reports, first, second, re.compile(rb'"(?:%b)"\s*+:\s*+\{' % names))


# At the top of an answer or a chunk; in the last event of OpenAI's responses; in the first one of
# Anthropic's messages, whose later events report the rest.
USUAL_MEMBERS = TokenMembers.at(
    [
        f"{before}usage.{name}"
        for before in ("", "response.", "message.")
        for name in ("prompt_tokens", "input_tokens")
    ],
    ["usage.completion_tokens", "usage.output_tokens"],
)


class ModelTokenMeter:
    """Reads along one answer.

    :param content_type: the answer's; the meter reads JSON and event streams only.
    :param encoded: the answer has a Content-Encoding, so the meter cannot read it.
    """

    def __init__(
        self,
        content_type: bytes,
        *,
        encoded: bool = False,
        members: TokenMembers = USUAL_MEMBERS,
    ) -> None:
        kind = media_type(content_type)
        self._members = members
        self._scanner = MemberScanner(members.reports, self._take)
        self._events = _EventData(self._scanner, members.mark) if kind == _STREAM else None
        self._reads = not encoded and kind in (_STREAM, b"application/json")
        self._reported = False
        self._prompt = self._completion = 0
        self._total: int | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        if self._reads:
            (self._events or self._scanner).feed(data)

    def end(self) -> ModelTokens | None:
        """What the whole answer reported, or ``None`` where it reported nothing."""
        if not self._reported:
            return None
        prompt, completion = self._prompt, self._completion
        return prompt, completion, prompt + completion if self._total is None else self._total

    def _take(self, text: bytes) -> None:
        """Take a report: its numbers stand in for those before it, and leave the others alone."""
        try:
            usage: dict[str, Any] = json.loads(text)
        except (ValueError, RecursionError):
            return
        self._reported = True
        members = self._members
        self._prompt = _number(usage, *members.prompt, otherwise=self._prompt)
        self._completion = _number(usage, *members.completion, otherwise=self._completion)
        self._total = _number(usage, "total_tokens", otherwise=None)


class _EventData:
    """Passes the data of server-sent events on to *scanner* (HTML, "Parsing an event stream")."""

    def __init__(self, scanner: MemberScanner, mark: re.Pattern[bytes]) -> None:
        self._scanner = scanner
        self._mark = mark
        self._begun = b""  # the beginning of a line, too short to know its field
        self._is_data: bool | None = None  # whether the present line is; None at its beginning
        self._after_cr = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if (
            self._scanner.between
            and self._is_data is None
            and not self._begun
            and data.endswith(_EVENT_END)
            and not self._mark.search(data)
        ):
            self._after_cr = False
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
            self._is_data = text.startswith(_DATA)
            text = text.removeprefix(_DATA)
        if self._is_data:
            self._scanner.feed(text)
        if whole:
            self._is_data = None


def _number(usage: dict[str, Any], *names: str, otherwise: _Other) -> int | _Other:
    for name in names:
        value = usage.get(name)
        if type(value) is int and 0 <= value < _MOST_TOKENS:
            return value
    return otherwise
