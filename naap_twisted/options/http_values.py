"""Values shaped by HTTP: header names, methods, origins, paths, networks. ValueError says why."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from attrs import asdict

from ..auth.gate import Authorize, is_rule
from ..downstream.caller import UNIX
from ..headers import CONNECTION_FIELDS, TAKEN_OUT, HeaderPatterns, is_token
from ..model import AllowedNetwork, CircuitBreaker, ExposeHeader, RateLimit
from ..policy.addresses import parse_allow_network
from ..policy.own_headers import why_not_relayed, why_not_renamed
from ..wrappers.origins import parse_origin, parse_pattern
from ..wrappers.server_names import parse_host
from . import values

_METHOD = re.compile(r"[A-Z][A-Z0-9-]*")
_MEDIA = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/(?:[a-z0-9][a-z0-9!#$&^_.+-]*|\*)")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
CALLABLE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


@values.reads_text()
def header_name(name: str) -> str:
    """A field name (RFC 9110 section 5.1) that does not belong to the connection."""
    if not is_token(name):
        raise ValueError("is not a header name")
    if name.lower() in CONNECTION_FIELDS:
        raise ValueError(f"{name} belongs to the connection and is never set by a route")
    return name


@values.reads_text()
def header_pattern(name: str) -> str:
    """A field name, or the beginning of some: ``X-Stainless-*``."""
    if name.startswith(TAKEN_OUT):
        raise ValueError('can not begin with "!": there are no usual names to take this one out of')
    try:
        HeaderPatterns((name,))
    except ValueError:
        raise ValueError('is not a header name, nor a pattern such as "X-Stainless-*"') from None
    if name.lower() in CONNECTION_FIELDS:
        raise ValueError(f"{name} belongs to the connection and is never passed on")
    return name


@values.reads_text()
def passed_pattern(name: str) -> str:
    """A request header that a route passes, or a pattern of some; with "!" one it does not."""
    header_pattern(name.removeprefix(TAKEN_OUT))
    if "_" in name and not name.startswith(TAKEN_OUT):
        raise ValueError('has a "_": such a header never passes, for upstreams may read it as "-"')
    return name


@values.reads_text()
def relayed_pattern(name: str) -> str:
    """A response header that a route may relay, or a pattern of some; with "!" one it does not."""
    if name.startswith(TAKEN_OUT):
        return passed_pattern(name)
    reason = why_not_relayed(name)
    if reason:
        raise ValueError(reason)
    return name


_EXPOSED = values.table_of(**{"from": values.text, "to": values.text})
_RATE = values.table_of(requests=values.count, window=values.duration)


@values.reads("ExposeHeader", _EXPOSED.schema)
def expose_header(value: object) -> ExposeHeader:
    """``{ from = "Location", to = "X-WHIP-Resource" }``."""
    if isinstance(value, ExposeHeader):
        value = {"from": value.from_, "to": value.to}
    ends = tuple(_EXPOSED(value).values())
    problems = why_not_renamed(*ends)
    if problems:
        raise values.Flaws(*((f".{end}", reason) for end, reason in problems))
    return ExposeHeader(*ends)


@values.reads(
    "RateLimit | Mapping[str, float | str] | None", {"anyOf": [_RATE.schema, {"const": False}]}
)
def rate_limit(value: object) -> RateLimit | None:
    """``{ requests = 200, window = "15m" }``, or ``false`` (``None`` in code) for none."""
    if value is False or value is None:
        return None
    if isinstance(value, RateLimit):
        value = {"requests": value.requests, "window": value.window}
    if not isinstance(value, Mapping):
        raise values.expected('{ requests = 200, window = "15m" } or false', value)
    return RateLimit(**_RATE(value))


_BREAKER = values.table_of(
    {"failures": values.count, "window": values.duration, "open": values.duration}
)


@values.reads(
    "CircuitBreaker | Mapping[str, float | str] | None",
    {"anyOf": [_BREAKER.schema, {"const": False}]},
)
def circuit_breaker(value: object) -> CircuitBreaker | None:
    """``{ failures = 5, window = "30s", open = "30s" }``, or ``false`` (``None``) for none."""
    if value is False or value is None:
        return None
    if isinstance(value, CircuitBreaker):
        value = asdict(value)
    if not isinstance(value, Mapping):
        raise values.expected('{ failures = 5, window = "30s", open = "30s" } or false', value)
    return CircuitBreaker(**_BREAKER(value))


@values.reads_text(pattern=_METHOD.pattern)
def method(written: str) -> str:
    """A request method; they are case-sensitive (RFC 9110 section 9.1)."""
    if _METHOD.fullmatch(written) is None:
        raise ValueError('is not a method; methods are upper-case, such as "POST"')
    if written in ("OPTIONS", "CONNECT", "TRACE"):
        raise ValueError(f"{written} can not be proxied (the server itself answers OPTIONS)")
    return written


@values.reads_text()
def content_type(written: str) -> str:
    """``type/subtype`` without parameters, ``type/*``, or ``*/*`` for any."""
    parsed = written.lower()
    if parsed != "*/*" and _MEDIA.fullmatch(parsed) is None:
        raise ValueError(
            'is not a content type such as "application/json" (no parameters), "audio/*" or "*/*"'
        )
    return parsed


@values.reads_text()
def origin(written: str) -> str:
    """An Origin as a browser sends it (RFC 6454 section 6.2): ``scheme://host[:port]``.

    A ``*`` in the left-most label of a name stands for a part of it: ``https://*.example.com``.
    """
    if written == "null":
        raise ValueError('"null" is every sandboxed page\'s origin and is never allowed')
    if written == "*":
        raise ValueError('write cors_origins = "*" alone for any origin')
    if "*" in written:
        return parse_pattern(written).text
    spelled = parse_origin(written)
    if spelled is None:
        raise ValueError(
            'is not an origin: write "scheme://host[:port]", without path or closing "/"'
        )
    if spelled != written:
        raise ValueError(f'is not spelled as browsers do; write "{spelled}"')
    return written


@values.reads_text()
def server_name(written: str) -> str:
    """A host name or address that clients use for this server, lower-cased; any port matches."""
    host = parse_host(written.encode("utf-8"))
    if host is None or host.port:
        raise ValueError('is not a host name such as "proxy.example.org", without a port')
    return host.name.decode("ascii")


@values.reads_text(pattern=f"^{_PATH.pattern}$")
def mount_path(written: str) -> str:
    """A route's path below ``base_path``: plain segments, no trailing slash."""
    segments = written.split("/")
    if _PATH.fullmatch(written) is None or "." in segments or ".." in segments:
        raise ValueError('must look like "/assistant/openai-proxy": plain segments, no closing "/"')
    return written


