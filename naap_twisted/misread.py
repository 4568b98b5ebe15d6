"""What shows that a value is not the secret that was meant. Pure; no reason holds any of the value.

The same rules for TOML and Python: a name that no shell has replaced, the quotes or the ``\\n`` of
an .env file that its reader did not take away, a character that a text program has put in the place
of another. Without them such a server starts, and every request fails at the upstream.
"""

from __future__ import annotations

import re

# Such as "Bearer ", before what is judged.
_SCHEME = rb"(?:[A-Za-z][A-Za-z0-9-]* +)?"
_VARIABLE = re.compile(_SCHEME + rb"\$(?:env:)?[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(rb"\$\{[^}]*\}")
_QUOTED = re.compile(_SCHEME + rb"""(?:"[^"]*"|'[^']*')""")
_LINE_ENDS = (b"\\n", b"\\r")


def misread(value: bytes) -> str | None:
    """Why *value* is no secret, or ``None``."""
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


def misread_header(value: bytes) -> str | None:
    """The same for what stands in a header (RFC 9110 section 5.5: US-ASCII)."""
    if not value.isascii():
        return (
            "holds a character outside ASCII, which no key does: perhaps a dash, a quote or a space"
            " that was copied from a text"
        )
    return misread(value)
