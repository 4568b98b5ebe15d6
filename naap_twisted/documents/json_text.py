"""JSON, read so that no two readers of it differ, and changed so that the rest keeps its bytes.

Readers differ in which of two members of one name counts, in numbers past a double's range or
precision, in half a surrogate pair, and in how deep they go (RFC 8259 sections 4, 6 and 8.2; RFC
7493). All of that is refused here. :func:`check_json` is the light check for what no rule judges.
"""

from __future__ import annotations

import gc
import json
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NoReturn

from attrs import define

from ..errors import BodyNotAllowed, InvalidJson, UnsupportedMediaType
from .document import Member
from .parameters import parameters

DEEPEST = 64
"""Levels of lists and objects that a body may have."""

_MUCH = 32 * 1024
_MOST_QUOTED = 64
# Without its closing quote, too: else each quote of a text that never ends is tried to its end.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?+', re.DOTALL)
_ROUND = bytes.maketrans(b"[]{}", b"()()")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BLANKS = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
# NUL and half a pair can only come of an escape, because neither is JSON in UTF-8 as it is.
_ESCAPED = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_ZERO = re.compile(r"-?0*(?:\.0*)?(?:[eE].*)?")
#: Every whole number of up to so many digits is exactly a double (2**53 has 16).
_SAFE_DIGITS = 15
#: Past 64 bits some readers wrap a whole number around.
_MOST_WHOLE, _MOST_DIGITS = 2**63, 20


def check_json(data: bytes) -> None:
    """Refuse bytes that are not one JSON text in UTF-8 (RFC 8259).

    :raises InvalidJson: with line and column, or the place of the byte that is not UTF-8.
    """
    _parse(data, _LIGHT)


def strict_value(data: bytes) -> Any:
    """The value of a JSON text that every reader takes for the same.

    :raises InvalidJson: it is no JSON.
    :raises BodyNotAllowed: readers differ about it.
    """
    if data.count(b"[") + data.count(b"{") > DEEPEST:
        _check_depth(data)
    value = _parse(data, _STRICT)
    if _ESCAPED.search(data) is not None:
        _check_texts(value)
    return value


@define
class JsonDocument:
    """A JSON text."""

    content: bytes
    content_type: bytes
    value: Any

    @classmethod
    def read(cls, content: bytes, content_type: bytes) -> JsonDocument:
        """Read a body.

        :raises UnsupportedMediaType: its charset is not UTF-8.
        :raises InvalidJson: it is no JSON.
        :raises BodyNotAllowed: readers differ about it.
        """
        charset = parameters(content_type).get("charset", "utf-8")
        if charset.lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType("JSON is UTF-8 on this route, whatever its charset says")
        return cls(content, content_type, strict_value(content))

    def inner(self, name: str) -> Any:
        """A text in JSON is a text to every reader, and has no members."""
        return None

    def changed(self, members: Mapping[Member, object]) -> tuple[bytes, bytes]:
        """The text with *members* set; all other members keep their bytes and their order."""
        text = self.content.decode("utf-8")
        for member, value in members.items():
            text = _spliced(text, member, json.dumps(value, ensure_ascii=False))
        return text.encode("utf-8"), self.content_type

    def replaced(self, value: Mapping[str, object]) -> tuple[bytes, bytes]:
        """The text of *value*."""
        written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return written.encode("utf-8"), self.content_type


def _spliced(text: str, member: Member, value: str) -> str:
    """*text*, an object that was read strictly, with *value* at *member*."""
    at = _BLANKS.match(text).end()  # type: ignore[union-attr]
    for depth, name in enumerate(member):
        if text[at] != "{":
            below = ".".join(member[depth:])
            if depth == 0 or text[at] == "[":
                shown = ".".join(member[:depth]) or "(body)"
                raise BodyNotAllowed(
                    f'Body member "{_shown(shown)}" can\'t have the member "{_shown(below)}",'
                    " which this route sets",
                    param=_shown(shown),
                )
            end = _end(text, at)
            return f"{text[:at]}{_nested(member[depth:], value)}{text[end:]}"
        found, last = _member(text, at, name)
        if found < 0:
            comma = "," if last > at + 1 else ""
            pair = f"{comma}{json.dumps(name, ensure_ascii=False)}:"
            return f"{text[:last]}{pair}{_nested(member[depth + 1 :], value)}{text[last:]}"
        at = found
    return f"{text[:at]}{value}{text[_end(text, at) :]}"


