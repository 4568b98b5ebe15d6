"""What of a browser's request goes upstream: an allow-list, then the server's own fields. Pure.

The keys that the server adds come last, and no field from the browser can take their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..headers import CONNECTION_FIELDS, HeaderPatterns, is_token
from ..model import HeaderPairs, HeaderValue
from ..secret import Secret

USER_AGENT = b"naap-proxy"

_FRAMING = frozenset(name.encode("ascii") for name in CONNECTION_FIELDS)
# A body that is searched for secrets must not come encoded. A page that a route lets name codings
# may ask for them.
_NO_CODING = (b"Accept-Encoding", b"identity")
_NEVER_PASSED = frozenset((b"content-type", b"x-request-id"))
_MOST_DECISIONS = 512
_LONGEST_KEPT = 64


def injected_headers(values: Mapping[str, str | bytes | Secret]) -> HeaderPairs:
    """The fields of server-side keys, each value a Secret.

    :raises ValueError: a name is no token, belongs to framing, or a value can't stand in a header.
    """
    pairs: list[tuple[bytes, HeaderValue]] = []
    for name, value in values.items():
        if not is_token(name):
            # The name is not quoted: somebody may have written a key in its place.
            raise ValueError("has a name that is not a header name")
        if name.lower().encode() in _FRAMING:
            raise ValueError(f"{name} belongs to the connection and is never set by a route")
        secret = value if isinstance(value, Secret) else Secret(value, f"header {name}")
        pairs.append((name.encode("ascii"), secret))
    return tuple(pairs)


class RequestRewrite:
    """A route's rule for request headers.

    :param patterns: names and prefixes of the browser's headers that go upstream.
    :param fixed: the injected fields, where every request has the same tuple of them.
    """

    def __init__(self, patterns: Sequence[str], fixed: HeaderPairs = ()) -> None:
        self._patterns = HeaderPatterns(patterns)
        self._verdicts: dict[bytes, bytes] = {}
        self._fixed = fixed
        self._fixed_names = self._names(fixed)

    @staticmethod
    def _names(injected: HeaderPairs) -> frozenset[bytes]:
        # CGI-like upstreams read "_" as "-": a browser's X-Key must not stand beside our X_Key.
        return frozenset(name.lower().replace(b"_", b"-") for name, _ in injected)

    def _verdict(self, name: bytes) -> bytes:
        """The lower-case name of a header that may pass, ``b""`` for one that may not."""
        lower = name.lower()
        passes = lower not in _FRAMING and b"_" not in lower and self._patterns.match(lower)
        verdict = lower if passes or lower == b"connection" else b""
        if len(name) <= _LONGEST_KEPT:
            if len(self._verdicts) >= _MOST_DECISIONS:
                # A cache that stayed full of one caller's odd names would slow all others down.
                self._verdicts.clear()
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
        """The fields to send; framing belongs to the connection.

        :param browser: the browser's header table.
        :param content_type: the body's, if there is a body.
        """
        # A callable's fields are one user's, so their names are not kept for the next request.
        ours = self._fixed_names if injected is self._fixed else self._names(injected)
        out: list[tuple[bytes, HeaderValue]] = []
        nominated: set[bytes] = set()
        has_agent = b"user-agent" in ours
        has_codings = b"accept-encoding" in ours
        verdicts = self._verdicts
        passing: list[tuple[bytes, bytes, Sequence[bytes]]] = []
        for name, values in browser:
            lower = verdicts.get(name)
            if lower is None:
                lower = self._verdict(name)
            if lower == b"connection":
                # Hop-by-hop by nomination (RFC 9110 section 7.6.1). A set, because a list of 30,000
                # names would be searched for each of a hundred headers.
                nominated = {part.strip().lower() for value in values for part in value.split(b",")}
            elif lower and lower not in ours and lower not in _NEVER_PASSED:
                passing.append((lower, name, values))
        for lower, name, values in passing:
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
            out.append(_NO_CODING)
        if b"x-request-id" not in ours:
            out.append((b"X-Request-ID", request_id.encode("ascii")))
        out.extend(injected)
        return tuple(out)
