"""What a page token is asked for with, read strictly: what is not understood is refused. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from attrs import frozen

from ..errors import InvalidTokenRequest, ProxyError
from ..model import PageBudget
from ..policy.target import parse_target
from .strict_json import read_object
from .users import user_of

_MOST_LISTED = 64
_LONGEST = 200
_MOST = 10**12
_UNITS = ("requests", "tokens", "usd")
_PERIODS = ("hour", "day", "month")


@frozen
class Order:
    """A page token that somebody asks for.

    :ivar sub: the id of the user whom it is for; ``""``: whoever asks.
    :ivar ttl: seconds.
    """

    sub: str
    routes: tuple[str, ...]
    ttl: int
    uses: int
    models: tuple[str, ...]
    origin: str
    budget: tuple[PageBudget, ...]


def read_order(body: bytes, *, by_issuer: bool, max_ttl: float) -> Order:
    """The order in *body*, which is JSON.

    :param by_issuer: the site's backend asks, and says for whom.
    :param max_ttl: seconds.
    :raises InvalidTokenRequest: naming the member that is at fault.
    """
    try:
        members = read_object(body)
    except ValueError as error:
        raise InvalidTokenRequest(f"The body is no JSON object: {error}") from None
    readers: dict[str, Callable[[Any], object]] = {
        "routes": lambda value: _texts("routes", value),
        "ttl": lambda value: _whole("ttl", value, int(max_ttl)),
        "uses": lambda value: _whole("uses", value, _MOST),
        "models": lambda value: tuple(map(_model, _texts("models", value))),
        "origin": _origin,
        "budget": _budget,
    }
    needed = ["routes", "ttl"]
    if by_issuer:
        readers["sub"] = _sub
        needed.append("sub")
    for name in members:
        if name not in readers:
            _refuse(name, f"{name[:64]!a} is unknown; known are {', '.join(readers)}")
    for name in needed:
        if name not in members:
            _refuse(name, f'"{name}" is missing')
    read = {name: reader(members[name]) for name, reader in readers.items() if name in members}
    empty: Mapping[str, Any] = {"sub": "", "uses": 0, "models": (), "origin": "", "budget": ()}
    return Order(**{**empty, **read})


def _refuse(name: str, words: str) -> NoReturn:
    raise InvalidTokenRequest(words, param=name[:64])


def _texts(name: str, value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else []
    fit = all(isinstance(each, str) and 0 < len(each) <= _LONGEST for each in listed)
    if not listed or not fit or len(set(map(str, listed))) != len(listed):
        _refuse(name, f'"{name}" must be a list of texts, at least one, and none twice')
    if len(listed) > _MOST_LISTED:
        _refuse(name, f'"{name}" must list {_MOST_LISTED} at most')
    return tuple(listed)


def _whole(name: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        _refuse(name, f'"{name}" must be a whole number from 1 to {most}')
    return value


def _model(pattern: str) -> str:
    if pattern == "*" or "*" in pattern[:-1] or not pattern.isprintable():
        _refuse("models", '"models" are names such as "gpt-4o-mini", or "gpt-5-mini*"')
    return pattern


def _origin(value: object) -> str:
    text = value if isinstance(value, str) else ""
    try:
        origin = parse_target(text.encode(), "origin").origin
    except (ProxyError, UnicodeError):
        origin = ""
    # Compared as browsers spell an Origin: another spelling would match no request.
    if not origin or origin != text:
        _refuse("origin", '"origin" must be as browsers send it, such as "https://app.example.org"')
    return origin


def _sub(value: object) -> str:
    try:
        return user_of({"sub": value}, "sub").id
    except ValueError:
        _refuse("sub", '"sub" must be a user\'s id, 1 to 256 printable characters')


def _budget(value: object) -> tuple[PageBudget, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_LISTED:
        _refuse("budget", '"budget" must be a list such as [{"tokens": 5000, "per": "day"}]')
    return tuple(map(_one_budget, value))


def _one_budget(value: object) -> PageBudget:
    members = value if isinstance(value, dict) else {}
    unit = next((unit for unit in _UNITS if unit in members), "")
    per, amount = members.get("per"), members.get(unit)
    if set(members) != {unit, "per"} or per not in _PERIODS:
        _refuse(
            "budget",
            '"budget" has entries of one of "tokens", "usd" and "requests", and'
            ' of "per": "hour", "day" or "month"',
        )
    kinds = (int, float) if unit == "usd" else (int,)
    if isinstance(amount, bool) or not isinstance(amount, kinds) or not 0 < amount <= _MOST:
        _refuse("budget", f'"{unit}" of "budget" must be a number above zero')
    return PageBudget(unit, Decimal(str(amount)), str(per))
