"""Values that hold ``${env:X}``, ``${file:path}`` and ``${basic:...}``, resolved to one Secret.

Reads the environment and files, and says what is wrong with them without ever quoting a value.
"""

from __future__ import annotations

import os
import re
import stat
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.web.server import Request

from ..errors import InvalidKey
from ..keys.rules import check_provider
from ..model import UserKeyHeader
from ..secret import Secret, basic_parts
from . import values
from .http_values import header_name

#: What code may give for them.
HeaderTable = Mapping[str, str | bytes | Secret]
ForwardHeaders = HeaderTable | Callable[[Request], HeaderTable | Awaitable[HeaderTable]]
#: What a route adds: by name, or made by a callable of the request.
InjectedHeaders = Mapping[str, Secret | UserKeyHeader] | Callable[..., Any]

MAX_FILE_BYTES = 64 * 1024
#: The source of a secret that stands in the config file itself.
LITERAL = "config"
_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_USER_KEY = "user_key:"
_FILE = "file:"
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A file's path may hold colons; each of the two sources may be left out, as an empty text.
_BASIC = re.compile(r"(|env:\w+|file:.+?):(|env:\w+|file:.+)", re.ASCII)


def read_secret_file(path: Path, *, group_may_read: bool = False) -> bytes:
    """The bytes of a secret file, closing line ends removed.

    :param group_may_read: lets mode 0640 pass, which is how Debian keeps TLS keys. A file
        of root and root's group may be such for a process of somebody else in any case.
    :raises ValueError: unreadable, not a regular file, too large, readable by others than its
        owner, owned by neither this process's user nor root, or in a place where others can put
        another file.
    """
    try:
        # Non-blocking, so that a named pipe is refused below and not waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise values.unreadable(path, error) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is not a regular file")
        # systemd lets a service read its credential, a file of root's, by an access list: that
        # shows as mode 0440, though the group of root gets nothing by it.
        credential = status.st_uid == status.st_gid == 0 != os.geteuid()
        if status.st_mode & (0o037 if group_may_read or credential else 0o077):
            raise ValueError(f"{path} is open to group or others; run: chmod 600 {path}")
        if status.st_uid not in (os.geteuid(), 0):
            raise ValueError(f"{path} belongs to another user")
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(handle)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{path} is over {MAX_FILE_BYTES} bytes")
    _refuse_open_directories(path)
    return content.rstrip(b"\r\n")


