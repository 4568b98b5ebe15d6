"""The parser of target URLs: a header's value, or what follows a pinned base. Pure.

The grammar rejects and never repairs. Every URL of it has one origin to every parser: no userinfo,
no backslash before the query, no fragment, no dot segments, one spelling of a port. It normalises
the case of scheme and host and the host's trailing dot, and nothing else. Path and query hold any
visible ASCII, because browsers leave some of it as it is (WHATWG URL, "percent-encode sets"), where
RFC 3986 wants it escaped, and the upstream has to get what was signed, or what it documents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from attrs import evolve, field, frozen

from ..errors import ConfigError, InvalidTarget, SchemeNotAllowed
from ..model import DEFAULT_PORTS, Target
from ..secret import REDACTED, Secret
from .hostname import a_label_form, parse_host

MAX_URL = 4096
"""Bytes that a target URL may have before its query."""
MAX_QUERY = 8192
"""Bytes that its query may have."""

# Visible ASCII but "#", "?" and a backslash, which browsers turn into a slash; then all but "#".
_PATH = rb"(?:/[\x21\x22\x24-\x3e\x40-\x5b\x5d-\x7e]*+)?"
_QUERY = rb"(?:\?[\x21\x22\x24-\x7e]*+)?"
_TARGET = re.compile(
    rb"([Hh][Tt][Tt][Pp][Ss]?)://"
    rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)"
    rb"(?::([1-9][0-9]{0,4}))?"
    rb"(" + _PATH + rb")(" + _QUERY + rb")"
)
_REMAINDER = re.compile(rb"(" + _PATH + rb")(" + _QUERY + rb")")

# "/..;x" is a dot segment, too: some servers cut the parameter off first and then climb.
_DOT_SEGMENT = re.compile(rb"/(?:\.|%2e){1,2}(?=[/;]|%3b|\Z)", re.IGNORECASE)
# A URL, but of a scheme that no route can have.
_OTHER_SCHEME = re.compile(
    rb"(?!https?:)([a-z][a-z0-9+.-]{0,31})://[\x21\x22\x24-\x5b\x5d-\x7e]+", re.IGNORECASE
)
_SECOND_URL = re.compile(rb",https?://", re.IGNORECASE)

# A secret stands for one piece of a segment of a base's path, after the whole authority.
_REFERENCE = re.compile(r"\$\{[^}]*\}")
_BEFORE_SECRET = re.compile(r"https?://[^/?#]+/[^?#]*", re.IGNORECASE)
_SEGMENT = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,=:@]+")

# In the path of a configured base each of these is more likely a slip than meant.
_ODD_IN_BASE = re.compile(
    rb"(?P<dot>/(?:\.|%2e){1,2}(?=[/;]|%3b|\Z))"
    rb"|(?P<empty>//)"
    rb"|(?P<parameter>;|%3b)"
    rb"|(?P<slash>%2f|%5c)"
    rb"|(?P<control>%[01][0-9a-f]|%7f)"
    rb"|(?P<double>%(?:25)+(?:2e|2f|5c|3b))"
    rb"|(?P<overlong>%c[01]|%e0%[89]|%f0%8)"
    rb"|(?P<percent>%(?![0-9a-f]{2}))"
    rb"|(?P<character>[^/%a-z0-9\-._~!$&'()*+,=:@])",
    re.IGNORECASE,
)
# Below a pinned base the path is the boundary, so no path may climb, however often an upstream
# decodes it and whatever it then drops: blanks and controls (WHATWG), half an escape, parameters
# (Tomcat's "/..;x"), all that follows a "?", a "#" or a NUL. IIS takes "%u002e" for a dot. Every
# level of decoding is searched.
_BLANKS = rb"(?:[\x00-\x20\x7f]|%[0-9A-Fa-f]?)*+"
_CLIMBS = re.compile(
    rb"(?P<dot>/" + _BLANKS + rb"\." + _BLANKS + rb"(?:\." + _BLANKS + rb")?(?=[/;?#]|\Z))"
    rb"|(?P<backslash>\\)"
    rb"|(?P<nul>\x00)"
    rb"|(?P<wide>%[uU][0-9A-Fa-f]{4})"
    rb"|(?P<overlong>[\xc0\xc1]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f])"
)
_MOST_DECODINGS = 4
_REASONS = {
    "dot": "dot segment in the path",
    "empty": "empty segment in the path",
    "parameter": "semicolon in the path",
    "slash": "encoded slash or backslash in the path",
    "backslash": "encoded backslash in the path",
    "control": "encoded control character in the path",
    "nul": "encoded NUL in the path",
    "double": "doubly encoded character in the path",
    "overlong": "overlong UTF-8 in the path",
    "wide": "%u escape in the path",
    "percent": "malformed percent encoding",
    "character": "character outside RFC 3986 in the path",
}

# These only word a refusal that _TARGET or _REMAINDER has already made; the first match counts.
_CHARACTER_FAULTS = (
    (re.compile(rb"[\x80-\xff]"), "non-ASCII character"),
    (re.compile(rb"[\x00-\x1f\x7f]"), "control character"),
    (re.compile(rb" "), "space, or a list of URLs"),
    (re.compile(rb"\A[^?]*\\"), "backslash"),
    (re.compile(rb"#"), "fragment"),
)
_REMAINDER_FAULTS = (
    *_CHARACTER_FAULTS,
    (re.compile(rb"\A[^/?]"), "does not continue the route's path with / or ?"),
)
_URL_FAULTS = (
    *_CHARACTER_FAULTS,
    (re.compile(rb"\A\Z"), "empty"),
    (re.compile(rb"\A(?!https?://)", re.IGNORECASE), "scheme is not http:// or https://"),
    (re.compile(rb"\A[^/]*//[^/?]*@"), "userinfo"),
    (re.compile(rb"\A[^/]*//[^/?]*%"), "percent sign in the host"),
    (re.compile(rb"\A[^/]*//[^/?]*,"), "list of URLs"),
    (re.compile(rb"\A[^/]*//(?:[/?:]|\Z)"), "empty host"),
    (re.compile(rb"\A[^/]*//\[(?![0-9A-Fa-f:.]+\](?:[:/?]|\Z))"), "malformed IPv6 literal"),
    (
        re.compile(rb"\A[^/]*//(?:\[[^\]]*\]|[^\[/?:]*):(?![1-9][0-9]{0,4}(?:[/?]|\Z))"),
        "malformed port",
    ),
    (
        re.compile(rb"\A[^/]*//[^\[/?:]*[^0-9A-Za-z.\-/?:]"),
        "host label is not letters, digits and inner hyphens",
    ),
)


def parse_target(raw: bytes, header: str = "X-Target-URL", *, underscores: bool = False) -> Target:
    """The URL that a request header names.

    A list of URLs in one header is refused here; a header that stands twice, the caller refuses.

    :param raw: the header's value, at most :data:`MAX_URL` bytes and :data:`MAX_QUERY` of query.
    :param header: the header's name, for the public message.
    :param underscores: the host may have them: an upstream that is pinned to such a name wrote it.
    :raises InvalidTarget: the reason is precise, and holds no byte of *raw*.
    :raises SchemeNotAllowed: a kind of it, where *raw* would be a URL but for its scheme.

    >>> parse_target(b"HTTPS://API.example.com:443/v1?a=b").url
    'https://api.example.com/v1?a=b'
    """
    try:
        return _parse(raw, underscores=underscores)
    except ValueError as fault:
        other = _OTHER_SCHEME.fullmatch(raw)
        if other is not None:
            scheme = other[1].decode("ascii").lower()
            raise SchemeNotAllowed(
                f'Scheme "{scheme}" is not in the allowed list', reason=str(fault)
            ) from None
        raise InvalidTarget(f"Invalid URL in {header} header", reason=str(fault)) from None


@frozen
class PinnedBase:
    """A route's configured base URL, which nothing that a client adds can leave.

    :ivar written: the base as configured, each secret by its source, to be shown.
    :ivar secrets: what each ``${...}`` in its path stands for.
    :ivar base: the base as a target, its path as configured, each secret in it ``[redacted]``.
    :raises ValueError: it is no such URL, which the text doesn't show: people write keys there.
    """

    written: str
    secrets: tuple[Secret, ...] = ()
    base: Target = field(init=False)
    _sealed: Secret | None = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Here, so that a base that is made again of other secrets is judged again.
        url, secrets = self.written, self.secrets
        written = _filled(url, secrets) if secrets else url.encode("utf-8", "replace")
        base = _parse(written, underscores=True)
        path, mark, _ = base.path_and_query.partition("?")
        if mark:
            raise ValueError("a base URL has no query; forward_query sets parameters")
        _refuse_fault(_ODD_IN_BASE, path.encode("ascii"))
        if "_" in base.host and base.scheme == "https":
            raise ValueError("no certificate can be verified for a name with an underscore")
        sealed = None
        if secrets:
            shown = _REFERENCE.sub(REDACTED, url).split("/", 3)[3]
            base = evolve(base, path_and_query=f"/{shown}")
            sealed = Secret(path.removesuffix("/"), "the path of target")
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "_sealed", sealed)

    @property
    def _prefix(self) -> str:
        return self.base.path_and_query.removesuffix("/")

    @classmethod
    def parse(cls, url: str, secrets: Sequence[Secret] = ()) -> PinnedBase:
        """Read the option ``target``, such as ``"https://api.openai.com/v1"``.

        :raises ConfigError: one problem that opens with ``target: ``.
        """
        try:
            return cls(url, tuple(secrets))
        except ValueError as fault:
            raise ConfigError(f"target: {fault}{_a_label_hint(url)}") from None

    def opened(self, path_and_query: str) -> str:
        """The path and query of a target of :meth:`join` with the base's secrets in them.

        Another one stays as it is: a WebRTC session may lie beside the base.
        """
        rest = path_and_query.removeprefix(self._prefix)
        if self._sealed is None or rest == path_and_query or rest[:1] not in ("", "/", "?"):
            return path_and_query
        return self._sealed.reveal().decode("ascii") + rest

    def shown(self, target: Target) -> str:
        """The URL of a target of :meth:`join`, the base's secrets in it by their sources."""
        if not self.secrets:
            return target.url
        rest = target.path_and_query.removeprefix(self._prefix)
        return self.written.removesuffix("/") + rest

    def join(self, remainder: bytes) -> Target:
        """The target that *remainder* names below the base.

        :param remainder: the bytes that follow the mount path in the browser's request target:
            none, or a path, a query or both. The query is passed on as it came.
        :raises InvalidTarget: it has illegal characters, or a path that could leave the base.
        """
        base, prefix = self.base, self._prefix
        match = _REMAINDER.fullmatch(remainder)
        if match is None:
            raise InvalidTarget(reason=_why_refused(remainder, _REMAINDER_FAULTS))
        path, query = match.groups()
        try:
            _check_lengths(len(base.origin) + len(prefix) + len(path), len(query))
            check_below(path)
        except ValueError as fault:
            raise InvalidTarget(reason=str(fault)) from None
        below = prefix + path.decode("ascii") if path else base.path_and_query
        return Target(base.scheme, base.host, base.port, below + query.decode("ascii"))

    def within(self, target: Target) -> Target:
        """*target* again, provided that it is the base or lies below it.

        :raises InvalidTarget: it does not, or its path could leave the base.
        """
        prefix = self.opened(self._prefix)
        rest = target.path_and_query.removeprefix(prefix)
        inside = target.path_and_query.startswith(prefix) and (not rest or rest[0] in "/?")
        if target.origin != self.base.origin or not inside:
            raise InvalidTarget(
                reason=f"this route is pinned to {self.written}; it reaches nothing outside"
            )
        return self.join(rest.encode("ascii"))

    def below(self, target: Target) -> str:
        """What :meth:`join` makes *target* of, which is the base or lies below it."""
        return target.path_and_query.removeprefix(self._prefix)

    def whole(self, raw: bytes) -> Target:
        """The target that *raw*, a whole URL, names, as :meth:`within` judges it.

        :raises InvalidTarget: it is no URL, or not below the base.
        """
        return self.within(parse_target(raw, "target", underscores=True))


