"""A checked config to a server with its routes mounted. Opens no socket: starting it does."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import attrs

from .auth.gate import is_rule
from .auth.jwt import JwtAuthenticator, JwtOptions
from .auth.session import SessionAuthenticator
from .config import AuthConfig, Config, ProxyConfig, UpstreamConfig
from .create import create_plugin_server
from .downstream.limits import DownstreamLimits
from .errors import ConfigError
from .external_proxy import ExternalProxy, create_external_proxy
from .interfaces import IAuthenticator
from .keys.headers import UserKeyHeaders
from .limits.capacity import CapacityLimits
from .limits.in_flight import InFlightLimit
from .model import UserKeyHeader
from .route_options import ForwardHeaders
from .secret import Secret
from .server import PluginServer
from .state import State, StateOptions

Authorize = str | Callable[..., Any] | None


def import_object(reference: str) -> Any:
    """The object that ``"package.module:name"`` names.

    :raises ConfigError: one line: not such a reference, no such module, no such name, or the
        module itself failed as it was imported.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ConfigError(f'"{reference}" is not of the form package.module:name')
    try:
        found: Any = importlib.import_module(module_name)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"cannot import {module_name}: {type(error).__name__}: {error}{_place(error)}"
        ) from error
    for attribute in name.split("."):
        if not hasattr(found, attribute):
            raise ConfigError(f"{module_name} has no {name}")
        found = getattr(found, attribute)
    return found


