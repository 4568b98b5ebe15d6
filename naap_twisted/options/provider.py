"""Providers: what a vendor's stock clients send and read, one data file each.

The files of this package are in ``providers/``; a user's own is named by its path. A file has no
code: options of a route, headers, and the places of two keys: the server's, and the caller's token.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, ClassVar

from attrs import Factory, asdict, frozen

from ..headers import ACCOUNT_CHOOSING, PRIVATE, HeaderPatterns
from ..model import TokenPlace
from ..spend.tokens import TokenMembers
from . import http_values as http
from . import values
from .option import option
from .provider_opens import Limit, ModelNames, StreamUsage, read_opens
from .read import Problems, read_section, refuse_unknown
from .values import Surroundings

MOST_BYTES = 64 * 1024
#: Stands in a provider's file for the value of the option ``key``.
KEY = "${key}"
_OR_A_FILE = 'nor the path of a file, such as "./acme.toml"'
_MEMBER = re.compile(r"[^.]+(?:\.[^.]+)+")
_NAMED = re.compile(r"[^.]+(?:\.[^.]+)*")


@values.reads_text()
def _around_key(written: str) -> str:
    if written.count(KEY) != 1 or not written.isprintable():
        raise ValueError(f"must hold {KEY} once, and printable text around it")
    return written


@values.reads_text()
def _scheme(written: str) -> str:
    if not written.isalnum() or not written.isascii():
        raise ValueError('is not an authentication scheme such as "Token"')
    return written


@values.reads_text(pattern=_MEMBER.pattern)
def _reported(written: str) -> str:
    if _MEMBER.fullmatch(written) is None:
        raise ValueError('is not the path of a member of an object, such as "usage.input_tokens"')
    return written


@values.reads_text(pattern=_NAMED.pattern)
def _naming(written: str) -> str:
    if _NAMED.fullmatch(written) is None:
        raise ValueError('is not the path of a member, such as "model"')
    return written


@frozen
class ProviderHeaders:
    """``[headers]``: names of headers; ``X-Prefix-*`` too, but for those that choose an account."""

    section: ClassVar[str] = "headers"

    send: tuple[str, ...] = option(http.header_patterns, "What its clients send.")
    read: tuple[str, ...] = option(
        values.list_of(http.relayed_pattern, what="header names"), "What its clients read."
    )
    urls: tuple[str, ...] = option(
        values.list_of(http.header_name, what="header names"),
        "What of that names a URL of the API to go on at: the page gets one of this route.",
    )
    choosing: tuple[str, ...] = option(
        values.list_of(http.header_name, what="header names"),
        "What chooses an account: passed only where the route names it.",
    )


@values.reads_text()
def _parameter(written: str) -> str:
    if not written.strip() or not written.isprintable():
        raise ValueError("is not a name: printable text is wanted")
    return written


@frozen
class KeyPlace:
    """``[key]``: where the server's key goes, a header or a query parameter."""

    section: ClassVar[str] = "key"

    header: str = option(http.header_name, "The header.", default="Authorization", unset="")
    query: str = option(_parameter, "The parameter, in place of a header.")
    value: str = option(
        _around_key, "Its value; in a query the key alone.", default=f"Bearer {KEY}", unset=""
    )
    bearer: bool = option(values.flag, "Authorization has it, too.", default=False)

    @property
    def option(self) -> str:
        """The option of a route that sets it."""
        return "forward_query" if self.query else "forward_headers"

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The parameter, or each header, that has the key, with the value around it."""
        bearer = "Authorization", f"Bearer {KEY}"
        if self.query:
            return ((self.query, self.value or KEY),)
        first = self.header or bearer[0], self.value or bearer[1]
        return (first, bearer) if self.bearer else (first,)


@frozen
class CallerToken:
    """``[token]``: where its clients put the key that they are given: the caller's token."""

    section: ClassVar[str] = "token"

    headers: tuple[str, ...] = option(
        values.list_of(http.header_name, what="header names"), "Beside Authorization."
    )
    scheme: str = option(_scheme, "The scheme in Authorization.", default="Bearer")
    users: bool = option(
        values.flag,
        "Beside such a header, Authorization is of a user whom the vendor itself signed in.",
        default=False,
    )