def _nested(names: Member, value: str) -> str:
    for name in reversed(names):
        value = f"{{{json.dumps(name, ensure_ascii=False)}:{value}}}"
    return value


def _member(text: str, at: int, name: str) -> tuple[int, int]:
    """Where the value of a member of the object at *at* begins, or -1; where the last one ends."""
    place = _skip(text, at + 1)
    last = at + 1
    while text[place] != "}":
        key, place = scanstring(text, place + 1, True)
        place = _skip(text, _skip(text, place) + 1)  # behind the colon
        last = _end(text, place)
        if key == name:
            return place, last
        place = _skip(text, last)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return -1, last


def _skip(text: str, at: int) -> int:
    return _BLANKS.match(text, at).end()  # type: ignore[union-attr]


def _end(text: str, at: int) -> int:
    end: int = _LIGHT.raw_decode(text, at)[1]
    return end


def _parse(data: bytes, decoder: json.JSONDecoder) -> Any:
    """The value of *data*; a long one without the garbage collector.

    The collector would walk over a growing heap of lists again and again: a megabyte of ``[],[],``
    took five times as long. The parsed document has no cycles and is freed at once.
    """
    pausing = len(data) >= _MUCH and gc.isenabled()
    if pausing:
        gc.disable()
    try:
        text = data.decode("utf-8")
        if text[:1] == "{":
            # An object alone, as clients write it, needs no search for blanks around it.
            value, end = decoder.raw_decode(text)
            if end == len(text):
                return value
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJson(
            f"Request body is not valid JSON: {error.msg} at line {error.lineno} "
            f"column {error.colno}"
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidJson(
            f"Request body is not valid JSON: byte {error.start} is not UTF-8"
        ) from None
    except RecursionError:
        raise InvalidJson("Request body is not valid JSON: nested too deeply") from None
    finally:
        if pausing:
            gc.enable()


def _check_depth(data: bytes) -> None:
    """Refuse a text nested deeper than :data:`DEEPEST`; one that is no JSON, the parser refuses."""
    brackets = _STRING.sub(b"", data).translate(_ROUND, _NO_BRACKETS)
    for _ in range(DEEPEST):
        # What is nested deepest goes first, a level each time.
        less = brackets.replace(b"()", b"")
        if not less or len(less) == len(brackets):
            return
        brackets = less
    raise _ambiguous(f"nested deeper than {DEEPEST} levels")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _ambiguous(f'member "{_shown(repeated)}" more than once', param=_shown(repeated))
    return table


def _whole(digits: str) -> int:
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    # int() of many digits takes quadratic time.
    number = int(digits) if len(digits) <= _MOST_DIGITS else _MOST_WHOLE
    if abs(number) >= _MOST_WHOLE or int(float(number)) != number:
        raise _ambiguous("a whole number that not every reader holds exactly")
    return number


def _fraction(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _ambiguous("a number beyond what readers hold")
    if number == 0.0 and _ZERO.fullmatch(digits) is None:
        raise _ambiguous("a number too small for readers to hold")
    # A zero is exact, and its exponent may be more than a Decimal takes.
    if number and len(digits) > _SAFE_DIGITS + 1 and Decimal(digits) != Decimal(repr(number)):
        raise _ambiguous("a number that not every reader holds exactly")
    return number


def _no_constant(name: str) -> NoReturn:
    raise InvalidJson(f"Request body is not valid JSON: {name} is not a JSON value")


def _check_texts(value: Any) -> None:
    """Refuse half a surrogate pair anywhere, and a NUL in a name, where readers in C cut it."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str):
            if _SURROGATE.search(each) is not None:
                raise _ambiguous("half of a surrogate pair")
        elif isinstance(each, dict):
            if any("\0" in name for name in each):
                raise _ambiguous("NUL in the name of a member")
            pending += [*each, *each.values()]
        elif isinstance(each, list):
            pending += each


def _ambiguous(what: str, param: str | None = None) -> BodyNotAllowed:
    return BodyNotAllowed(
        f"Request body can be read in more than one way: {what}",
        reason=f"JSON with {what}",
        param=param,
        rule="reading",
    )


def _shown(name: str) -> str:
    return ascii(name[:_MOST_QUOTED])[1:-1]


# str: numbers stay texts, because converting a huge one takes quadratic time.
_LIGHT = json.JSONDecoder(parse_constant=_no_constant, parse_int=str, parse_float=str)
_STRICT = json.JSONDecoder(
    object_pairs_hook=_table,
    parse_constant=_no_constant,
    parse_int=_whole,
    parse_float=_fraction,
)
