"""The text of an upstream's error, as it stands in an error of this server. Pure."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_LE, getincrementaldecoder
from encodings.aliases import aliases

from .scrub import Guard

_CHARSET = re.compile(rb";\s*charset\s*=\s*\"?([^\s\";]{1,40})", re.IGNORECASE)
# Codecs between bytes and text, of which an error can be read in bounded time. Python's registry
# also has codecs that unpack (zlib) or that are no charset (hex, rot13, idna), it imports a module
# by the name that it is asked for, and it remembers every name: an upstream must not reach it.
_CODECS = (
    *("utf_8", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "ascii"),
    *("latin_1", *(f"iso8859_{part}" for part in (*range(2, 12), *range(13, 17)))),
    *(f"cp{page}" for page in (437, 850, 852, 866, 874, 932, 949, 950, *range(1250, 1259))),
    *("koi8_r", "koi8_u", "mac_roman", "mac_cyrillic", "tis_620"),
    *("big5", "big5hkscs", "gb2312", "gbk", "gb18030", "euc_jp", "euc_kr", "shift_jis"),
    "iso2022_jp",
)
# Python's own decoders of these raise an error where no byte order mark stands first.
_OF_EITHER_ORDER = ("utf_16", "utf_32")
_BY_LABEL = {label: codec for label, codec in aliases.items() if codec in _CODECS}
_BY_LABEL |= {codec: codec for codec in _CODECS}


def codec_of(content_type: bytes) -> str:
    """Python's name of the charset that *content_type* declares; UTF-8 where it is unknown.

    >>> codec_of(b"text/plain; charset=ISO-8859-1"), codec_of(b"text/plain; charset=zlib")
    ('latin_1', 'utf_8')
    """
    declared = _CHARSET.search(content_type)
    label = declared[1].decode("latin-1").lower() if declared else ""
    label = re.sub(r"[^a-z0-9]+", "_", label).removeprefix("x_")
    return _BY_LABEL.get(label, "utf_8")


def error_text(body: bytes, content_type: bytes, guard: Guard, *, complete: bool) -> str:
    """*body* as one line of printable text, without the secrets that *guard* knows.

    The guard looks twice: a charset such as UTF-16 spells a secret in other bytes, and a wrong one
    makes other characters of those that spell it. The second look is at what people will see.

    :param complete: whether *body* is all of it; else its last character may be half there.
    """
    codec = codec_of(content_type)
    if codec in _OF_EITHER_ORDER:
        codec += "_le" if body.startswith(BOM_UTF16_LE) else "_be"  # RFC 2781 section 4.3
    decoder = getincrementaldecoder(codec)("replace")
    text = "".join(map(_shown, decoder.decode(guard.clean_cut(body), complete)))
    cleaned = guard.clean_cut(text.encode("utf-8", "replace"))
    return cleaned.decode("utf-8", "replace").strip()


def _shown(char: str) -> str:
    """A character of one line. NULs are left out: a key with NULs between can be read (UTF-32)."""
    if char.isprintable():
        return char
    return " " if char != "\0" else ""
