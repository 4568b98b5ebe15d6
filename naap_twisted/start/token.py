"""``naap-proxy token``: makes, lists and ends the tokens of services."""

from __future__ import annotations

import re
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from ..auth.tokens import KEPT_FOR, ServiceToken, new_token
from ..config import load_config
from ..errors import ConfigError
from ..model import PageBudget
from ..options.server import Config
from ..units import parse_duration
from .assembly import checked_server, import_from_here

if TYPE_CHECKING:
    from ..auth.sql_tokens import SqlTokenStore

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID = re.compile(r"[0-9a-f]{16}")
_BUDGET = re.compile(r"(usd|tokens|requests)=(\d{1,12}(?:\.\d{1,9})?)/(hour|day|month)", re.ASCII)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, about, run in (
        ("new", "make a token for a service, and print it this once", _new),
        ("list", "print what is known of every token; no secret is", _list),
        ("revoke", "end a token by its id, or every one of a name", _revoke),
    ):
        action = actions.add_parser(name, help=about)
        action.add_argument("config", metavar="CONFIG")
        action.set_defaults(run=run)
        if name == "new":
            action.add_argument("name", metavar="NAME", help="of the service, such as nightly-job")
            about = "path of a [[proxy]] that it may use, any number of them; left out, all"
            action.add_argument("--route", metavar="PATH", action="append", help=about)
            about = "what the service may spend, such as usd=50/month; per hour, day or month"
            action.add_argument("--budget", metavar="UNIT=N/WINDOW", action="append", help=about)
            about = "how long it is good for, such as 90d; left out, until it is revoked"
            action.add_argument("--expires", metavar="DURATION", help=about)
        elif name == "revoke":
            action.add_argument("token", metavar="ID|NAME")


def _new(options: Namespace) -> int:
    if not _NAME.fullmatch(options.name) or _ID.fullmatch(options.name):
        raise ConfigError("NAME: must be 1 to 64 of A-Z, a-z, 0-9, . _ -, and no token's id")
    now, config = time.time(), _load(options.config)
    budget = tuple(map(_budget, options.budget or ()))
    routes, expires_at = _routes(config, options.route), _expiry(options.expires, now)
    token, text = new_token(options.name, routes, expires_at, now, budget)
    _with_store(options.config, lambda store: store.add(token))
    print(text)
    print("keep it now: it is not shown again, only its hash is kept", file=sys.stderr)
    return 0


def _routes(config: Config, wanted: list[str] | None) -> tuple[str, ...] | None:
    if wanted is None:
        return None
    known = [route.path for route in config.proxy]
    for path in wanted:
        if path not in known:
            raise ConfigError(f"--route: there is no {path}; there is {', '.join(known)}")
    return tuple(dict.fromkeys(wanted))


def _budget(written: str) -> PageBudget:
    form = _BUDGET.fullmatch(written)
    if form is None or not Decimal(form[2]) or (form[1] != "usd" and "." in form[2]):
        raise ConfigError(
            f"--budget: {written!r} is none; write usd=50/month, tokens=200000/day or"
            " requests=100/hour, with a number above zero"
        )
    return PageBudget(form[1], Decimal(form[2]), form[3])


def _expiry(written: str | None, now: float) -> int | None:
    if written is None:
        return None
    try:
        expires_at = int(now + parse_duration(written))
        _date(expires_at)
    except (ValueError, OverflowError, OSError):
        raise ConfigError('--expires: is no duration; write text such as "90d" or "12h"') from None
    return expires_at


def _list(options: Namespace) -> int:
    found: list[ServiceToken] = []
    _with_store(options.config, lambda store: found.extend(store.every()))
    now = time.time()
    columns = f"{'made':10}  {'expires':10}  {'used':10}"
    print(f"{'id':16}  {'name':20}  {columns}  {'state':7}  routes; budget")
    for token in found:
        times = (token.created_at, token.expires_at, token.used_at)
        shown = "  ".join(f"{_date(each):10}" for each in times)
        routes = "all" if token.routes is None else " ".join(token.routes)
        routes += "".join(f"; {each.unit}={each.amount}/{each.per}" for each in token.budget)
        state = token.ended(now) or "good"
        print(f"{token.id}  {token.name:20}  {shown}  {state:7}  {routes}")
    return 0


def _revoke(options: Namespace) -> int:
    counts: list[int] = []
    now = int(time.time())
    _with_store(options.config, lambda store: counts.append(store.revoke(options.token, now)))
    if not counts[0]:
        print("no token that is not revoked yet has this id or name", file=sys.stderr)
        return 1
    print(f"{counts[0]} revoked; every running server refuses it within {KEPT_FOR:g} s")
    return 0


def _load(path: str) -> Config:
    import_from_here()
    return load_config(path)


def _with_store(path: str, work: Callable[[SqlTokenStore], object]) -> None:
    checked_server(_load(path)).parts.state.change_tokens(work)


def _date(seconds: int | None) -> str:
    return "-" if seconds is None else time.strftime("%Y-%m-%d", time.gmtime(seconds))