def _filled(url: str, secrets: Sequence[Secret]) -> bytes:
    """*url* with *secrets* in the places of their references."""
    texts = _REFERENCE.split(url)
    if not _BEFORE_SECRET.fullmatch(texts[0]) or any("?" in text for text in texts[:-1]):
        raise ValueError("${...} may stand in the path only")
    pieces = [texts[0].encode("utf-8", "replace")]
    for secret, text in zip(secrets, texts[1:], strict=True):
        value = secret.reveal()
        if not _SEGMENT.fullmatch(value):
            raise ValueError(
                f"secret from {secret.source} holds a character that can't stand in one segment of"
                " a path, such as a slash; write one ${...} for each segment"
            )
        pieces += (value, text.encode("utf-8", "replace"))
    return b"".join(pieces)


def _parse(raw: bytes, *, underscores: bool = False) -> Target:
    match = _TARGET.fullmatch(raw)
    if match is None:
        raise ValueError(_why_refused(raw, _URL_FAULTS))
    scheme_bytes, host, port_bytes, path, query = match.groups()
    _check_lengths(len(raw) - len(query), len(query))
    if _DOT_SEGMENT.search(path):
        raise ValueError("dot segment in the path")
    if _SECOND_URL.search(raw):
        raise ValueError("list of URLs")
    scheme = scheme_bytes.decode("ascii").lower()
    port = int(port_bytes) if port_bytes else DEFAULT_PORTS[scheme]
    if port > 65535:
        raise ValueError("port over 65535")
    path_and_query = ((path or b"/") + query).decode("ascii")
    name = parse_host(host.decode("ascii"), underscores=underscores)
    return Target(scheme, name, port, path_and_query)


