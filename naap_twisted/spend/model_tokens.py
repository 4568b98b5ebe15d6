"""The model's tokens that an answer reports, read while its bytes pass. Pure.

Read are objects of a JSON answer and of the events of a stream: those that the provider's file
names, else those of OpenAI's chat completions and responses and of Anthropic's messages. Nothing
but such an object is kept, so that neither the length of an answer nor how its bytes are cut
decides what is counted.
"""

from __future__ import annotations

import json
import re

from ..framing.codings import Inflater, Unreadable
from ..headers import media_type
from .json_members import MOST_FOUND, MemberScanner
from .tokens import USUAL_MEMBERS, Kind, TokenMembers, Tokens

_STREAM = b"text/event-stream"
_LINES = frozenset((b"application/x-ndjson", b"application/jsonl"))
_LINE_END = re.compile(rb"\r\n|\r|\n")
_EVENT_END = (b"\n\n", b"\r\n\r\n")
_DATA = b"data:"
_SLICE = 64 * 1024
# Events at the beginning of a stream that are read whole, for one of them may name the model.
_LOOKED_AT = 4
_MODEL = re.compile(r"[\w.:/@+-]{1,128}", re.ASCII)
# The members of events in which APIs put what a model says, thinks and calls. A call may have no
# arguments, or an object of them, as Gemini's: its name keeps it from being free.
_WORDS = re.compile(
    rb'"(?:content|text|delta|arguments|partial_json|thinking|reasoning|reasoning_content|refusal'
    rb'|transcript|output_text|name)"\s*+:\s*+"((?:[^"\\]++|\\.)++)"',
    re.DOTALL,
)


class ModelTokenMeter:
    """Reads along one answer.

    :param content_type: the answer's; tokens are read in JSON, lines of it, and event streams.
    :param coding: the answer's content coding, ``b""`` for none.
    :ivar text_bytes: bytes of a model's words so far: of a stream those of the members that usually
        hold them, of any other answer all of its bytes, without their coding.
    :ivar events: of a stream, so far, that had some of these words.
    :ivar model: the name of the model that answers, as the answer had it last; ``""`` before it had
        one. What is no name is left out.
    :ivar unread: the coding is one that is not read here, or it is broken; *text_bytes* then counts
        the bytes as they come.
    """

    def __init__(
        self, content_type: bytes, coding: bytes = b"", members: TokenMembers = USUAL_MEMBERS
    ) -> None:
        kind = media_type(content_type)
        self._members = members
        self._scanner = MemberScanner(members.reports, self._take, members.models, self._call)
        self._stream = _EventData(self._scanner, members.mark) if kind == _STREAM else None
        self._reads = self._stream is not None or kind in _LINES or _is_json(kind)
        self._numbers: dict[Kind, int] = {}
        self._inflater: Inflater | None = None
        self.text_bytes = self.events = 0
        self.model = ""
        self.unread = False
        if coding:
            try:
                self._inflater = Inflater(coding)
            except Unreadable:
                self.unread = True

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        inflater = self._inflater
        if inflater is None:
            self._read(data)
            return
        inflater.put(data)
        try:
            while inflater.waits:
                self._read(inflater.take(_SLICE))
        except Unreadable:
            self._inflater, self.unread = None, True

    def so_far(self) -> Tokens | None:
        """What the answer has reported up to now; ``None`` where it reported nothing."""
        return self._members.sum(self._numbers) if self._numbers else None

    @property
    def is_partial(self) -> bool:
        """Whether words came behind the last report, as where Anthropic's stream ends in an error.

        What its beginning reported is then no sum of what was made.
        """
        return bool(self._numbers) and self._stream is not None and self._stream.unreported > 0

    def _read(self, text: bytes) -> None:
        stream = self._stream
        if not self._reads or self.unread or stream is None:
            self.text_bytes += len(text)
        if self._reads and not self.unread:
            if stream is None:
                self._scanner.feed(text)
            else:
                stream.feed(text)
                self.text_bytes, self.events = stream.text, stream.number

    def _take(self, report: bytes) -> None:
        """Take a report: its numbers stand in for those before it, and leave the others alone."""
        self._numbers |= self._members.read(report)
        if self._stream is not None:
            self._stream.reported()

    def _call(self, text: bytes) -> None:
        """Take a model's name, between its quotes: nobody has vetted it."""
        try:
            name = json.loads(b'"%b"' % text)
        except ValueError:
            return
        if _MODEL.fullmatch(name):
            self.model = name


class _EventData:
    """Passes the data of server-sent events on to *scanner* (HTML, "Parsing an event stream").

    :ivar number: events with words of a model; *text*: the bytes of these words.
    :ivar unreported: words behind the event that had the last report.
    """

    def __init__(self, scanner: MemberScanner, mark: re.Pattern[bytes]) -> None:
        self.number = self.text = self.unreported = 0
        self._has_report = False
        self._scanner = scanner
        self._mark = mark
        self._looks = _LOOKED_AT
        self._begun = b""  # the beginning of a line, too short to know its field
        self._is_data: bool | None = None  # whether the present line is; None at its beginning
        self._after_cr = False
        self._event = bytearray()  # the data of the present event

    def reported(self) -> None:
        """The present event has a report, of its own words too."""
        self._has_report, self.unreported = True, 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if (
            self._is_data is None
            and not self._looks
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
                self._looks = max(0, self._looks - 1)
                self._count(bytes(self._event))
                self._event.clear()
                self._has_report = False
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
            self.unreported += not self._has_report


def _is_json(kind: bytes) -> bool:
    return kind == b"application/json" or kind.endswith(b"+json")