@values.reads("str", values.TEXT)
def base_path(value: object) -> str:
    """The path that every route stands below; ``""`` or ``"/"`` for none."""
    return "" if value in ("", "/") else mount_path(value)


@values.reads_text()
def proxy(written: str) -> str:
    """``unix``, or a CIDR such as ``10.0.0.0/8``; a bare address is a network of one."""
    if written == UNIX:
        return written
    try:
        parsed = ipaddress.ip_network(written)
    except ValueError:
        raise ValueError(
            'is not a network such as "10.0.0.0/8" (host bits must be zero), nor "unix"'
        ) from None
    if parsed.prefixlen == 0:
        raise ValueError("is the whole internet: any client could forge its address")
    return str(parsed)


@values.reads("AllowedNetwork | str", values.TEXT)
def allow_network(value: object) -> AllowedNetwork:
    """``127.0.0.1/32:9100``, see :func:`naap_twisted.policy.addresses.parse_allow_network`."""
    return value if isinstance(value, AllowedNetwork) else parse_allow_network(values.text(value))


header_patterns = values.list_of(header_pattern, what="header names")


@values.reads(f"{header_patterns.annotation} | None", header_patterns.schema)
def passed_headers(value: object) -> tuple[str, ...]:
    """Names to pass, and those of the usual ones not to; ``None`` in code is none of either."""
    return () if value is None else values.list_of(passed_pattern, what="header names")(value)


allow_networks = values.list_of(allow_network, what='networks such as "127.0.0.1/32:9100"')


@values.reads_text()
def dns_server(written: str) -> tuple[str, int]:
    """An IP address and its port: ``9.9.9.9``, ``127.0.0.1:5353``, ``[::1]:53``."""
    match = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?|([0-9.]+)(?::([0-9]{1,5}))?", written)
    host, port = (match[1] or match[3], match[2] or match[4]) if match else (written, None)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError('is not an IP address such as "9.9.9.9" or "[::1]:53"') from None
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError("has a port that is not 1 to 65535")
    return host, int(port or 53)


@values.reads("Authorize | None", values.TEXT)
def authorize(value: object) -> Authorize | None:
    """``"user"``, ``"anyone"``, ``"role:x"`` or ``"package.module:callable"``; code may give it.

    A callable that is named is imported only when the route is built.
    """
    if value is None or callable(value):
        return value
    parsed = values.text(value)
    if not is_rule(parsed) and CALLABLE.fullmatch(parsed) is None:
        raise ValueError('must be "user", "anyone", "role:x" or "package.module:callable"')
    return parsed


@values.reads(
    "Sequence[str] | str", {"anyOf": [values.TEXT, {"type": "array", "items": values.TEXT}]}
)
def cors_origins(value: object) -> str | tuple[str, ...]:
    """``"*"``, one origin, or a list of origins."""
    if value in ("*", ["*"], ("*",)):
        return "*"
    if isinstance(value, str):
        return (origin(value),)
    return values.list_of(origin, what="origins")(value)
