"""Keys judged against one another: duplicate paths, pinned routes, open relays. Pure."""

from __future__ import annotations

from ..auth.gate import is_rule
from ..egress import EgressPolicy
from ..errors import ConfigError
from ..target import PinnedBase
from .auth import judge_auth
from .listen import check_admin
from .read import Problems
from .schema import Config, ProxyConfig
from .stores import judge_stores

_OWN_PATHS = ("/healthz",)


def on_loopback(config: Config) -> bool:
    """Whether every listening address is reachable from this machine only."""
    return all(listen.local for listen in config.server.listen)


def effective_authorize(config: Config, route: ProxyConfig) -> str:
    """``authorize`` with the contract's default filled in."""
    if route.authorize is not None:
        return route.authorize
    return "user" if config.auth.is_required or not on_loopback(config) else "anyone"


def judge(config: Config, problems: Problems) -> None:
    """Note what no single key could show. A key already in *problems* is not judged again."""
    judge_auth(config.auth, problems)
    judge_stores(config, problems)
    _admin(config, problems)
    _duplicate_paths(config, problems)
    for index, route in enumerate(config.proxy):
        path = f"proxy[{index}]"
        if problems.touch(path) and route == ProxyConfig():
            continue
        _egress(config, route, path, problems)
        _cleartext(config, route, path, problems)
        _relay(config, route, path, problems)


def _admin(config: Config, problems: Problems) -> None:
    server = config.server
    if not server.admin_listen or problems.touch("server.admin_listen"):
        return
    public = [listen.description for listen in server.listen]
    try:
        check_admin(server.admin_listen, public, remote=server.admin_remote)
    except ValueError as error:
        problems.add("server.admin_listen", str(error))


def _duplicate_paths(config: Config, problems: Problems) -> None:
    first: dict[str, int] = {}
    for index, route in enumerate(config.proxy):
        where = f"proxy[{index}].path"
        if problems.touch(where):
            continue
        if config.server.base_path + route.path in _OWN_PATHS:
            problems.add(where, f'"{route.path}" is the server\'s own')
        if route.path in first:
            problems.add(where, f'"{route.path}" is already the path of proxy[{first[route.path]}]')
        first.setdefault(route.path, index)


def _egress(config: Config, route: ProxyConfig, path: str, problems: Problems) -> None:
    networks = config.upstream.allow_networks
    try:
        if route.target is None:
            _header_route(config, route, path, problems)
            return
        _pinned_keys(route, path, problems)
        if problems.touch(f"{path}.target"):
            return
        base = PinnedBase.parse(route.target).base
        EgressPolicy((base.host,), (base.scheme,), (base.port,), networks)
    except ConfigError as error:
        for line in error.problems:
            _, _, reason = line.partition(": ")
            problems.add(f"{path}.target", reason)


def _header_route(config: Config, route: ProxyConfig, path: str, problems: Problems) -> None:
    if problems.touch(f"{path}.target"):
        return
    if not route.allowed_hosts:
        if not problems.touch(f"{path}.allowed_hosts"):
            problems.add(f"{path}.allowed_hosts", "is missing (or pin the route with target)")
        return
    try:
        EgressPolicy(
            route.allowed_hosts,
            route.allowed_schemes,
            route.allowed_ports,
            config.upstream.allow_networks,
        )
    except ConfigError as error:
        for line in error.problems:
            where, _, reason = line.partition(": ")
            problems.add(f"{path}.{where}", reason)


def _pinned_keys(route: ProxyConfig, path: str, problems: Problems) -> None:
    for key, given in (
        ("allowed_hosts", bool(route.allowed_hosts)),
        ("allowed_schemes", route.allowed_schemes != ("https",)),
        ("allowed_ports", route.allowed_ports is not None),
        ("target_url_header", route.target_url_header is not None),
    ):
        if given:
            problems.add(f"{path}.{key}", "has no meaning beside target; delete one of them")


def _cleartext(config: Config, route: ProxyConfig, path: str, problems: Problems) -> None:
    # Over http a key is readable on the way; only the operator's own networks are excepted.
    if not route.forward_headers or config.upstream.allow_networks:
        return
    if problems.touch("upstream.allow_networks"):
        return
    if route.target is not None and route.target.lower().startswith("http:"):
        problems.add(f"{path}.target", "forward_headers are sent over https only")
    elif "http" in route.allowed_schemes:
        problems.add(f"{path}.allowed_schemes", "forward_headers are sent over https only")


def _relay(config: Config, route: ProxyConfig, path: str, problems: Problems) -> None:
    where = f"{path}.authorize"
    if problems.touch(where) or problems.touch("auth.mode") or problems.touch("auth.required"):
        return
    unknown = config.auth.mode == "none"
    if unknown and is_rule(route.authorize) and route.authorize != "anyone":
        problems.add(where, f'"{route.authorize}" needs auth, and auth.mode is "none"')
    elif (
        route.authorize is None
        and not config.auth.is_required
        and not problems.touch("server.listen")
        and not on_loopback(config)
    ):
        injects = route.forward_headers or problems.touch(f"{path}.forward_headers")
        what = (
            "anybody could use the keys in forward_headers" if injects else "no caller has a name"
        )
        why = 'auth.mode is "none"' if unknown else "auth.required is false"
        problems.add(
            where,
            f"{what}: {why} and server.listen is not loopback only; turn auth on,"
            ' listen on loopback, or write authorize = "anyone"',
        )
