"""Answers in which an upstream repeats the key it was sent: every spelling, in every place."""

from __future__ import annotations

import gzip
import zlib

from attrs import frozen

from tests.spelling_vectors import KEY, SPELLINGS

TEXT = b'{"error": "bad key: <%s>, ask support"}'
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


def answer(status, body, *lines, reason=b"Evil"):
    """A raw answer with a length."""
    head = [b"HTTP/1.1 %d %s" % (status, reason), b"Content-Type: application/json"]
    head += [b"Content-Length: %d" % len(body), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunks(status, pieces, *lines, trailer=b""):
    """A raw answer in chunks."""
    head = [b"HTTP/1.1 %d Evil" % status, b"Content-Type: application/json", *lines]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"\r\n".join(head) + b"\r\n" + _CHUNKED + b"\r\n" + body + b"0\r\n" + trailer + b"\r\n"


def bare_deflate(text):
    """What some servers send as deflate: without the zlib header."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


def one_by_one(text):
    """Every byte by itself."""
    return [text[at : at + 1] for at in range(len(text))]


_GZIP, _DEFLATE = b"Content-Encoding: gzip", b"Content-Encoding: deflate"
_ERROR = {"errors": "passthrough"}
_WRAPPED = {"errors": "envelope"}
_GOOD = {"redact_bodies": True}


@frozen
class Place:
    """Where in an answer a spelling stands.

    :ivar raw: what makes the answer.
    :ivar route: the route's options.
    :ivar shown: ``[redacted]`` stands in its place; else nothing of it is there.
    :ivar fits: whether the spelling can stand there.
    """

    name: str
    raw: object
    route: dict
    shown: bool = True
    fits: object = lambda spelled: True


def _visible(spelled):
    return spelled.isascii() and b"\0" not in spelled


def _token(spelled):
    return _visible(spelled) and len(spelled) < 200 and not set(spelled) & set(b'/=\\&;"')


PLACES = [
    Place("error", lambda text: answer(401, TEXT % text), _ERROR),
    Place("error in an envelope", lambda text: answer(401, TEXT % text), _WRAPPED),
    Place("error in gzip", lambda text: answer(401, gzip.compress(TEXT % text), _GZIP), _ERROR),
    Place(
        "error in gzip in an envelope",
        lambda text: answer(401, gzip.compress(TEXT % text), _GZIP),
        _WRAPPED,
    ),
    Place(
        "error in deflate",
        lambda text: answer(403, zlib.compress(TEXT % text), _DEFLATE),
        _ERROR,
    ),
    Place(
        "error in bare deflate",
        lambda text: answer(500, bare_deflate(TEXT % text), _DEFLATE),
        _ERROR,
    ),
    Place("error byte by byte", lambda text: chunks(502, one_by_one(TEXT % text)), _ERROR),
    Place(
        "error in gzip byte by byte",
        lambda text: chunks(429, one_by_one(gzip.compress(TEXT % text)), _GZIP),
        _ERROR,
    ),
    Place("redirect", lambda text: answer(302, TEXT % text), _ERROR),
    Place("redirect in an envelope", lambda text: answer(300, TEXT % text), _WRAPPED),
    Place("redirect in gzip", lambda text: answer(307, gzip.compress(TEXT % text), _GZIP), _ERROR),
    Place(
        "good answer of two types",
        lambda text: answer(200, TEXT % text).replace(b"\n", b"\nContent-Type: image/png\r\n", 1),
        _GOOD,
    ),
    Place("good answer", lambda text: answer(200, TEXT % text), _GOOD),
    Place("good answer byte by byte", lambda text: chunks(200, one_by_one(TEXT % text)), _GOOD),
    Place(
        "good answer in gzip",
        lambda text: chunks(200, one_by_one(gzip.compress(TEXT % text)), _GZIP),
        _GOOD,
    ),
    Place(
        "header value",
        lambda text: answer(200, b"{}", b"X-Echo: said " + text),
        {"response_headers": ["X-Echo"]},
        fits=_visible,
    ),
    Place(
        "header name",
        lambda text: answer(200, b"{}", b"X-Echo-" + text + b": 1"),
        {"response_headers": ["X-Echo-*"]},
        shown=False,
        fits=_token,
    ),
    Place(
        "trailer",
        lambda text: chunks(200, [b"{}"], trailer=b"X-Echo: " + text + b"\r\n"),
        {"response_headers": ["X-Echo"]},
        shown=False,
        fits=_visible,
    ),
    Place(
        "reason phrase",
        lambda text: answer(401, b"{}", reason=text),
        _ERROR,
        shown=False,
        fits=_visible,
    ),
]


@frozen
class Echo:
    """One row: a spelling in a place."""

    name: str
    place: Place
    spelled: bytes


ECHOES = [
    Echo(f"{place.name}: {name}", place, spell(KEY))
    for place in PLACES
    for name, spell in SPELLINGS
    if place.fits(spell(KEY))
]

_LONG = b"".join(b"%d," % number for number in range(200_000))
#: Error bodies in codings that can't be undone here, within the bounds that there are.
UNREADABLE = [
    ("brotli", b"br", b"\x1b" + KEY),
    ("zstd", b"zstd", b"\x28\xb5\x2f\xfd" + KEY),
    ("an unknown coding", b"evil", KEY),
    ("two codings", b"gzip, gzip", gzip.compress(gzip.compress(KEY))),
    ("two codings, two lines", b"gzip\r\nContent-Encoding: deflate", gzip.compress(KEY)),
    ("not gzip at all", b"gzip", KEY),
    ("gzip that breaks off", b"gzip", gzip.compress(KEY)[:-9]),
    ("gzip with a wrong checksum", b"gzip", gzip.compress(KEY)[:-8] + b"evilevil"),
    ("gzip with bytes behind", b"gzip", gzip.compress(KEY) + KEY),
    ("a chain of 100 gzips", b"gzip", gzip.compress(b"") * 100 + gzip.compress(KEY)),
    ("deflate with bytes behind", b"deflate", zlib.compress(KEY) + KEY),
    ("a bomb of 10 MB", b"gzip", gzip.compress(bytes(10_000_000) + KEY)),
    ("over a megabyte of text", b"gzip", gzip.compress(_LONG + KEY)),
    ("over a megabyte in its coding", b"gzip", gzip.compress(KEY * 30_000, 0)),
]
