"""Values shaped by HTTP: header names, methods, origins, paths, networks. ValueError says why."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from ..auth.gate import Authorize, is_rule
from ..headers import HOP_BY_HOP, HeaderPatterns, is_token
from ..model import AllowedNetwork, ExposeHeader, RateLimit
from ..policy.addresses import parse_allow_network
from ..policy.own_headers import why_not_relayed, why_not_renamed
from ..wrappers.origins import parse_origin
from ..wrappers.server_names import parse_host
from .values import (
    TEXT,
    Flaws,
    Schema,
    count,
    duration,
    expected,
    flaws_of,
    keys_of,
    list_of,
    reads,
    text,
)

_METHOD = re.compile(r"[A-Z][A-Z0-9-]*")
_MEDIA = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_CALLABLE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)

# Framing belongs to the connection (RFC 9110 sections 7.2, 8.6, 10.1.1; RFC 9113 section 3.1).
CONNECTION_HEADERS = frozenset(name.decode("ascii") for name in HOP_BY_HOP) | frozenset(
    {"content-length", "expect", "host", "http2-settings"}
)


def _table(**members: Schema) -> Schema:
    """The schema of an inline table that has to have all of *members*."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


@reads("str", TEXT)
def header_name(value: object) -> str:
    """A field name (RFC 9110 section 5.1) that does not belong to the connection."""
    name = text(value)
    if not is_token(name):
        raise ValueError("is not a header name")
    if name.lower() in CONNECTION_HEADERS:
        raise ValueError(f"{name} belongs to the connection and is never set by a route")
    return name


@reads("str", TEXT)
def header_pattern(value: object) -> str:
    """A field name, or the beginning of some: ``X-Stainless-*``."""
    name = text(value)
    try:
        HeaderPatterns((name,))
    except ValueError:
        raise ValueError('is not a header name, nor a pattern such as "X-Stainless-*"') from None
    if name.lower() in CONNECTION_HEADERS:
        raise ValueError(f"{name} belongs to the connection and is never passed on")
    return name


@reads("str", TEXT)
def relayed_pattern(value: object) -> str:
    """A response header that a route may relay, or a pattern of some."""
    name = text(value)
    reason = why_not_relayed(name)
    if reason:
        raise ValueError(reason)
    return name


@reads("ExposeHeader", _table(**{"from": TEXT, "to": TEXT}))
def expose_header(value: object) -> ExposeHeader:
    """``{ from = "Location", to = "X-WHIP-Resource" }``."""
    if isinstance(value, ExposeHeader):
        value = {"from": value.from_, "to": value.to}
    keys_of(value, required=("from", "to"))
    assert isinstance(value, Mapping)
    flaws: list[tuple[str, str]] = []
    for key in ("from", "to"):
        try:
            text(value[key])
        except ValueError as error:
            flaws += flaws_of(error, f".{key}")
    if not flaws:
        problems = why_not_renamed(value["from"], value["to"])
        flaws = [(f".{end}", reason) for end, reason in problems]
    if flaws:
        raise Flaws(*flaws)
    return ExposeHeader(value["from"], value["to"])


@reads(
    "RateLimit | Mapping[str, float | str] | None",
    {"anyOf": [_table(requests=count.schema, window=duration.schema), {"const": False}]},
)
def rate_limit(value: object) -> RateLimit | None:
    """``{ requests = 200, window = "15m" }``, or ``false`` (``None`` in code) for none."""
    if value is False or value is None:
        return None
    if isinstance(value, RateLimit):
        value = {"requests": value.requests, "window": value.window}
    if not isinstance(value, Mapping):
        raise expected('{ requests = 200, window = "15m" } or false', value)
    keys_of(value, required=("requests", "window"))
    parsed: list[float] = []
    flaws: list[tuple[str, str]] = []
    for key, number in (("requests", count), ("window", duration)):
        try:
            parsed.append(number(value[key]))
        except ValueError as error:
            flaws += flaws_of(error, f".{key}")
    if flaws:
        raise Flaws(*flaws)
    return RateLimit(requests=int(parsed[0]), window=parsed[1])


@reads("str", {**TEXT, "pattern": _METHOD.pattern})
def method(value: object) -> str:
    """A request method; they are case-sensitive (RFC 9110 section 9.1)."""
    parsed = text(value)
    if _METHOD.fullmatch(parsed) is None:
        raise ValueError('is not a method; methods are upper-case, such as "POST"')
    if parsed in ("OPTIONS", "CONNECT", "TRACE"):
        raise ValueError(f"{parsed} can not be proxied (the server itself answers OPTIONS)")
    return parsed


