"""Options judged beside one another: by the rules, and by the parts that know more.

An option that has a problem of its own already is not judged again, nor is what can't be told
without it.
"""

from __future__ import annotations

from ipaddress import ip_network

from attrs import fields_dict

from ..auth import signing_keys
from ..auth.guests import PATH as GUEST_PATH
from ..auth.jwt import SECRET_VARIABLES
from ..errors import ConfigError
from ..model import AllowedNetwork, UserKeyHeader
from ..policy.egress import EgressPolicy
from .auth import BY_CODE, KEYS, AuthOptions
from .client_certs import HasClientCertificate, check_pair
from .listen import check_admin, heard_twice
from .opened import judge_endpoints
from .option import options_of
from .read import Problems
from .route import RouteOptions
from .rules import (
    AUTH,
    EXPOSURE,
    PLACED,
    ROUTE,
    SERVER,
    STORES,
    TOKENS,
    USAGE_PATH,
    Placed,
    keeps_keys,
    tells_usage,
)
from .server import Config

_EVERYWHERE = (AllowedNetwork(ip_network("0.0.0.0/0")), AllowedNetwork(ip_network("::/0")))


def judge(config: Config, problems: Problems) -> None:
    """Note what no single option of a file could show."""
    judge_server(config, problems)
    _duplicates(config, problems)
    for index, route in enumerate(config.proxy):
        place = f"proxy[{index}]"
        if problems.touch(place) and route == RouteOptions():
            continue
        if not problems.touch(f"{place}.path"):
            judge_path(config, route.path, f"{place}.path", problems)
        judge_alone(route, place, problems)
        judge_placed(config, route, place, problems)
        judge_exposure(config, route, place, problems)


def judge_server(config: Config, problems: Problems) -> None:
    """Note what is wrong with a server, its routes left out."""
    _auth(config.auth, problems)
    for rule in STORES:
        rule.judge(config, "keys", problems)
    for rule in SERVER:
        rule.judge(config, "server", problems)
    for rule in TOKENS:
        rule.judge(config, "auth", problems)
    _client_certificate(config.upstream, "upstream", problems)
    _listening(config, problems)


def judge_alone(route: RouteOptions, place: str, problems: Problems) -> None:
    """Note what is wrong with a route wherever it stands."""
    for rule in ROUTE:
        rule.judge(route, place, problems)
    _client_certificate(route, place, problems)
    if route.target is None:
        _target_as_key(route, place, problems)


def _client_certificate(section: HasClientCertificate, place: str, problems: Problems) -> None:
    certificate, key = section.client_cert, section.client_key
    names = "client_cert", "client_key"
    if problems.touch(*(f"{place}.{name}" for name in names)) or certificate is key is None:
        return
    if certificate is None or key is None:
        missing, there = names if certificate is None else names[::-1]
        problems.add(f"{place}.{there}", f"has no meaning without {missing}; set both")
        return
    with problems.noting(f"{place}.client_key"):
        check_pair(certificate, key)


def _target_as_key(route: RouteOptions, place: str, problems: Problems) -> None:
    # A key in the header that names the target would be the page's to set, and to read.
    for below, table in route.key_tables.items():
        for name in table.header_names:
            if name.lower() == route.header.lower():
                problems.add(
                    f"{place}.{below}forward_headers.{name}",
                    "is the route's target_url_header, which the page sets;"
                    " put the key into another header",
                )


def judge_anywhere(route: RouteOptions, place: str, problems: Problems) -> None:
    """The same, and what it is in every place; its server's own networks may open the rest."""
    judge_alone(route, place, problems)
    _egress(route, (*route.allow_networks, *_EVERYWHERE), place, problems)


def judge_placed(config: Config, route: RouteOptions, place: str, problems: Problems) -> None:
    """Note what is wrong with a route on its server."""
    at = Placed(config, route)
    if not problems.touch("upstream.allow_networks"):
        _egress(route, at.networks, place, problems)
    for rule in PLACED:
        rule.judge(at, place, problems)
    _user_keys(at, place, problems)


def judge_exposure(config: Config, route: RouteOptions, place: str, problems: Problems) -> None:
    """Note an open relay that nobody asked for."""
    # A key that can't be read is no less in use for that.
    options = ("forward_headers", "forward_query", "hosts", "oauth2", "sign", "client_cert")
    unread = (f"{place}.{option}" for option in options)
    if route.carries_key or config.upstream.client_cert or problems.touch(*unread):
        EXPOSURE.judge(Placed(config, route), place, problems)


def judge_path(config: Config, path: str, place: str, problems: Problems) -> None:
    """Note a mount path at which a route of the server's own stands."""
    first = path.split("/")[1]
    if (
        (first == "healthz" and not config.server.base_path)
        or (first == "keys" and keeps_keys(config))
        or (path == USAGE_PATH and tells_usage(config))
        or (path == GUEST_PATH and config.auth.mode == "guest")
        or (config.auth.page_tokens is not None and (path + "/").startswith("/tokens/"))
    ):
        problems.add(place, f'"{path}" is the server\'s own; choose another')


