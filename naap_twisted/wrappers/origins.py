"""The origins that ``cors_origins`` allows. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

# An origin as browsers write it, without path, user or wildcard. Browser extensions and app shells
# have schemes of their own.
_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://((?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?|\[[0-9a-f:.]+\]))"
    r"(?::([0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_LONGEST = 300


def parse_origin(text: str) -> str | None:
    """*text* as a browser serializes that origin (RFC 6454 section 6.2), or ``None``.

    >>> parse_origin("HTTPS://App.example.org:443")
    'https://app.example.org'
    """
    match = _ORIGIN.fullmatch(text.lower()) if len(text) <= _LONGEST else None
    if match is None:
        return None
    scheme, host, port = match.groups()
    if port is not None and not 0 < int(port) < 65536:
        return None
    suffix = "" if port in (None, _DEFAULT_PORTS.get(scheme)) else f":{int(port)}"
    return f"{scheme}://{host}{suffix}"


class Origins:
    """``cors_origins`` as its option was read: ``"*"``, or origins as browsers serialize them.

    :ivar any: every origin but ``null`` is allowed.
    :ivar listed: the allowed origins where *any* is false.
    """

    def __init__(self, origins: Sequence[str] | str) -> None:
        self.any = origins == "*"
        self.listed = () if self.any else tuple(origins)
        self._listed = frozenset(origin.encode("ascii") for origin in self.listed)

    def allows(self, origin: bytes) -> bool:
        """Whether a page of *origin*, the Origin header's value, may call this server."""
        return origin != b"null" if self.any else origin in self._listed

    def line_allowing(self, origin: bytes) -> str | None:
        """The config line that would allow *origin*, or ``None`` where none can.

        The line is safe to log, because it quotes nothing but a valid origin.
        """
        parsed = parse_origin(origin.decode("latin-1"))
        if parsed is None or self.any:
            return None
        return f"cors_origins = {json.dumps([*self.listed, parsed])}"
