"""Cautions: what is allowed but a server's owner should know, said by the start and ``check``."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import AllowedNetwork
from ..options.listen import parse_listen
from ..policy.addresses import format_allow_network
from .mounts import Mount


def of_routes(
    mounts: Sequence[Mount],
    base_path: str,
    listen: Sequence[str],
    networks: Sequence[AllowedNetwork],
) -> list[str]:
    """The cautions about routes: internal addresses that are open, keys that anyone can spend.

    And what may be meant otherwise: who says whose address it is, a path with the base path twice.

    :param networks: the server's ``allow_networks``, which hold for every route.
    """
    routes = [(mount.full_path, mount.proxy) for mount in mounts if mount.proxy]
    opened = {*networks}.union(*(proxy.egress.allow_networks for _, proxy in routes))
    remote = [text for text in listen if not parse_listen(text).local]
    lines = [
        f"{text}: whoever connects there says which address it has; let nobody but the front do so"
        for text, endpoint in zip(listen, map(parse_listen, listen), strict=True)
        if endpoint.fronted and not endpoint.closed
    ]
    if opened:
        listed = ", ".join(sorted(map(format_allow_network, opened)))
        lines.append(f"allow_networks lets callers reach addresses that are not public: {listed}")
    lines += [
        f'{mount.full_path}: path = "{mount.path}" begins with base_path = "{base_path}", which'
        f" stands before every path; for {mount.path} write path ="
        f' "{mount.path.removeprefix(base_path) or "/"}"'
        for mount in mounts
        if base_path and f"{mount.path}/".startswith(f"{base_path}/")
    ]
    for path, proxy in routes:
        if remote and proxy.route.injects and proxy.route.authorize == "anyone":
            lines.append(
                f'{path}: authorize = "anyone" and {", ".join(proxy.route.injects)} injected:'
                f" whoever reaches {', '.join(remote)} can spend the key; cors_origins binds"
                " browsers only"
            )
    return lines


def as_root(user: int) -> list[str]:
    """The caution for *user* 0 (an effective user id): whoever breaks in may do everything."""
    if user != 0:
        return []
    return ["runs as root; start twistd with --uid USER, which it becomes once its ports are open"]
