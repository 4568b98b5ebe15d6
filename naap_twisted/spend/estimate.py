"""What a request may cost at most, and what an answer did cost that reports nothing. Pure.

Nobody here has the models' tokenizers, so a text's tokens are told by its bytes. The constants are
on the high side; docs/spend.md says how far from what vendors report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from ..documents.document import FieldText, Upload
from ..model import Tokens
from ..policy.endpoints import Endpoints
from ..policy.output_limit import LimitedEndpoints, covers
from .prices import Price

#: Bytes of UTF-8 that make a token, where a provider's file says nothing else.
BYTES_PER_TOKEN = 3
#: Tokens of an answer that no member and no option of the route bounds.
UNBOUNDED_OUTPUT = 4_096
#: Tokens of an image in a request, whatever its size.
IMAGE = 1_600
#: Bytes of recorded sound, as base64 or as they are, that make a token.
SOUND_BYTES = 800
#: Bytes of a recording that last a second: 16 kbit/s, as messengers record speech.
SECOND_BYTES = 2_000
#: Milliseconds of a recording that is elsewhere, or of which nobody knows the length.
ELSEWHERE = 3_600_000
#: Texts of base64 from this length on are taken for a medium, and not for words.
_MEDIUM = 2_048
_MOST_ANSWERS = 128
# Tokens of one answer, and of all that a request asks for: no model makes more, and what these cost
# is a whole number that Redis' doubles hold exactly.
_MOST_OUTPUT, _MOST_IN_ALL = 2_000_000, 256_000_000
_ANSWERS = ("n", "best_of", "candidateCount", "candidate_count", "num_generations")
_USUAL_LIMITS = (
    *("max_completion_tokens", "max_tokens", "max_output_tokens", "max_new_tokens"),
    *("maxOutputTokens", "maxTokens"),
)
_ANYWHERE = LimitedEndpoints(Endpoints([]), _USUAL_LIMITS)
_MEDIA_MEMBERS = frozenset(("url", "image_url", "data", "file_data", "bytes", "image", "audio"))
_SOUND = ("audio", "data:audio", "input_audio")


@frozen
class Worst:
    """Tokens that a request may cost at most: of its own text, and of the answer's.

    :ivar audio: of the input, those that may be sound; *image* likewise.
    :ivar milliseconds: of the recording that it may be about.
    :ivar sized: the answer has a size of its own, such as an image: its bytes tell nothing of it.
    :ivar bounded: the upstream was told *output*, and makes no more; else it is a guess.
    """

    input: int = 0
    output: int = 0
    audio: int = 0
    image: int = 0
    milliseconds: int = 0
    sized: bool = False
    bounded: bool = field(default=False, eq=False)

    @property
    def total(self) -> int:
        """Both together."""
        return self.input + self.output

    def at(self, price: Price | None) -> Tokens:
        """It as *price* counts it: nobody knows yet whether a model speaks or writes."""
        written = Tokens(
            input=self.input,
            output=self.output,
            audio_input=self.audio,
            image_input=self.image,
            milliseconds=self.milliseconds,
        )
        if price is None or price.audio_output is None:
            return written
        return max(written, evolve(written, audio_output=self.output), key=price.cost)


class Estimator:
    """Tells the worst case of a route's requests.

    :param limits: endpoints of language models, and the members that bound what they put out;
        where there are none, any request with JSON may be one.
    :param bound: tokens that the route lets an answer have; ``None``: it has no bound.
    """

    def __init__(
        self,
        limits: Sequence[LimitedEndpoints] = (),
        *,
        bound: int | None = None,
        bytes_per_token: int = BYTES_PER_TOKEN,
    ) -> None:
        self._limits = tuple(limits)
        self._unsaid = (
            Worst(0, UNBOUNDED_OUTPUT) if bound is None else Worst(0, bound, bounded=True)
        )
        self._bytes_per_token = bytes_per_token

    def worst(
        self, method: bytes, path: str, value: Any, length: int | None, *, is_form: bool = False
    ) -> Worst:
        """What a request may cost.

        :param path: below the base that the limits' endpoints are relative to.
        :param value: its parsed body; ``None`` where it has none, or none that can be read.
        :param length: bytes of the body; ``None`` where nobody told.
        """
        if method not in (b"POST", b"PUT", b"PATCH") or length == 0:
            return Worst()
        limit = self.limiting(method, path)
        items = value if isinstance(value, list) else [value if isinstance(value, dict) else {}]
        limits = [self._output(item, limit) for item in items]
        output = min(sum(each.output for each in limits), _MOST_IN_ALL)
        # That an API keeps to its limits is known where a provider's file lists its endpoints.
        bounded = bool(self._limits) and all(each.bounded for each in limits)
        sized = limit is not None and limit.tokens is not None
        # A body of a length that nobody told is none of no bytes, and must not be free.
        size = 1 if length is None else length
        lasts = ELSEWHERE if length is None else -(-size * 1000 // SECOND_BYTES)
        if is_form or not isinstance(value, dict | list):
            if is_form and not any(isinstance(each, Upload) for each in _fields(value)):
                lasts = max(lasts, ELSEWHERE)  # it names a recording, by its URL say
            medium = -(-size // SOUND_BYTES)
            return Worst(medium, output, medium, medium, lasts, sized)
        has_media = size >= _MEDIUM and _has_long_text(value)
        media, images, sound = _media(value) if has_media else (0, 0, 0)
        written = self.text_tokens(max(0, size - media)) + images + sound
        return Worst(written, output, sound, images, max(lasts, ELSEWHERE), sized, bounded)

    def text_tokens(self, size: int) -> int:
        """The tokens of a text of *size* bytes."""
        return -(-size // self._bytes_per_token)

    def answer_tokens(self, text: int, events: int) -> int:
        """The tokens of an answer of which so many bytes of *text* came.

        :param events: of a stream; each has a token at least.
        """
        return max(events, self.text_tokens(text))

    def limiting(self, method: bytes, path: str) -> LimitedEndpoints | None:
        """What bounds an answer of this endpoint; ``None`` where no model answers."""
        if not self._limits:
            return _ANYWHERE
        return next((each for each in self._limits if covers(each.endpoints, method, path)), None)

    def _output(self, item: Any, limit: LimitedEndpoints | None) -> Worst:
        if limit is None or not isinstance(item, dict):
            return Worst()
        said = [n for path in limit.members for n in _numbers(item, path.split("."))]
        most = Worst(0, min(max(said), _MOST_OUTPUT), bounded=True) if said else self._unsaid
        if not said and limit.tokens is not None:
            most = Worst(0, limit.tokens)
        return evolve(most, output=most.output * _answers(item))


def _answers(item: Mapping[str, Any]) -> int:
    inner = [item, item.get("generationConfig"), item.get("generation_config")]
    asked = [
        number
        for table in inner
        if isinstance(table, dict)
        for name in _ANSWERS
        for number in _numbers(table, [name])
    ]
    return min(max(asked, default=1), _MOST_ANSWERS) or 1


def _numbers(value: Any, names: Sequence[str]) -> list[int]:
    """The whole numbers at a path, through lists too."""
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item, names)]
    if names:
        return _numbers(value[names[0]], names[1:]) if _has(value, names[0]) else []
    if isinstance(value, FieldText):
        return [int(value)] if value.isascii() and value.isdigit() and len(value) < 16 else []
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return [min(int(value), 1 << 40)]
    return []


def _has(value: Any, name: str) -> bool:
    return isinstance(value, dict) and name in value


def _fields(form: Any) -> list[Any]:
    """The values of a form's fields, each of those that are repeated too."""
    table = form if isinstance(form, dict) else {}
    return [
        item for each in table.values() for item in (each if isinstance(each, list) else [each])
    ]