_members = values.list_of(_reported, what="members")


@frozen
class ModelUsage:
    """``[usage]``: members of a JSON answer, dots between them; of several the first there counts.

    A report is the object that has them, ``usage`` of ``"usage.input_tokens"``; what stands deeper
    in it is named from the top as well. What stands beside a number is added to it.
    """

    section: ClassVar[str] = "usage"

    input: tuple[str, ...] = option(_members, "Tokens in.")
    input_beside: tuple[str, ...] = option(_members, "More tokens in, which those leave out.")
    cached_input: tuple[str, ...] = option(_members, "Tokens in that were read from a cache.")
    cache_write: tuple[str, ...] = option(_members, "Tokens in that were written to a cache.")
    output: tuple[str, ...] = option(_members, "Tokens out.")
    output_beside: tuple[str, ...] = option(_members, "More tokens out, which those leave out.")
    reasoning: tuple[str, ...] = option(_members, "Tokens out that the model thought.")
    audio_input: tuple[str, ...] = option(_members, "Tokens in of audio.")
    audio_output: tuple[str, ...] = option(_members, "Tokens out of audio.")
    image_input: tuple[str, ...] = option(_members, "Tokens in of images.")
    seconds: tuple[str, ...] = option(_members, "Seconds of a recording, which may be a fraction.")
    model: tuple[str, ...] = option(
        values.list_of(_naming, what="members"),
        "What names the model that answers; model, response.model and message.model if left out.",
    )


_SECTIONS: Mapping[str, Any] = {
    "headers": ProviderHeaders,
    "key": KeyPlace,
    "token": CallerToken,
    "usage": ModelUsage,
    "stream_usage": StreamUsage,
    "model": ModelNames,
}


@frozen
class Provider:
    """One vendor's API.

    :ivar name: as the option has it.
    :ivar title: for people.
    :ivar variable: the environment variable in which its clients look for a key.
    :ivar needs: options of a route that only its owner knows, each with an example.
    :ivar route: options of a route, as a file writes them.
    :ivar stream_usage: where a stream reports usage only when it is asked.
    :ivar endpoints: groups of endpoints by name, which a route names as ``"@chat"``.
    :ivar least: the groups that a page needs at least, as a route names them.
    :ivar opens: what a route opens that names no endpoints: ``"fine-tuning and file deletion"``.
    :ivar model: where a request names a model.
    :ivar limits: what bounds a model's output, by endpoint.
    """

    name: str
    title: str = ""
    variable: str = ""
    needs: Mapping[str, str] = Factory(dict)
    route: Mapping[str, object] = Factory(dict)
    headers: ProviderHeaders = Factory(ProviderHeaders)
    key: KeyPlace = Factory(KeyPlace)
    token: CallerToken = Factory(CallerToken)
    usage: ModelUsage = Factory(ModelUsage)
    stream_usage: StreamUsage = Factory(StreamUsage)
    endpoints: Mapping[str, tuple[str, ...]] = Factory(dict)
    least: tuple[str, ...] = ()
    opens: str = ""
    model: ModelNames = Factory(ModelNames)
    limits: tuple[Limit, ...] = ()

    @property
    def token_place(self) -> TokenPlace:
        """Where a request carries its caller's token."""
        names = tuple(name.encode("ascii") for name in self.token.headers)
        return TokenPlace(names, self.token.scheme.lower().encode("ascii"), self.token.users)

    @property
    def token_members(self) -> TokenMembers | None:
        """Where its answers report a model's tokens; ``None`` where the file does not say."""
        usage = self.usage
        if not (usage.input or usage.output or usage.seconds):
            return None
        return TokenMembers.at(**asdict(self.usage))


def _folder() -> Traversable:
    return resources.files("naap_twisted").joinpath("providers")


def provider_names() -> list[str]:
    """The providers of this package."""
    files = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))