def _duplicates(config: Config, problems: Problems) -> None:
    first: dict[tuple[str, str], int] = {}
    for index, route in enumerate(config.proxy):
        where = f"proxy[{index}].path"
        if problems.touch(where):
            continue
        owners = [first.setdefault((route.path, method), index) for method in route.methods]
        for owner in [owner for owner in owners if owner != index][:1]:
            problems.add(where, f'"{route.path}" is already the path of proxy[{owner}]')


def _auth(auth: AuthOptions, problems: Problems) -> None:
    if problems.touch("auth.mode"):
        return
    for rule in AUTH:
        rule.judge(auth, "auth", problems)
    for key, option in options_of(AuthOptions).items():
        unset = getattr(auth, key) == fields_dict(AuthOptions)[key].default
        if not unset and option.mode not in ("", auth.mode) and auth.mode != BY_CODE:
            problems.add(f"auth.{key}", f'has no meaning in mode "{auth.mode}"; delete it')
    keys = (f"auth.{key}" for key in (*KEYS, "algorithms"))
    if auth.mode == "jwt" and not problems.touch(*keys):
        _jwt_keys(auth, problems)


def _jwt_keys(auth: AuthOptions, problems: Problems) -> None:
    keys = [key for key in KEYS if getattr(auth, key)]
    if not keys:
        problems.add(
            "auth.secret",
            "is missing, and so are public_key_file and jwks_url;"
            f" neither {' nor '.join(SECRET_VARIABLES)} is set",
        )
        return
    for key in keys[1:]:
        problems.add(f"auth.{key}", f"has no meaning beside {keys[0]}; delete one of them")
    secret = keys[0] == "secret"
    known = signing_keys.SECRET_ALGORITHMS if secret else signing_keys.PUBLIC_ALGORITHMS
    with problems.noting("auth.algorithms"):
        signing_keys.check_algorithms(auth.named_algorithms, known)
    if problems.touch("auth.algorithms"):
        return
    if auth.secret is not None:
        with problems.noting("auth.secret"):
            # How long a secret has to be, its algorithms say.
            signing_keys.secret_key(auth.secret, auth.named_algorithms)
    if keys[0] == "public_key_file":
        public_key = signing_keys.public_key(auth.public_key_file)
        for name in auth.algorithms:
            if not signing_keys.fits(public_key, name):
                problems.add("auth.algorithms", f"{name} does not go with public_key_file")


def _listening(config: Config, problems: Problems) -> None:
    server = config.server
    for index, other in heard_twice(server.listen):
        where = f"server.listen[{index}]"
        problems.add(where, f"is heard at {other.description} already; choose another port")
    if server.admin_listen and not problems.touch("server.admin_listen"):
        with problems.noting("server.admin_listen"):
            check_admin(server.admin_listen, server.listen, remote=server.admin_remote)


def _egress(
    route: RouteOptions, networks: tuple[AllowedNetwork, ...], place: str, problems: Problems
) -> None:
    """Note what the egress policy refuses, in its own words."""
    if problems.touch(f"{place}.target"):
        return
    try:
        if route.target is not None:
            base = route.target.base
            EgressPolicy((base.host,), (base.scheme,), (base.port,), networks, pinned=True)
    except ConfigError as error:
        for line in error.problems:
            problems.add(f"{place}.target", line.partition(": ")[2])
    if not route.allowed_hosts or route.is_pinned_alone:
        if route.target is not None:
            judge_endpoints(route, None, place, problems)
        return
    try:
        schemes, ports = route.allowed_schemes, route.allowed_ports
        policy = EgressPolicy(route.allowed_hosts, schemes, ports, networks)
        judge_endpoints(route, None if route.target else policy, place, problems)
        for position, host in enumerate(route.hosts, start=1):
            if route.target is None and not policy.lists(host):
                # The name is not quoted: somebody may have written a key in its place.
                where = f"{place}.hosts[name {position}]"
                problems.add(where, "is no host of allowed_hosts; list it there, too")
    except ConfigError as error:
        for line in error.problems:
            key, _, reason = line.partition(": ")
            problems.add(f"{place}.{key}", reason)


def _is_for_anyone(at: Placed) -> bool:
    return at.route.authorize == "anyone" or at.config.auth.mode == "none"


def _user_keys(at: Placed, place: str, problems: Problems) -> None:
    values = (
        (f"{place}.{below}{option}.{name}", value)
        for below, table in at.route.key_tables.items()
        for option, name, value in table.values()
    )
    if at.route.body is not None and at.route.body.needs_user and _is_for_anyone(at):
        problems.add(f"{place}.body.set", "${user:...} needs auth: whose word would it be?")
    for where, value in values:
        if not isinstance(value, UserKeyHeader):
            continue
        unclear = problems.touch("keys.master_key", "server.database_url")
        if not keeps_keys(at.config) and not unclear:
            problems.add(where, "${user_key:...} needs master_key; set it")
        if _is_for_anyone(at):
            problems.add(where, "${user_key:...} needs auth: whose key would it be?")
        elif at.config.auth.mode == "guest":
            problems.add(where, "${user_key:...} needs users who sign in: guests keep no keys")
