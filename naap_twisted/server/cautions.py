"""What a server may do and its owner should know: a line each, at the start and in ``check``."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import AllowedNetwork
from ..options.listen import parse_listen
from ..policy.addresses import format_allow_network
from .mounts import Mount


def of_routes(
    mounts: Sequence[Mount], listen: Sequence[str], networks: Sequence[AllowedNetwork]
) -> list[str]:
    """Of what is mounted, the endpoints listened on, and what every route may reach."""
    routes = [(mount.full_path, mount.proxy) for mount in mounts if mount.proxy]
    opened = {*networks}.union(*(proxy.egress.allow_networks for _, proxy in routes))
    remote = [text for text in listen if not parse_listen(text).local]
    found = []
    if opened:
        told = ", ".join(sorted(map(format_allow_network, opened)))
        found.append(f"allow_networks lets callers reach addresses that are not public: {told}")
    for path, proxy in routes:
        if remote and proxy.route.injects and proxy.route.authorize == "anyone":
            found.append(
                f'{path}: authorize = "anyone" and {", ".join(proxy.route.injects)} injected:'
                f" whoever reaches {', '.join(remote)} can spend the key; cors_origins binds"
                " browsers only"
            )
    return found


def as_root(user: int) -> list[str]:
    """Whether *user*, an effective user id, may do everything: what breaks in then may, too."""
    if user != 0:
        return []
    return ["runs as root; start twistd with --uid USER, which it becomes once its ports are open"]