def provider_text(name: str) -> str:
    """The file of one of them.

    :raises ValueError: there is none of this name.
    """
    known = provider_names()
    if name not in known:
        near = difflib.get_close_matches(name.lower()[:64], known, n=1)
        hint = f'did you mean "{near[0]}"?' if near else _OR_A_FILE
        raise ValueError(f"is none of {', '.join(known)}; {hint}")
    return _folder().joinpath(f"{name}.toml").read_text(encoding="utf-8")


def written_provider(name: str, surroundings: Surroundings) -> str:
    """The text of a provider's file: one of ours by its name, or a user's own by its path.

    :raises ValueError: there is none, or it can't be read.
    """
    if not name.endswith(".toml"):
        return provider_text(name)
    path = surroundings.directory / name
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise values.unreadable(path, error) from None
    if len(content) > MOST_BYTES:
        raise ValueError(f"{path} is over {MOST_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None


@lru_cache(maxsize=64)
def parse_provider(name: str, written: str) -> Provider:
    """The provider that a file describes, read once for all routes and reloads.

    Its ``[route]`` is judged where a route takes it.

    :param written: the file's TOML.
    :raises ValueError: with every problem in it.
    """
    try:
        document = tomllib.loads(written)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: not TOML: {error}") from None
    problems = Problems()
    plain = {"title": "", "variable": "", "opens": "", "needs": {}, "route": {}}
    refuse_unknown(document, (*plain, *_SECTIONS, "endpoints", "least", "limit"), "", problems)
    for key, default in plain.items():
        with problems.noting(key):
            plain[key] = _of_type(document.get(key, default), type(default))
    read = {
        key: read_section(section, document.get(key, {}), key, values.here(), problems)
        for key, section in _SECTIONS.items()
    }
    _refuse_two_places(read["key"], problems)
    _refuse_passing(read["headers"], read["token"], problems)
    for key in ("title", "variable", "opens"):
        _refuse_odd(plain[key], key, problems)
    for key, value in (plain["needs"] if isinstance(plain["needs"], dict) else {}).items():
        _refuse_odd(key, "needs", problems)
        _refuse_odd(value, "needs", problems)
    groups, least, limits = read_opens(document, problems)
    if problems.lines:
        raise values.Flaws(*(("", f"{name}: {line}") for line in problems.lines))
    opened = {"endpoints": groups, "least": least, "limits": limits}
    return Provider(name, **plain, **read, **opened)  # type: ignore[arg-type]


def _of_type(value: object, wanted: type) -> Any:
    if not isinstance(value, wanted):
        raise values.expected("text" if wanted is str else "a table", value)
    return value


def _refuse_odd(value: object, place: str, problems: Problems) -> None:
    """Refuse what would not be one line of a terminal, or of a config that is written with it."""
    if not isinstance(value, str) or not value.isprintable():
        problems.add(place, "holds something else than printable text")


def _refuse_passing(headers: ProviderHeaders, token: CallerToken, problems: Problems) -> None:
    passed = HeaderPatterns(headers.send)
    private = HeaderPatterns((*PRIVATE, *token.headers))
    for name in headers.send:
        if private.covers(name):
            problems.add("headers.send", f"{name} is the caller's own; only a route may pass it")
    for name in (*ACCOUNT_CHOOSING, *headers.choosing):
        if passed.match(name.encode("ascii")):
            problems.add("headers.send", f"{name} chooses an account; only a route may pass it")


def _refuse_two_places(key: KeyPlace, problems: Problems) -> None:
    for name in ("header", "bearer"):
        if key.query and getattr(key, name):
            problems.add("key.query", f"has no meaning beside key.{name}; delete one of them")


@values.reads_files("str | None", values.TEXT)
def provider(value: object, surroundings: Surroundings) -> Provider | None:
    """A provider by its name, or by the path of a file whose name ends in ``.toml``."""
    if value is None:
        return None
    name = values.text(value)
    return parse_provider(name, written_provider(name, surroundings))
