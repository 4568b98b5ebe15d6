"""Cookies (RFC 6265): read by name and never repaired, and set. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

#: cookie-octet: visible ASCII without DQUOTE, comma, semicolon and backslash.
OCTETS = re.compile(rb"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")


def values_of(lines: Iterable[bytes], name: bytes) -> list[bytes]:
    """Every value of the cookie *name*, in order; whoever asks decides what a duplicate means.

    >>> values_of([b"a=1; b=2", b"a=3"], b"a")
    [b'1', b'3']

    :param lines: the request's Cookie header lines.
    """
    return [
        value.strip(b" \t")
        for line in lines
        for key, equals, value in (pair.partition(b"=") for pair in line.split(b";"))
        if equals and key.strip(b" \t") == name
    ]


def set_cookie(
    name: str, value: str, *, seconds: int, same_site: str, secure: bool, readable: bool = False
) -> bytes:
    """A Set-Cookie line for the whole host that answers, and for no other (RFC 6265 section 4.1).

    >>> set_cookie("a", "1", seconds=60, same_site="Lax", secure=True)
    b'a=1; Max-Age=60; Path=/; SameSite=Lax; HttpOnly; Secure'

    :param seconds: until browsers forget it.
    :param readable: for the page's scripts, too.
    """
    parts = [f"{name}={value}", f"Max-Age={seconds}", "Path=/", f"SameSite={same_site}"]
    parts += [] if readable else ["HttpOnly"]
    parts += ["Secure"] if secure else []
    return "; ".join(parts).encode("ascii")


def percent_decoded(value: bytes) -> bytes:
    """*value* without the percent-encoding that Node's cookie writers add; it is undone once."""
    return unquote_to_bytes(value) if b"%" in value else value
