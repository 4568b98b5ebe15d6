"""Signs that a value is not the secret that the operator meant. Pure.

Typical signs are a variable's name that no shell has replaced, the quotes or the ``\\n`` that the
reader of an .env file did not take away, and a dash that a word processor has put in. A server that
took such a value would start, and every request would fail at the upstream.
"""

from __future__ import annotations

import re

# An authentication scheme such as "Bearer " may stand before the value that is judged.
_SCHEME = rb"(?:[A-Za-z][A-Za-z0-9-]* +)?"
_VARIABLE = re.compile(_SCHEME + rb"\$(?:env:)?[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(rb"\$\{[^}]*\}")
_QUOTED = re.compile(_SCHEME + rb"""(?:"[^"]*"|'[^']*')""")
_LINE_ENDS = (b"\\n", b"\\r")


def misread(value: bytes, *, in_header: bool = False) -> str | None:
    """The reason why *value* is no secret, without any of its bytes, or ``None``.

    :param in_header: the value is to stand in a header, which is US-ASCII (RFC 9110 section 5.5).

    >>> misread(b"'sk-1'")
    'still has its quotes; take them away'
    """
    if in_header and not value.isascii():
        return (
            "holds a character outside ASCII, which no key does: perhaps a dash, a quote or a space"
            " that was copied from a text"
        )
    if _VARIABLE.fullmatch(value) or _REFERENCE.search(value):
        return (
            "is a variable's name where its value is meant; write ${env:NAME} in a config file,"
            ' Secret.from_env("NAME") in Python'
        )
    if _QUOTED.fullmatch(value):
        return "still has its quotes; take them away"
    if value.endswith(_LINE_ENDS):
        return "ends in a line end that was written out; take it away"
    return None
