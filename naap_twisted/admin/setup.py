"""``GET /console/setup``: what a developer needs to call this server; never a secret's value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..options.rules import effective_authorize
from ..route.spine import MountedProxy
from ..server.mounts import Mount

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

# A listener on every interface can be reached on loopback, too.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def setup_of(server: PluginServer, tries: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON document of ``/console/setup``.

    :param tries: a target URL for a developer to try first, by the route's full path.
    """
    options = server.parts.options
    origins = options.cors_origins
    return {
        "service": server.title,
        "origins": own_origins(server),
        "listeners": server.addresses(),
        "uptime": round(server.parts.clock.seconds() - server.parts.born, 3),
        "base_path": options.base_path,
        "auth": server.require_auth,
        "cors_origins": origins if isinstance(origins, str) else [*origins],
        "routes": [
            {**_route(mount, mount.proxy, server), "try": (tries or {}).get(mount.full_path)}
            for mount in server.routes()
            if mount.proxy is not None
        ],
    }


def own_origins(server: PluginServer) -> list[str]:
    """The root URLs of the server's TCP listeners, by a name that it answers to; https first."""
    names = server.parts.options.server_names
    roots: dict[str, None] = {}
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
        roots.setdefault(f"{scheme}://{shown}" + ("" if port == default else f":{port}"))
    return sorted(roots, key=lambda origin: not origin.startswith("https:"))


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
        "target": None if pinned is None else pinned.shown(pinned.base),
        "authorize": effective_authorize(server.config, proxy.options),
        "injects": [*proxy.injects],
        "whip": mount.has_sessions,
    }
