"""Forms as ``multipart/form-data`` (RFC 7578), read strictly. Pure.

Readers differ in what they take for a delimiter, for a header and for a name. So a delimiter is
what RFC 2046 section 5.1.1 writes, and nothing that looks like one may stand elsewhere; a part has
one Content-Disposition with one name, and no other header that changes what is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from ..errors import UnsupportedMediaType
from .document import Upload
from .fields import MOST_FIELDS, Field, FormDocument, ambiguous, invalid, path_of, too_many
from .parameters import parameters, split_parameters

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_LONGEST_HEAD = 4096
_PLAIN_CODINGS = ("7bit", "8bit", "binary")


@frozen
class _Writer:
    boundary: bytes

    def field(self, name: str, text: str, *, is_json: bool) -> bytes:
        kind = b"\r\nContent-Type: application/json" if is_json else b""
        head = b'Content-Disposition: form-data; name="%b"%b' % (name.encode("utf-8"), kind)
        content = text.encode("utf-8")
        if b"--" + self.boundary in content:
            raise ambiguous("a value that holds the form's boundary")
        return b"%b\r\n\r\n%b" % (head, content)

    def body(self, fields: Iterable[bytes]) -> bytes:
        parts = b"".join(b"--%b\r\n%b\r\n" % (self.boundary, each) for each in fields)
        return b"%b--%b--\r\n" % (parts, self.boundary)


#: Some clients give each part its length; other headers, such as a coding, change what it says.
_PART_HEADERS = frozenset(
    ("content-disposition", "content-type", "content-transfer-encoding", "content-length")
)


def read_multipart(content: bytes, content_type: bytes) -> FormDocument:
    """Read a body.

    :raises UnsupportedMediaType: its boundary, or its charset, can be read in two ways.
    :raises InvalidForm: it is no such form.
    :raises BodyNotAllowed: readers differ about it.
    """
    named = parameters(content_type)
    boundary = named.get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise UnsupportedMediaType("Content-Type has no boundary that every reader takes")
    if named.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("A form is UTF-8 on this route, whatever its charset says")
    mark = boundary.encode("ascii")
    fields = [_field(part) for part in _parts(content, mark)]
    return FormDocument(content, content_type, fields, _Writer(mark), nests_json=True)


def _parts(content: bytes, boundary: bytes) -> list[bytes]:
    """The parts between delimiters, each without the line ends around it."""
    delimiter = b"\r\n--" + boundary
    first, *parts = (b"\r\n" + content).split(delimiter, MOST_FIELDS + 2)
    if first or not parts:
        raise invalid("it does not begin with its boundary")
    if len(parts) > MOST_FIELDS + 1:
        raise too_many()
    if parts.pop() not in (b"--", b"--\r\n"):
        raise invalid("its last boundary is missing, or something follows it")
    for part in parts:
        if not part.startswith(b"\r\n"):
            raise ambiguous("a boundary with something behind it")
        if b"\n--" + boundary in part or b"\r--" + boundary in part:
            raise ambiguous("a boundary behind half of a line end")
    return [part[2:] for part in parts]


def _field(part: bytes) -> Field:
    head, blank, content = part.partition(b"\r\n\r\n")
    if not blank or len(head) > _LONGEST_HEAD:
        raise invalid("a part without a head, or with too long a one")
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        match = _HEADER.fullmatch(line)
        if match is None:
            raise ambiguous("a part with a header that is none")
        name = match[1].decode("ascii").lower()
        if name in headers:
            raise ambiguous(f"a part with two {name}")
        headers[name] = _utf8(match[2]).strip()
    if headers.keys() - _PART_HEADERS:
        raise ambiguous("a part with a header that some readers act by")
    if headers.get("content-length", str(len(content))) != str(len(content)):
        raise ambiguous("a part with another Content-Length than its own")
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_CODINGS:
        raise ambiguous("a part with a Content-Transfer-Encoding, which not every reader undoes")
    kind = headers.get("content-type", "")
    if kind.lower().startswith("multipart/"):
        raise ambiguous("a form inside of a part")
    name, filename = _disposition(headers.get("content-disposition", ""))
    path = path_of(name)
    if filename == "" and content:
        raise ambiguous("a file without a name, which some servers take for a text")
    if filename is not None:
        return Field(name, path, Upload(filename, kind, len(content)), part)
    try:
        said = split_parameters(kind)[1] if kind else {}
    except ValueError as fault:
        raise ambiguous(f"a part whose Content-Type has {fault}") from None
    if set(said) - {"charset"} or said.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise ambiguous(f'the field "{name}" in a charset of its own')
    text = _utf8(content)
    if "\0" in text:
        raise ambiguous("NUL, where some readers end")
    return Field(name, path, text, part)


def _disposition(field: str) -> tuple[str, str | None]:
    """The name of a part, and its file's name if it has one."""
    try:
        kind, named = split_parameters(field)
    except ValueError as fault:
        raise ambiguous(f"Content-Disposition with {fault}") from None
    if kind.lower() != "form-data" or set(named) - {"name", "filename"} or "name" not in named:
        raise ambiguous("a part without a name, or with more than a name and a filename")
    return named["name"], named.get("filename")


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise invalid("text that is not UTF-8") from None