def _check_lengths(before_query: int, query: int) -> None:
    if before_query > MAX_URL:
        raise ValueError(f"longer than {MAX_URL} bytes")
    if query > MAX_QUERY + 1:  # with its "?"
        raise ValueError(f"query longer than {MAX_QUERY} bytes")


def check_below(path: bytes) -> None:
    """Raise ValueError for a *path* that some upstream might take for one outside of its base.

    :param path: opening with ``/``, as it came, without the query.
    """
    for _ in range(_MOST_DECODINGS):
        _refuse_fault(_CLIMBS, path)
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return
        path = decoded
    raise ValueError("too many encodings in the path")


def _refuse_fault(faults: re.Pattern[bytes], path: bytes) -> None:
    fault = faults.search(path)
    if fault is not None and fault.lastgroup is not None:
        raise ValueError(_REASONS[fault.lastgroup])


def _why_refused(raw: bytes, faults: Sequence[tuple[re.Pattern[bytes], str]]) -> str:
    reasons = (reason for pattern, reason in faults if pattern.search(raw))
    return next(reasons, "not the form of a URL")


def _a_label_hint(url: str) -> str:
    match = re.match(r"https?://([^/?#:@\\]+)", url, re.IGNORECASE)
    if match is None or match[1].isascii():
        return ""
    spelled = a_label_form(match[1])
    return f'; write the host as "{spelled}"' if spelled else ""