def _place(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None or frame.tb_frame.f_code.co_filename.startswith("<frozen"):
        return ""
    return f" ({frame.tb_frame.f_code.co_filename}, line {frame.tb_lineno})"


def authorizers(config: Config) -> tuple[Authorize, ...]:
    """Each route's ``authorize`` as the config says it, callables imported.

    :raises ConfigError: one line for each that can't be had.
    """
    found: list[Authorize] = []
    problems: list[str] = []
    for index, route in enumerate(config.proxy):
        if route.authorize is None or is_rule(route.authorize):
            found.append(route.authorize)
            continue
        try:
            imported = import_object(route.authorize)
            if not callable(imported):
                raise ConfigError(f"{route.authorize} is not callable")
            found.append(imported)
        except ConfigError as error:
            problems += [f"proxy[{index}].authorize: {line}" for line in error.problems]
    if problems:
        raise ConfigError(*problems)
    return tuple(found)


def build_server(config: Config) -> PluginServer:
    """The server that *config* describes, not started.

    :raises ConfigError: one line a problem: an ``authorize`` that can't be imported, or what the
        parts themselves refuse.
    """
    authorize = authorizers(config)
    server = _build_empty(config)
    problems: list[str] = []
    for index, route in enumerate(config.proxy):
        try:
            server.mount(route.path, _build_proxy(route, authorize[index], server))
        except ConfigError as error:
            problems += [f"proxy[{index}].{line}" for line in error.problems]
    if problems:
        raise ConfigError(*problems)
    return server


def checked_server(config: Config) -> PluginServer:
    """The server that *config* describes, about to start: for twistd and for ``check``.

    :raises ConfigError: as :func:`build_server`, or what the start would refuse.
    """
    server = build_server(config)
    try:
        server.check_start()
    except ConfigError as error:
        raise ConfigError(*map(_server_line, error.problems)) from None
    return server


def rotate_keys(config: Config) -> int:
    """Seal every user's key with the first master key, in the process at hand; how many.

    :raises ConfigError: there is no store, or a key in it does not open. Nothing changed then.
    """
    from twisted.internet import reactor

    server = config.server
    options = StateOptions(
        state_dir=server.state_dir or None,
        database_url=server.database_url,
        master_key=config.keys.master_key,
    )
    return State(options, reactor, name=server.name).rotate_keys()


def _build_empty(config: Config) -> PluginServer:
    server, upstream = config.server, config.upstream
    try:
        return create_plugin_server(
            server.name,
            listen=tuple(listen.description for listen in server.listen),
            base_path=server.base_path,
            cors_origins=server.cors_origins,
            cors_headers=server.cors_headers,
            require_auth=config.auth.is_required,
            authenticator=_authenticator(config.auth, upstream.ca_file),
            compression=server.compression,
            security_headers=server.security_headers,
            https_redirect=server.https_redirect,
            hsts=server.hsts,
            rate_limit=server.rate_limit,
            user_rate_limit=server.user_rate_limit,
            trusted_proxies=server.trusted_proxies,
            server_names=server.server_names,
            allow_networks=upstream.allow_networks,
            dns_servers=upstream.dns_servers,
            ca_file=upstream.ca_file or None,
            drain_timeout=server.drain_timeout,
            admin_listen=server.admin_listen,
            admin_remote=server.admin_remote,
            state_dir=server.state_dir or None,
            database_url=server.database_url,
            master_key=config.keys.master_key,
            redis_url=config.redis.url,
            on_redis_loss=config.redis.on_redis_loss,
            limits=_browser_side(config.auth),
            capacity=CapacityLimits(
                total=_queued(server.max_in_flight),
                user=_queued(server.max_in_flight_per_user),
            ),
        )
    except ConfigError as error:
        raise ConfigError(*map(_server_line, error.problems)) from None


def _authenticator(auth: AuthConfig, ca_file: str) -> IAuthenticator | None:
    if auth.mode == "none":
        return None
    if auth.mode == "session":
        return SessionAuthenticator(
            auth.session_url,
            cache_ttl=auth.cache_ttl,
            timeout=auth.session_timeout,
            session_cookie=auth.session_cookie,
            csrf_cookie=auth.csrf_cookie,
            ca_file=ca_file,
        )
    algorithms = auth.named_algorithms
    options = JwtOptions(
        audience=auth.audience,
        issuer=auth.issuer or None,
        leeway=auth.leeway,
        session_cookie=auth.session_cookie,
        csrf_cookie=auth.csrf_cookie,
    )
    if auth.secret is not None:
        return JwtAuthenticator.from_secret(auth.secret, algorithms, options)
    if auth.public_key_file:
        return JwtAuthenticator.from_public_key(auth.public_key_file, algorithms, options)
    return JwtAuthenticator.from_jwks(auth.jwks_url, algorithms, options, ca_file=ca_file)


def _browser_side(auth: AuthConfig) -> DownstreamLimits:
    limits = DownstreamLimits()
    if auth.mode != "session":
        return limits
    # A session service has the time that its own option gives it.
    patience = max(limits.callable_timeout, auth.session_timeout + 1.0)
    return attrs.evolve(limits, callable_timeout=patience)


def _queued(running: int) -> InFlightLimit:
    return InFlightLimit(running, min(running, 1_000))


# Options of create_plugin_server that a file has in a section of their own.
_MOVED = {
    "master_key": "keys.master_key",
    "redis_url": "redis.url",
    "on_redis_loss": "redis.on_redis_loss",
}


def _server_line(line: str) -> str:
    key = re.split(r"[:\[]", line, maxsplit=1)[0]
    if "." in key or key.startswith("/"):
        return line
    if key in _MOVED:
        return _MOVED[key] + line[len(key) :]
    section = "upstream" if key in attrs.fields_dict(UpstreamConfig) else "server"
    return f"{section}.{line}"


def _forward_headers(route: ProxyConfig, server: PluginServer) -> ForwardHeaders | None:
    values = route.forward_headers
    if any(isinstance(value, UserKeyHeader) for value in values.values()):
        return UserKeyHeaders(values, server.keys)
    return {name: value for name, value in values.items() if isinstance(value, Secret)} or None


def _build_proxy(route: ProxyConfig, authorize: Authorize, server: PluginServer) -> ExternalProxy:
    where: dict[str, Any]
    if route.target is not None:
        where = {"target": route.target}
    else:
        where = {
            "allowed_hosts": route.allowed_hosts,
            "allowed_schemes": route.allowed_schemes,
            "allowed_ports": route.allowed_ports,
            "target_url_header": route.target_url_header or "X-Target-URL",
        }
    return create_external_proxy(
        **where,
        methods=route.methods,
        content_type=route.content_type,
        body_limit=route.body_limit,
        timeout=route.timeout,
        connect_timeout=route.connect_timeout,
        idle_timeout=route.idle_timeout,
        total_timeout=route.total_timeout,
        errors=route.errors,
        max_in_flight=route.max_in_flight,
        redact_bodies=route.redact_bodies,
        pass_headers=route.pass_headers,
        response_headers=route.response_headers,
        expose_headers=route.expose_headers,
        rate_limit=route.rate_limit,
        count_tokens=route.count_tokens,
        location_ttl=route.location_ttl,
        follow_redirects=route.follow_redirects,
        forward_headers=_forward_headers(route, server),
        authorize=authorize,
    )