def _refuse_open_directories(path: Path) -> None:
    """Refuse a file that others could exchange, whoever may read it.

    Every directory down to the file counts, and down to the link where it is one. In one with the
    sticky bit, such as /tmp, nobody can rename or remove the files of others. A group's permission
    counts unless the group is the process's own, which many systems give every user alone.
    """
    for place in sorted({*path.absolute().parents, *path.resolve().parents}):
        status = place.stat()
        group = status.st_mode & stat.S_IWGRP and status.st_gid not in (os.getegid(), 0)
        if (group or status.st_mode & stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX:
            raise ValueError(f"{path} can be exchanged by others; run: chmod go-w {place}")


def _piece(reference: str, surroundings: values.Surroundings) -> tuple[bytes, tuple[bytes, ...]]:
    """What a ``${...}`` stands for, and what of that is secret by itself."""
    scheme, _, argument = reference.partition(":")
    if scheme == "basic":
        return _basic(argument, surroundings)
    value = _source(reference, surroundings)
    return value, (value.strip(b" \t"),)


def _basic(argument: str, surroundings: values.Surroundings) -> tuple[bytes, tuple[bytes, ...]]:
    """``user:password`` in base64, as RFC 7617 section 2 writes credentials."""
    match = _BASIC.fullmatch(argument)
    if match is None or argument == ":":
        raise ValueError(
            "has a ${basic:...} that is not of the form ${basic:env:USER:env:PASSWORD};"
            " file:path may stand for each of the two, and nothing for one that is empty"
        )
    sources = match.groups()
    readers = (partial(_credential, source, surroundings) for source in sources)
    user, password = values.read_all(("", reader) for reader in readers)
    if b":" in user:
        # A server takes all that follows the first colon for the password.
        raise ValueError(f"user from {sources[0]} has a colon, which no user of Basic can have")
    pair = user + b":" + password
    packed = b64encode(pair)
    return packed, (packed, *basic_parts(pair))


def _credential(source: str, surroundings: values.Surroundings) -> bytes:
    if not source:
        return b""
    # A Secret holds no control character, and base64 would hide one.
    secret = Secret(_source(source, surroundings), source)
    secret.refuse_mistakes()
    return secret.reveal()


def _source(reference: str, surroundings: values.Surroundings) -> bytes:
    scheme, _, argument = reference.partition(":")
    if scheme == "user_key":
        raise ValueError("${user_key:...} has a meaning in forward_headers only")
    if scheme == "env" and _ENV_NAME.fullmatch(argument):
        source = f"environment variable {argument}"
        if argument not in surroundings.environ:
            raise ValueError(f"{source} is not set")
        value = os.fsencode(surroundings.environ[argument])
    elif scheme == "file" and argument:
        path = surroundings.directory / argument
        value, source = read_secret_file(path), str(path)
    else:
        raise ValueError("has a ${...} that is neither ${env:NAME} nor ${file:path}")
    if not value.strip():
        raise ValueError(f"{source} is empty")
    return value


def resolve(value: object, surroundings: values.Surroundings, *, in_header: bool = False) -> Secret:
    """One secret, text around its pieces kept. Plain text is a secret as well.

    Code may give a Secret, or bytes, which are taken as they are.

    :param in_header: the secret is to stand in a header.
    :raises ValueError: not text, or a piece that is unknown, unset, unreadable or empty.
    """
    if isinstance(value, (Secret, bytes)):
        secret = value if isinstance(value, Secret) else Secret(value)
    else:
        secret = _joined(values.text(value), surroundings, in_header=in_header)
    secret.refuse_mistakes(in_header=in_header)
    return secret


def _joined(template: str, surroundings: values.Surroundings, *, in_header: bool) -> Secret:
    pieces = _REFERENCE.split(template)
    if "${" in "".join(pieces[::2]):
        raise ValueError("has a ${ without its }")
    texts, references = [piece.encode() for piece in pieces[::2]], pieces[1::2]
    # A daemon leaves the directory that it was started in.
    surroundings = evolve(surroundings, directory=surroundings.directory.absolute())
    source = "+".join(references) or LITERAL
    names = [place.removeprefix(_FILE) for place in sources_of(source) if place.startswith(_FILE)]
    read = values.read_all(
        ("", partial(_piece, reference, surroundings)) for reference in references
    )
    found = [value for value, _ in read]
    return Secret(
        b"".join(map(b"".join, zip_longest(texts, found, fillvalue=b""))).strip(b" \t"),
        source=source,
        parts=tuple(part for _, parts in read for part in parts),
        files=tuple(surroundings.directory / name for name in names),
        again=partial(resolve, template, surroundings, in_header=in_header) if names else None,
    )


def pieces_of(template: str, surroundings: values.Surroundings) -> list[Secret]:
    """What each ``${env:X}`` and ``${file:path}`` of *template* stands for.

    :raises ValueError: a piece is another one, or is unset, unreadable or empty.
    """

    def piece(reference: str) -> Secret:
        if reference.startswith("basic:"):
            raise ValueError("${basic:...} has no meaning in a path")
        return resolve(f"${{{reference}}}", surroundings, in_header=True)

    pieces = _REFERENCE.split(template)
    if "${" in "".join(pieces[::2]):
        raise ValueError("has a ${ without its }")
    return values.read_all(("", partial(piece, reference)) for reference in pieces[1::2])


def sources_of(source: str) -> list[str]:
    """The places that a secret came from, one by one.

    >>> sources_of("env:A+basic:env:USER:env:PASSWORD")
    ['env:A', 'env:USER', 'env:PASSWORD']
    """
    found: list[str] = []
    for piece in source.split("+"):
        scheme, _, argument = piece.partition(":")
        match = _BASIC.fullmatch(argument) if scheme == "basic" else None
        found += [piece] if match is None else filter(None, match.groups())
    return found


def header_value(value: object, surroundings: values.Surroundings) -> Secret | UserKeyHeader:
    """One value of ``forward_headers``: a secret, or plain text around one ``${user_key:x}``.

    :raises ValueError: as :func:`resolve`; more than one user key, or other pieces beside it.
    """
    pieces = _REFERENCE.split(value) if isinstance(value, str) else []
    user_keys = [piece for piece in pieces[1::2] if piece.startswith(_USER_KEY)]
    if not user_keys:
        return resolve(value, surroundings, in_header=True)
    if len(pieces) > 3:
        raise ValueError("may hold one ${user_key:...} and plain text, no other ${...}")
    try:
        provider = check_provider(user_keys[0].removeprefix(_USER_KEY))
    except InvalidKey as error:
        raise ValueError(error.message) from None
    before, _, after = pieces
    if "${" in before + after or not (before + after).isprintable():
        raise ValueError("has a ${ without its }, or a control character")
    return UserKeyHeader(provider, before.lstrip(), after.rstrip())


@values.reads_files("str | bytes | Secret | None", values.TEXT)
def secret_key(value: object, surroundings: values.Surroundings) -> Secret | UserKeyHeader | None:
    """The option ``key``: as one value of ``forward_headers``, without the text around it."""
    return None if value is None else header_value(value, surroundings)


@values.reads_files(
    "ForwardHeaders | None", {"type": "object", "additionalProperties": values.TEXT}
)
def secret_headers(value: object, surroundings: values.Surroundings) -> InjectedHeaders:
    """The ``forward_headers`` table: name to value; code may give a callable that makes it.

    :raises ValueError: each bad name or value is a problem of its own.
    """
    if callable(value):
        return value
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise values.expected('a table such as { Authorization = "Bearer ${env:KEY}" }', value)
    headers: dict[str, Secret | UserKeyHeader] = {}
    flaws: list[tuple[str, str]] = []
    seen: set[str] = set()
    for position, (name, template) in enumerate(value.items(), start=1):
        try:
            header_name(name)
        except ValueError as error:
            # A secret in the place of the name must not be quoted.
            flaws += values.flaws_of(error, f"[name {position}]")
            continue
        if name.lower() in seen:
            flaws.append((f".{name}", "is there twice; header names ignore case"))
        seen.add(name.lower())
        try:
            headers[name] = header_value(template, surroundings)
        except ValueError as error:
            flaws += values.flaws_of(error, f".{name}")
    if flaws:
        raise values.Flaws(*flaws)
    return headers
