"""``GET /console/setup``: what a developer needs to call this server. Names, never values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..route.spine import MountedProxy
from ..server.mounts import Mount

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

# Listening everywhere is listening here, too.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def setup_of(server: PluginServer, tries: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The document.

    :param tries: a target to try, by the route's full path.
    """
    options = server.parts.options
    listed = options.cors_origins
    wildcard = listed == "*" or tuple(listed) == ("*",)
    origins: str | list[str] = [listed] if isinstance(listed, str) else [*listed]
    return {
        "service": server.title,
        "origins": own_origins(server),
        "listeners": server.addresses(),
        "uptime": round(server.parts.clock.seconds() - server.parts.born, 3),
        "base_path": options.base_path,
        "auth": server.require_auth,
        "cors_origins": "*" if wildcard else origins,
        "routes": [
            {**_route(mount, mount.proxy, server), "try": (tries or {}).get(mount.full_path)}
            for mount in server.routes()
            if mount.proxy is not None
        ],
    }


def own_origins(server: PluginServer) -> list[str]:
    """Root URLs of the server's own listeners, under a name that it answers to; https first."""
    names = server.parts.options.server_names
    found: dict[str, None] = {}
    for address in server.addresses():
        scheme, split, rest = address.partition("://")
        if not split:
            continue  # a UNIX socket has no URL
        host, _, port = rest.rpartition(":")
        host = _EVERYWHERE.get(host.strip("[]"), host.strip("[]"))
        if names and host not in names:
            host = names[0].strip("[]")
        shown = f"[{host}]" if ":" in host else host
        default = {"http": "80", "https": "443"}[scheme]
        found.setdefault(f"{scheme}://{shown}" + ("" if port == default else f":{port}"))
    return sorted(found, key=lambda origin: not origin.startswith("https:"))


def authority_of(origin: str) -> str:
    """What a browser sends as Host to *origin*."""
    return urlsplit(origin).netloc


def effective_rule(proxy: MountedProxy, server: PluginServer) -> str:
    """Who may call the route: ``"user"``, ``"anyone"``, ``"role:x"`` or ``"callable"``."""
    rule = proxy.route.authorize
    if rule is None:
        return "user" if server.require_auth else "anyone"
    return rule if isinstance(rule, str) else "callable"


def _route(mount: Mount, proxy: MountedProxy, server: PluginServer) -> dict[str, Any]:
    route, pinned = proxy.route, proxy.route.pinned
    return {
        "path": mount.full_path,
        "kind": "listed" if pinned is None else "pinned",
        "methods": [*mount.methods],
        "target_url_header": route.target_url_header if pinned is None else None,
        "content_types": [*route.body.content_types],
        "allowed_hosts": [rule.text for rule in proxy.egress.rules],
        "allowed_schemes": [*proxy.egress.schemes],
        "allowed_ports": None if proxy.egress.ports is None else [*proxy.egress.ports],
        # Without its query, which may hold a key. PinnedBase refuses one anyway.
        "target": None if pinned is None else pinned.base.url.partition("?")[0],
        "authorize": effective_rule(proxy, server),
        "injects": [*route.injects],
        "whip": mount.has_sessions,
    }
