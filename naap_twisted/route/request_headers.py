"""What of a browser's request goes upstream: an allow-list, then the server's own fields. Pure.

The keys that the server adds come last, and no field from the browser can take their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..headers import HOP_BY_HOP, HeaderPatterns, is_token
from ..model import HeaderPairs, HeaderValue
from ..secret import Secret

USER_AGENT = b"naap-proxy"

_FRAMING = HOP_BY_HOP | {b"host", b"content-length", b"expect"}
# What is looked at for secrets must not come encoded; a page may ask otherwise where it may at all.
_PLAIN = (b"Accept-Encoding", b"identity")
_OURS_ALWAYS = frozenset((b"content-type", b"x-request-id"))
_MOST_DECISIONS = 512
_LONGEST_KEPT = 64


def injected_headers(values: Mapping[str, str | bytes | Secret]) -> HeaderPairs:
    """Server-side keys as they are sent.

    :raises ValueError: a name is no token, belongs to framing, or a value can't stand in a header.
    """
    pairs: list[tuple[bytes, HeaderValue]] = []
    for name, value in values.items():
        if not is_token(name):
            raise ValueError("has a name that is not a header name")  # but perhaps a key: not shown
        if name.lower().encode() in _FRAMING:
            raise ValueError(f"{name} belongs to the connection and is never set by a route")
        secret = value if isinstance(value, Secret) else Secret(value, f"header {name}")
        pairs.append((name.encode("ascii"), secret))
    return tuple(pairs)


class RequestRewrite:
    """A route's rule for request headers.

    :param passed: names and prefixes of browser headers that go upstream.
    :param fixed: the headers that are always injected, where they are always the same tuple.
    """

    def __init__(self, passed: Sequence[str], fixed: HeaderPairs = ()) -> None:
        self._passed = HeaderPatterns(passed)
        self._verdicts: dict[bytes, bytes] = {}
        self._fixed = fixed
        self._fixed_names = self._names(fixed)

    @staticmethod
    def _names(injected: HeaderPairs) -> frozenset[bytes]:
        # CGI-like upstreams take "_" for "-": no browser's X-Key may stand beside our X_Key.
        return frozenset(name.lower().replace(b"_", b"-") for name, _ in injected)

    def _verdict(self, name: bytes) -> bytes:
        """The lower-case name of a header that may pass, ``b""`` for one that may not."""
        lower = name.lower()
        passes = lower not in _FRAMING and b"_" not in lower and self._passed.match(lower)
        verdict = lower if passes or lower == b"connection" else b""
        if len(name) <= _LONGEST_KEPT:
            if len(self._verdicts) >= _MOST_DECISIONS:
                self._verdicts.clear()  # one caller's odd names must not slow others down for good
            self._verdicts[name] = verdict
        return verdict

    def outbound(
        self,
        browser: Iterable[tuple[bytes, Sequence[bytes]]],
        injected: HeaderPairs,
        *,
        content_type: bytes | None,
        request_id: str,
    ) -> HeaderPairs:
        """The headers to send, framing excluded.

        :param browser: the browser's headers, by name.
        :param content_type: of the body, if there is one.
        """
        # What a callable made is one user's: nothing of it is remembered.
        ours = self._fixed_names if injected is self._fixed else self._names(injected)
        out: list[tuple[bytes, HeaderValue]] = []
        nominated: set[bytes] = set()
        has_agent = b"user-agent" in ours
        has_codings = b"accept-encoding" in ours
        verdicts = self._verdicts
        kept: list[tuple[bytes, bytes, Sequence[bytes]]] = []
        for name, values in browser:
            lower = verdicts.get(name)
            if lower is None:
                lower = self._verdict(name)
            if lower == b"connection":
                # A set: thirty thousand commas times a hundred headers are time.
                nominated = {part.strip().lower() for value in values for part in value.split(b",")}
            elif lower and lower not in ours and lower not in _OURS_ALWAYS:
                kept.append((lower, name, values))
        for lower, name, values in kept:
            if lower in nominated:
                continue
            has_agent = has_agent or lower == b"user-agent"
            has_codings = has_codings or lower == b"accept-encoding"
            out.extend((name, value) for value in values)
        if content_type is not None and b"content-type" not in ours:
            out.append((b"Content-Type", content_type))
        if not has_agent:
            out.append((b"User-Agent", USER_AGENT))
        if not has_codings:
            out.append(_PLAIN)
        if b"x-request-id" not in ours:
            out.append((b"X-Request-ID", request_id.encode("ascii")))
        out.extend(injected)
        return tuple(out)