def _has_long_text(value: Any) -> bool:
    """Whether any text is as long as a medium; almost no request has one."""
    pending: list[Any] = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str):
            if len(each) >= _MEDIUM:
                return True
        elif isinstance(each, dict):
            pending += each.values()
        elif isinstance(each, list):
            pending += each
    return False


def _media(value: Any) -> tuple[int, int, int]:
    """The bytes of a body that are images and sound, and the tokens of either."""
    size = images = sounds = 0
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        name, each = pending.pop()
        if isinstance(each, dict):
            sound = any(str(item).startswith(_SOUND) for item in (name, *_kinds(each)))
            pending += [("audio" if sound else key, inner) for key, inner in each.items()]
        elif isinstance(each, list):
            pending += [(name, inner) for inner in each]
        elif isinstance(each, str) and len(each) >= _MEDIUM and _is_medium(name, each):
            size += len(each)
            if name == "audio" or each.startswith(_SOUND):
                sounds += -(-len(each) // SOUND_BYTES)
            else:
                images += IMAGE
    return size, images, sounds


def _kinds(table: Mapping[str, Any]) -> list[Any]:
    return [table.get(name) for name in ("type", "mimeType", "mime_type", "media_type", "format")]


def _is_medium(name: str, text: str) -> bool:
    """Whether a member holds base64; words that only look so stand under other names."""
    if name not in _MEDIA_MEMBERS:
        return False
    begins = text.partition(",")[2] if text.startswith("data:") else text
    return begins.isascii() and not any(mark in begins for mark in (" ", "\n", ".", ",", "{"))
