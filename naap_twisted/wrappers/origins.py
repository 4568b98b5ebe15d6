"""The origins that ``cors_origins`` allows, and the sites that they are of. Pure.

A pattern stands for one label of a host, the left-most: whoever may give out names below a domain
answers for all of them. Below a public suffix that is everybody, so there no pattern may be a whole
label; a part of one may, where a hosting company's names have a part that is its customer's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property

from attrs import frozen

from ..policy.public_suffix import (
    is_public_suffix,
    is_registry_suffix,
    public_suffix_below,
    site_of,
)

# An origin as browsers write it, without path, user or wildcard. Browser extensions and app shells
# have schemes of their own.
_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://((?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?|\[[0-9a-f:.]+\]))"
    r"(?::([0-9]{1,5}))?"
)
_PATTERN = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9_-]*\*[a-z0-9_-]*)\.([a-z0-9_.-]+)(:[0-9]{1,5})?"
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


@frozen
class OriginPattern:
    """Origins that differ in one label: ``https://*.example.com``, ``https://*-team.vercel.app``.

    :ivar text: as a config writes it.
    :ivar label: the left-most label, with its one ``*``.
    :ivar parent: what follows the label in the host.
    :ivar port: with its colon; ``""`` for the scheme's own.
    """

    text: str
    scheme: str
    label: str
    parent: str
    port: str

    @property
    def expression(self) -> str:
        """A regular expression of the origins; ``*`` is a part of one label, and never empty."""
        return self._on(self.port)

    def _on(self, port: str) -> str:
        before, after = map(re.escape, self.label.split("*"))
        rest = re.escape(f".{self.parent}{port}")
        return rf"{re.escape(self.scheme)}://{before}[a-z0-9_-]{{1,63}}{after}{rest}"

    def is_of_site(self, scheme: str, site: str) -> bool:
        """Whether the origins are of *site*; below a public suffix each is a site of its own."""
        if scheme != self.scheme:
            return False
        if not is_public_suffix(self.parent):
            return site == site_of(self.parent)
        return re.fullmatch(self._on(""), f"{scheme}://{site}") is not None


def parse_pattern(text: str) -> OriginPattern:
    """The pattern that *text*, with a ``*`` in it, is.

    :raises ValueError: it is no origin but for the ``*``; the ``*`` stands elsewhere than once in
        the left-most label of a name; or the pattern would admit pages of strangers.
    """
    match = _PATTERN.fullmatch(text) if len(text) <= _LONGEST else None
    example = text.replace("*", "x")
    if match is None or parse_origin(example) is None:
        raise ValueError(
            'is no origin with one "*", in the left-most label of a name: write it as in'
            ' "https://*.example.com"'
        )
    scheme, label, parent, port = match.groups()
    if parse_origin(example) != example or "" in parent.split("."):
        raise ValueError("is not spelled as browsers do: in lower case, without the usual port")
    _refuse_strangers(label, parent)
    return OriginPattern(text, scheme, label, parent, port or "")


def _refuse_strangers(label: str, parent: str) -> None:
    if parent == "localhost":
        return  # RFC 6761 section 6.3 keeps all names below it on this machine
    if parent.rpartition(".")[2].isdigit():
        raise ValueError("is an address and no name; write each origin out")
    whole = label == "*"
    suffix: str | None = parent
    if not (is_public_suffix if whole else is_registry_suffix)(parent):
        suffix = public_suffix_below(parent) if whole else None
    if suffix is not None:
        raise ValueError(f"admits strangers' pages: anybody may have a name below {suffix}")


class Origins:
    """``cors_origins`` as its option was read: ``"*"``, or browsers' spellings and patterns.

    :ivar any: every origin but ``null`` is allowed.
    :ivar listed: the allowed origins where *any* is false.
    """

    def __init__(self, origins: Sequence[str] | str) -> None:
        self.any = origins == "*"
        self.listed = () if self.any else tuple(origins)
        self._patterns = [parse_pattern(text) for text in self.listed if "*" in text]
        self._exact = frozenset(text.encode("ascii") for text in self.listed if "*" not in text)
        # Without a pattern this matches the empty text, which is no origin.
        expressions = "|".join(pattern.expression for pattern in self._patterns)
        self._matches = re.compile(expressions.encode("ascii")).fullmatch

    def allows(self, origin: bytes) -> bool:
        """Whether a page of *origin*, the Origin header's value, may call this server."""
        if self.any:
            return origin != b"null"
        return origin in self._exact or bool(origin and self._matches(origin))

    def has_of_site(self, scheme: str, site: str) -> bool:
        """Whether a listed origin is of *site* under *scheme* (HTML standard, "same site")."""
        return (scheme, site) in self._sites or any(
            pattern.is_of_site(scheme, site) for pattern in self._patterns
        )

    @cached_property
    def _sites(self) -> frozenset[tuple[str, str]]:
        # A site is a scheme and a registrable domain without port.
        parts = [origin.decode("ascii").partition("://") for origin in self._exact]
        return frozenset(
            (scheme, site_of(rest if rest.endswith("]") else rest.rsplit(":", 1)[0]))
            for scheme, _, rest in parts
        )

    def line_allowing(self, origin: bytes) -> str | None:
        """The config line that would allow *origin*, or ``None`` where none can.

        The line is safe to log, because it quotes nothing but a valid origin.
        """
        parsed = parse_origin(origin.decode("latin-1"))
        if parsed is None or self.any:
            return None
        return f"cors_origins = {json.dumps([*self.listed, parsed])}"
