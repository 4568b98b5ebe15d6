"""What reading a head costs: ours, which is gate and parser in one, and a C parser without a gate.

In this process, with nothing else in the way. The C parser (httptools) calls back for each field
and checks less than we refuse, so it is the least that any reading could cost.
"""

from __future__ import annotations

from collections.abc import Callable
from timeit import repeat
from typing import Any

from naap_twisted.framing.fields import HeadLimits, KnownLines
from naap_twisted.framing.head import parse_request, parse_response

from ..missing import Missing

_LIMITS = HeadLimits()
_TIMES, _ROUNDS = 5_000, 15
_BODY = b"x" * 79
_LINES = (
    "Host: 127.0.0.1:8080",
    "Content-Type: application/json",
    "X-Target-URL: http://127.0.0.1:9000/v1/chat/completions",
    "Origin: http://localhost:3000",
    "Content-Length: 79",
)
_CHROMIUM = (
    *_LINES,
    "Connection: keep-alive",
    'sec-ch-ua: "Chromium";v="156", "Not)A;Brand";v="24"',
    "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"',
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    "Accept: */*",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Dest: empty",
    "Referer: http://localhost:3000/",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-US,en;q=0.9",
)
_NGINX = (
    "Server: nginx",
    "Date: Mon, 23 Nov 2026 04:39:00 GMT",
    "Content-Type: application/json",
    "Content-Length: 79",
    "Connection: keep-alive",
)


def _head(first: str, lines: tuple[str, ...]) -> bytes:
    return "\r\n".join([first, *lines, ""]).encode("ascii")


_POST = "POST /api/v1/assistant/openai-proxy HTTP/1.1"
_HEADS = {
    "request, 5 fields": _head(_POST, _LINES),
    "request of Chromium, 17 fields": _head(_POST, _CHROMIUM),
    "response of nginx, 5 fields": _head("HTTP/1.1 200 OK", _NGINX),
}


class _Fields:
    """As little as callbacks can do: keep what comes."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))


def measure() -> dict[str, dict[str, float]]:
    """Microseconds by head: ``first``, ``again`` (on a connection that sent it before), ``c``.

    :raises Missing: httptools is not installed.
    """
    try:
        import httptools
    except ImportError:
        raise Missing("httptools is missing: pip install -e '.[bench]'") from None
    found = {}
    for name, head in _HEADS.items():
        request = head.startswith(b"POST")
        kind = httptools.HttpRequestParser if request else httptools.HttpResponseParser
        found[name] = {
            "first": _fastest(_ours(head, None)),
            "again": _fastest(_ours(head, KnownLines())),
            "c": _fastest(_theirs(kind, head + b"\r\n" + _BODY)),
        }
    return found


def _ours(head: bytes, known: KnownLines | None) -> Callable[[], object]:
    if head.startswith(b"POST"):
        return lambda: parse_request(head, _LIMITS, known)
    return lambda: parse_response(head, b"POST", _LIMITS, known)


def _theirs(kind: Any, message: bytes) -> Callable[[], object]:
    fields = _Fields()
    parser = kind(fields)

    def read() -> object:
        fields.fields = []
        parser.feed_data(message)
        return parser.should_keep_alive()

    return read


def _fastest(read: Callable[[], object]) -> float:
    return min(repeat(read, number=_TIMES, repeat=_ROUNDS)) / _TIMES * 1e6
