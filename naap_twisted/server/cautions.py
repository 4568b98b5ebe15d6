"""Cautions: what is allowed but a server's owner should know, said by the start and ``check``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..headers import TAKEN_OUT
from ..model import UserKeyHeader
from ..options.injected import is_written_out
from ..options.listen import parse_listen
from ..options.secrets import LITERAL, sources_of
from ..options.server import Config
from ..policy.addresses import format_allow_network
from ..policy.host_rules import HostRule
from ..route.spine import MountedProxy
from ..secret import Secret
from ..spend.estimate import UNBOUNDED_OUTPUT
from .mounts import Mount

# Open files of an exchange.
_FILES_EACH = 2
_SOURCES = ("env:", "file:", "user_key:")


def of_files(wanted: int | None, most: int) -> list[str]:
    """The caution about more connections than the limit of open files has room for.

    :param wanted: ``server.max_connections``.
    """
    if wanted is None or wanted <= most:
        return []
    return [
        f"server.max_connections = {wanted} needs {_FILES_EACH * wanted} open files, which is more"
        f" than this process may have: {most} connections are taken. Raise the limit (ulimit -n,"
        " LimitNOFILE=)"
    ]


def of_routes(
    mounts: Sequence[Mount],
    base_path: str,
    listen: Sequence[str],
    config: Config,
    *,
    asks: bool,
) -> list[str]:
    """The cautions about routes: internal addresses that are open, keys that anyone can spend.

    And what may be meant otherwise: who says whose address it is, a path with the base path twice.

    :param config: the server's, of which ``allow_networks`` hold for every route, and
        ``trusted_proxies`` bring callers from other machines.
    :param asks: whether a request needs a user where its route does not say otherwise.
    """
    routes = [(mount.full_path, mount.proxy) for mount in mounts if mount.proxy]
    opened = {*config.upstream.allow_networks}.union(
        *(proxy.egress.allow_networks for _, proxy in routes)
    )
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
    in_front = config.server.trusted_proxies
    fronts = f"what stands in front (trusted_proxies: {', '.join(in_front)})" if in_front else ""
    place = ", ".join(remote) or fronts
    for path, proxy in routes:
        chosen = proxy.route.authorize
        if place and proxy.injects and (chosen == "anyone" or (chosen is None and not asks)):
            lines.append(
                f'{path}: authorize = "anyone" and {", ".join(proxy.injects)} injected:'
                f" whoever reaches {place} can spend the key; cors_origins binds browsers only"
            )
        if proxy.options.observe:
            lines.append(
                f"route {path} observes: it refuses nothing of its own; put in place what"
                " naap-proxy learn prints"
            )
        lines += (f"{path}: {line}" for line in (*_shared(proxy), *_taken_in_vain(proxy)))
        lines += (f"{path}: {line}" for line in _of_budgets(proxy, config))
        lines += (f"{path}: {line}" for line in _of_guests(proxy, config))
        server = config.server
        several = config.redis.url or server.database_url or server.workers > 1
        if proxy.options.replay is not None and several:
            lines.append(
                f"{path}: replay is of each process for itself; where several serve, a retry that"
                " reaches another one goes upstream, with its Idempotency-Key"
            )
    return lines


def _of_budgets(proxy: MountedProxy, config: Config) -> Iterator[str]:
    """The cautions about budgets: a worst case without a bound, a ledger that a restart forgets."""
    options, server = proxy.options, config.server
    budgets = (*server.budget, *options.budget)
    if any(budget.counts_tokens for budget in budgets) and options.max_output_tokens is None:
        yield (
            f"a request without a limit of its own reserves {UNBOUNDED_OUTPUT} tokens of output,"
            " and may cost more; set max_output_tokens"
        )
    if options.budget and not (server.state_dir or server.database_url or config.redis.url):
        yield "its budgets are kept in memory: a restart forgets what was spent; set state_dir"


def _of_guests(proxy: MountedProxy, config: Config) -> Iterator[str]:
    """The cautions about guests, of whom anybody may be as many as the ceilings let in."""
    options, server = proxy.options, config.server
    if config.auth.mode != "guest":
        return
    budgets = (*server.budget, *options.budget)
    holds = any(budget.of != "user" and not budget.audit for budget in budgets)
    if proxy.injects and not (holds or options.rate_limit or server.user_rate_limit):
        yield (
            "guests spend its keys without a budget or a rate limit of their own; set budget ="
            ' [{ requests = 50, per = "day", of = "guest" }]'
        )
    if any(budget.of == "user" for budget in budgets):
        yield 'a budget of = "user" is not about guests; write of = "guest"'


def _taken_in_vain(proxy: MountedProxy) -> Iterator[str]:
    """The cautions about names that are taken out and are not there, or inside a prefix that is.

    Who writes one believes that a header is kept back, and it may pass all the same.
    """
    options = proxy.options
    for option, written, usual in (
        ("pass_headers", options.pass_headers, options.usually_passed),
        ("response_headers", options.response_headers, options.usually_relayed),
    ):
        known = {name.lower() for name in usual}
        for name in written:
            if name.startswith(TAKEN_OUT) and name[len(TAKEN_OUT) :].lower() not in known:
                yield f'{option}: "{name}" takes out nothing; the usual ones are {", ".join(usual)}'


def _shared(proxy: MountedProxy) -> Iterator[str]:
    """The cautions about keys that several hosts get."""
    hosts = proxy.options.hosts
    others = [rule for rule in proxy.egress.rules if rule.below or rule.host not in hosts]
    tables = [(proxy.options.keys, others)]
    tables += ((table, [HostRule(host, host)]) for host, table in hosts.items())
    reached: dict[str | Secret, list[HostRule]] = {}
    shown: dict[str | Secret, str] = {}
    for table, rules in tables:
        for _, name, value in table.values():
            for key in _identities(name, value):
                shown[key] = key if isinstance(key, str) else f"the value of {name}"
                reached.setdefault(key, []).extend(rules)
    for key, rules in reached.items():
        names = dict.fromkeys(f"every host of {r.text}" if r.below else r.host for r in rules)
        if len(names) > 1 or any(rule.below for rule in rules):
            yield (
                f"{shown[key]} goes to {', '.join(names)}: whoever answers there could use"
                " it at the others; hosts gives each host keys of its own"
            )


def _identities(name: str, value: Secret | UserKeyHeader) -> Sequence[str | Secret]:
    """What tells a key from others: its sources, or the key itself where it has none."""
    sources = [each for each in sources_of(value.source) if each.startswith(_SOURCES)]
    if sources or isinstance(value, UserKeyHeader):
        return sources
    return [value] if value.source != LITERAL or is_written_out(name, value) else []


def as_root(user: int) -> list[str]:
    """The caution for *user* 0 (an effective user id): whoever breaks in may do everything."""
    if user != 0:
        return []
    return ["runs as root; start twistd with --uid USER, which it becomes once its ports are open"]
