"""The entry of ``endpoints`` that a request's owner most likely wants for it. Pure.

It stands in a log and in a config file, so it never holds a value of one call: what may be an id, a
name of a file or a secret becomes ``*``, while ordinary words and names of models stay.
"""

from __future__ import annotations

import re

MAX_LENGTH = 200
"""Characters of the longest entry that is proposed."""

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")
_SEPARATORS = re.compile(r"[-_.:]")
_DATE = re.compile(r"20[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])")
_HEX = re.compile(r"[0-9A-Fa-f]{8,}")
# One piece of a name: "completions", "generateContent", "v1beta1", "llama3", "4o", "8x7b", "USD".
_PIECE = re.compile(
    r"[a-z]{1,20}[0-9]{0,2}"
    r"|[a-zA-Z][a-z]{1,19}(?:[A-Z][a-z]{2,19}){0,5}[0-9]{0,2}"
    r"|[A-Z]{1,5}[0-9]{0,2}"
    r"|[vV][0-9]{1,3}(?:p[0-9])?(?:(?:alpha|beta|rc)[0-9]{0,2})?"
    r"|[0-9]{1,4}(?:x[0-9]{1,3})?[a-zA-Z]{0,2}"
)
# What vendors put before an id or a key, although the rest may look like words.
_ID = re.compile(r"(?:sk|pk|rk|whsec|ghp|gho|xox[a-z])[-_].*")


def likely_endpoint(method: str, path: str) -> str:
    """An entry for a request, of at most :data:`MAX_LENGTH` characters.

    :param method: one that a route takes; GET stands for HEAD, which comes with it.
    :param path: as it came, without the query.

    >>> likely_endpoint("GET", "/v1/files/file-abc123/content")
    'GET /v1/files/*/content'
    """
    start = f"{'GET' if method == 'HEAD' else method[:32]} "
    written = path.removeprefix("/").split("/")
    # A slash at the end is a part of the path's spelling.
    segments = [*map(likely_segment, written[:-1]), written[-1] and likely_segment(written[-1])]
    whole = f"{start}/{'/'.join(segments)}"
    if len(whole) <= MAX_LENGTH:
        return whole
    while len(whole) > MAX_LENGTH - len("/**"):
        segments.pop()
        whole = f"{start}/{'/'.join(segments)}"
    return f"{whole.removesuffix('/')}/**"


def likely_segment(segment: str) -> str:
    """*segment* if it is a word or a name of a model, and else a pattern for it.

    >>> [likely_segment(text) for text in ("gpt-4o-mini", "cus_9s6XKzkNRiz8i3", "42")]
    ['gpt-4o-mini', '*', '*']
    """
    if is_name(segment):
        return segment
    # A method of Google's behind the name of what it is for.
    head, colon, verb = segment.rpartition(":")
    return f"*:{verb}" if head and colon and verb.isalpha() and is_name(verb) else "*"


def is_name(text: str) -> bool:
    """Whether *text* is a word or a name of a model, and no id, value or secret."""
    if not _PLAIN.fullmatch(text) or _ID.fullmatch(text):
        return False
    pieces = [piece for piece in _SEPARATORS.split(text) if piece]
    return any(any(map(str.isalpha, piece)) for piece in pieces) and all(map(_is_piece, pieces))


def _is_piece(piece: str) -> bool:
    if _DATE.fullmatch(piece):
        return True
    return not _HEX.fullmatch(piece) and _PIECE.fullmatch(piece) is not None