@reads("str", TEXT)
def content_type(value: object) -> str:
    """``type/subtype`` without parameters, or ``*/*`` for any."""
    parsed = text(value).lower()
    if parsed != "*/*" and _MEDIA.fullmatch(parsed) is None:
        raise ValueError(
            'is not a content type such as "application/json" (no parameters), or "*/*"'
        )
    return parsed


@reads("str", TEXT)
def origin(value: object) -> str:
    """An Origin as a browser sends it (RFC 6454 section 6.2): ``scheme://host[:port]``."""
    parsed = text(value)
    if parsed == "null":
        raise ValueError('"null" is every sandboxed page\'s origin and is never allowed')
    if parsed == "*":
        raise ValueError('write cors_origins = "*" alone for any origin')
    spelled = parse_origin(parsed)
    if spelled is None:
        raise ValueError(
            'is not an origin: write "scheme://host[:port]", without path or closing "/"'
        )
    if spelled != parsed:
        raise ValueError(f'is not spelled as browsers do; write "{spelled}"')
    return parsed


@reads("str", TEXT)
def server_name(value: object) -> str:
    """A host name or address that clients use for this server, lower-cased; any port matches."""
    parsed = text(value)
    host = parse_host(parsed.encode("utf-8"))
    if host is None or host.port:
        raise ValueError('is not a host name such as "proxy.example.org", without a port')
    return host.name.decode("ascii")


@reads("str", {**TEXT, "pattern": f"^{_PATH.pattern}$"})
def mount_path(value: object) -> str:
    """A route's path below ``base_path``: plain segments, no trailing slash."""
    parsed = text(value)
    segments = parsed.split("/")
    if _PATH.fullmatch(parsed) is None or "." in segments or ".." in segments:
        raise ValueError('must look like "/assistant/openai-proxy": plain segments, no closing "/"')
    return parsed


@reads("str", TEXT)
def base_path(value: object) -> str:
    """The path that every route stands below; ``""`` or ``"/"`` for none."""
    return "" if value in ("", "/") else mount_path(value)


@reads("str", TEXT)
def network(value: object) -> str:
    """A CIDR such as ``10.0.0.0/8``; a bare address is a network of one."""
    parsed = text(value)
    try:
        found = ipaddress.ip_network(parsed)
    except ValueError:
        raise ValueError('is not a network such as "10.0.0.0/8" (host bits must be zero)') from None
    if found.prefixlen == 0:
        raise ValueError("is the whole internet: any client could forge its address")
    return str(found)


@reads("AllowedNetwork | str", TEXT)
def allow_network(value: object) -> AllowedNetwork:
    """``127.0.0.1/32:9100``, see :func:`naap_twisted.policy.addresses.parse_allow_network`."""
    return value if isinstance(value, AllowedNetwork) else parse_allow_network(text(value))


allow_networks = list_of(allow_network, what='networks such as "127.0.0.1/32:9100"')


@reads("str", TEXT)
def dns_server(value: object) -> str:
    """An IP address, with or without a port: ``9.9.9.9``, ``127.0.0.1:5353``, ``[::1]:53``."""
    parsed = text(value)
    match = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?|([0-9.]+)(?::([0-9]{1,5}))?", parsed)
    host, port = (match[1] or match[3], match[2] or match[4]) if match else (parsed, None)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError('is not an IP address such as "9.9.9.9" or "[::1]:53"') from None
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError("has a port that is not 1 to 65535")
    return parsed


@reads("Authorize | None", TEXT)
def authorize(value: object) -> Authorize | None:
    """``"user"``, ``"anyone"``, ``"role:x"`` or ``"package.module:callable"``; code may give it.

    A callable that is named is imported only when the route is built.
    """
    if value is None or callable(value):
        return value
    parsed = text(value)
    if not is_rule(parsed) and _CALLABLE.fullmatch(parsed) is None:
        raise ValueError('must be "user", "anyone", "role:x" or "package.module:callable"')
    return parsed


@reads("Sequence[str] | str", {"anyOf": [TEXT, {"type": "array", "items": TEXT}]})
def cors_origins(value: object) -> str | tuple[str, ...]:
    """``"*"``, one origin, or a list of origins."""
    if value in ("*", ["*"], ("*",)):
        return "*"
    if isinstance(value, str):
        return (origin(value),)
    return list_of(origin, what="origins")(value)
