"""The model's tokens that an OpenAI-shaped answer reports, read while its bytes pass. Pure.

The meter keeps a JSON answer until its end, up to 1 MB; of an event stream it keeps the last 64 kB,
where the ``usage`` chunk is. It parses nothing before the end and neither changes nor delays bytes.
"""

from __future__ import annotations

import json
from typing import Any

from ..headers import media_type

#: Tokens of the prompt, of the completion, and in total.
ModelTokens = tuple[int, int, int]

_MOST_JSON = 1024 * 1024
_MOST_TAIL = 64 * 1024
_MOST_TOKENS = 1 << 48
_STREAM = b"text/event-stream"


class ModelTokenMeter:
    """Reads along one answer.

    :param content_type: the answer's; the meter reads JSON and event streams only.
    :param encoded: the answer has a Content-Encoding, so the meter cannot read it.
    """

    def __init__(self, content_type: bytes, *, encoded: bool = False) -> None:
        kind = media_type(content_type)
        self._stream = kind == _STREAM
        self._most = _MOST_TAIL if self._stream else _MOST_JSON
        self._pieces: list[bytes] | None = None
        self._size = 0
        if not encoded and (self._stream or kind == b"application/json"):
            self._pieces = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        pieces = self._pieces
        if pieces is None:
            return
        pieces.append(data)
        self._size += len(data)
        if self._size > self._most:
            self._shorten()

    def _shorten(self) -> None:
        if not self._stream:
            self._pieces = None
        elif self._size > 2 * self._most:
            # The tail is cut at twice its length only, so that a byte is copied twice at most.
            tail = b"".join(self._pieces or ())[-self._most :]
            self._pieces, self._size = [tail], len(tail)

    def end(self) -> ModelTokens | None:
        """What the whole answer reported, or ``None`` where it reported nothing."""
        pieces, self._pieces = self._pieces, None
        if not pieces:
            return None
        body = b"".join(pieces)
        if not self._stream:
            return _tokens(body)
        for line in reversed(body.splitlines()):
            if line.startswith(b"data:") and b'"usage"' in line:
                reported = _tokens(line[5:])
                if reported is not None:
                    return reported
        return None


def _tokens(text: bytes) -> ModelTokens | None:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    usage = document.get("usage") if isinstance(document, dict) else None
    if usage is None and isinstance(document, dict) and isinstance(document.get("response"), dict):
        usage = document["response"].get("usage")  # the last event of the Responses API
    if not isinstance(usage, dict):
        return None
    prompt = _number(usage, "prompt_tokens", "input_tokens")
    completion = _number(usage, "completion_tokens", "output_tokens")
    return prompt, completion, _number(usage, "total_tokens") or prompt + completion


def _number(usage: dict[str, Any], *names: str) -> int:
    for name in names:
        value = usage.get(name)
        if type(value) is int and 0 <= value < _MOST_TOKENS:
            return value
    return 0
