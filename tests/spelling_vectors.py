"""How an upstream may spell what it was sent, and a reader of all of that which is not ours."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from html.entities import html5
from urllib.parse import unquote_to_bytes

#: A key with every kind of character that some encoding escapes or packs otherwise.
KEY = b"sk-Echo/9c1e+of_the~Upstream=Under.Attack"
VALUE = b"Bearer " + KEY
DUMP = b"host: a\r\nauthorization: " + VALUE + b"\r\naccept: */*\r\n"

_NAMED = {
    char: name for name, char in sorted(html5.items()) if len(char) == 1 and name.endswith(";")
}


def each(shape, every=1):
    """A speller that writes each *every*-th byte as *shape* says, the others as they are."""

    def spell(text):
        return b"".join(
            shape(byte) if not place % every else bytes((byte,)) for place, byte in enumerate(text)
        )

    return spell


def percent(byte):
    return b"%%%02x" % byte


def percent_capital(byte):
    return b"%%%02X" % byte


def unicode_escape(byte):
    return b"\\u%04x" % byte


def unicode_escape_capital(byte):
    return b"\\u%04X" % byte


def entity(byte):
    return b"&#%d;" % byte


def entity_hex(byte):
    return b"&#x%04X;" % byte


def named_entity(byte):
    name = _NAMED.get(chr(byte))
    return bytes((byte,)) if name is None else f"&{name}".encode()


def backslash(byte):
    return bytes((byte,)) if chr(byte).isalnum() else b"\\" + bytes((byte,))


def in_json(text):
    return json.dumps(text.decode("latin-1"))[1:-1].encode()


def in_base64(before, after=b"", packed=base64.b64encode):
    return lambda text: packed(before + text + after)


def _unpadded(text):
    return base64.urlsafe_b64encode(text).rstrip(b"=")


#: Name, and what it makes of the key (or of the header value, or of a dump of all headers).
SPELLINGS = [
    ("plain", lambda text: text),
    ("capitals", bytes.upper),
    ("small letters", bytes.lower),
    ("percent", each(percent)),
    ("percent in capitals", each(percent_capital)),
    ("percent, every other", each(percent, 2)),
    ("percent, every seventh", each(percent_capital, 7)),
    ("percent of percent", lambda text: each(percent, 3)(each(percent, 2)(text))),
    ("JSON", each(unicode_escape)),
    ("JSON in capitals", each(unicode_escape_capital)),
    ("JSON, every third", each(unicode_escape, 3)),
    ("JSON with a slash escaped", lambda text: text.replace(b"/", b"\\/")),
    ("JSON in JSON", lambda text: in_json(each(unicode_escape, 3)(text))),
    ("JSON in JSON in JSON", lambda text: in_json(in_json(each(unicode_escape, 3)(text)))),
    ("JavaScript", each(lambda byte: b"\\x%02x" % byte)),
    ("backslashes", each(backslash)),
    ("HTML", each(entity)),
    ("HTML in hexadecimal", each(entity_hex, 2)),
    ("HTML by names", each(named_entity)),
    ("HTML in HTML", lambda text: html.escape(each(entity)(text).decode()).encode()),
    ("HTML in JSON", lambda text: each(entity, 5)(text).replace(b"&", b"\\u0026")),
    ("JSON in an address", lambda text: each(percent)(each(unicode_escape, 4)(text))),
    ("all at once", lambda text: each(percent, 5)(each(entity, 3)(each(unicode_escape, 2)(text)))),
    ("base64", in_base64(b"")),
    ("base64, one byte on", in_base64(b"x", b"yz")),
    ("base64, two bytes on", in_base64(b"xx", b"y")),
    ("base64 of the header value", in_base64(b"Bearer ")),
    ("base64 of a dump", in_base64(b"host: a\r\nauthorization: Bearer ", b"\r\naccept: */*")),
    ("base64url", in_base64(b"", b"", base64.urlsafe_b64encode)),
    ("base64url, one byte on, no padding", in_base64(b"x", b"", _unpadded)),
    ("base64url, two bytes on, no padding", in_base64(b"xx", b"", _unpadded)),
    ("base64 in JSON", lambda text: base64.b64encode(text).replace(b"/", b"\\/")),
    ("base64 in an address", lambda text: each(percent, 4)(base64.b64encode(text))),
    ("hexadecimal", lambda text: text.hex().encode()),
    ("hexadecimal in capitals", lambda text: text.hex().upper().encode()),
    ("UTF-16", lambda text: text.decode("latin-1").encode("utf-16-le")),
    ("UTF-16, the other end first", lambda text: text.decode("latin-1").encode("utf-16-be")),
]

_ESCAPED = re.compile(rb"\\(?:u00([0-9A-Fa-f]{2})|x([0-9A-Fa-f]{2})|([^0-9A-Za-z]))")
_PACKED = re.compile(rb"[A-Za-z0-9+/]{8,}")
_HEXES = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")


def reveals(data, secret=KEY):
    """Whether anybody who tries all of the above reads *secret* in *data*."""
    wanted, texts = secret.lower(), {data}
    for _ in range(3):
        texts |= {read for text in texts for read in _once_read(text)}
    return any(wanted in said.lower() for text in texts for said in (text, *_unpacked(text)))


def _once_read(text):
    yield unquote_to_bytes(text)
    yield _ESCAPED.sub(
        lambda match: (
            bytes.fromhex((match[1] or match[2]).decode()) if match[3] is None else match[3]
        ),
        text,
    )
    yield html.unescape(text.decode("latin-1")).encode("latin-1", "replace")


def _unpacked(text):
    yield text.replace(b"\0", b"")
    for run in _PACKED.findall(text.translate(bytes.maketrans(b"-_", b"+/"))):
        for start in range(4):
            part = run[start:]
            part = part[:-1] if len(part) % 4 == 1 else part
            yield binascii.a2b_base64(part + b"=" * (-len(part) % 4))
    for run in _HEXES.findall(text):
        yield bytes.fromhex(run.decode())
