"""The least policy that allows what an observing route saw, as lines of its TOML. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from .endpoints import Endpoint, flaws
from .learned import ANY, BODY, ENDPOINT, MODEL, QUERY, SLASHES, Learned, by_path
from .query_rules import QueryRules

# So many endpoints may differ in one segment; from more a pattern is made.
_MOST_ALIKE = 5
# Endpoints that a comment names.
_MOST_NAMED = 3
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WORD = re.compile(r"[a-z]+([_-][a-z]+)*")


def least_policy(learned: Learned) -> list[str]:
    """Lines that take the place of ``observe = true`` in a route.

    A rule that would refuse some of what was seen is left out, and a comment says why. Keys are
    dotted, since a table's header would end the route's own lines.
    """
    endpoints = summed_up(learned.endpoints)
    lines = [f"# {ascii(learned.route)[1:-1]}: allows what was seen, and nothing else"]
    lines += _left_out(learned, ENDPOINT, "endpoints lacks what was seen")
    if endpoints:
        lines += ["endpoints = [", *(f"    {_text(each)}," for each in endpoints), "]"]
        methods = sorted({each.partition(" ")[0] for each in endpoints})
        lines.append(f"# methods = {_text(methods)} are enough, where the route lists methods")
        if slashed := learned.unlisted(SLASHES)[0]:
            lines += _commented([("encoded_slashes = true", _where([slashed]))])
    lines += _query_lines(learned)
    for kind, part, option in (("models", MODEL, "models"), ("members", BODY, "body.only")):
        lines += _list_lines(learned, kind, part, option)
    return lines


def _query_lines(learned: Learned) -> Iterator[str]:
    names = learned.names("query")
    if missing := _left_out(learned, QUERY, "query is left out") or _unfit(names):
        yield from missing
        return
    yield from _commented(
        (f'query.{name if _BARE.fullmatch(name) else _text(name)} = ["*"]', _where(seen))
        for name, seen in names.items()
    )
    yield 'query."!" = true'


def _unfit(names: Iterable[str]) -> list[str]:
    """A comment where no rule can list all of *names*, since they are one name to some servers."""
    try:
        QueryRules.from_table({name: [ANY] for name in names})
    except ValueError as error:
        return [f"# query is left out: {error}"]
    return []


def _list_lines(learned: Learned, kind: str, part: str, option: str) -> Iterator[str]:
    names = learned.names(kind)
    if names and (missing := _left_out(learned, part, f"{option} is left out")):
        yield from missing
    elif names:
        yield f"{option} = ["
        yield from _commented((f"    {_text(n)},", _where(seen)) for n, seen in names.items())
        yield "]"


def _left_out(learned: Learned, part: str, what: str) -> list[str]:
    endpoint, why = learned.unlisted(part)
    # A log is read here, and what stands in it must not end the comment.
    at = f" ({ascii(endpoint)[1:-1]})" if endpoint else ""
    return [f"# {what}: {ascii(why)[1:-1]}{at}"] if why else []


def _commented(rows: Iterable[tuple[str, str]]) -> list[str]:
    listed = list(rows)
    width = max((len(text) for text, _ in listed), default=0)
    return [f"{text:{width}}   # {comment}" for text, comment in listed]


def _where(endpoints: Sequence[str]) -> str:
    named = [ascii(each)[1:-1] for each in endpoints[:_MOST_NAMED]]
    more = len(endpoints) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _text(value: str | list[str]) -> str:
    # Of ASCII, JSON's text and TOML's basic string are the same.
    return json.dumps(value)


def summed_up(endpoints: Sequence[str]) -> list[str]:
    """*endpoints* with one in the place of many that differ in one name only, sorted by path.

    Words in their place tell what an API does, and stay apart; names with digits or capitals are
    more likely those of its objects.

    >>> summed_up([f"GET /models/gpt-{n}" for n in range(6)])
    ['GET /models/*']
    """
    found = dict.fromkeys(sorted(endpoints, key=by_path))
    groups: dict[tuple[int, str], list[str]] = {}
    for endpoint in found:
        parts = endpoint.split("/")
        # Before the first slash are the method and the origin; the first segment says the kind.
        for at in range(_first(parts) + 1, len(parts)):
            if parts[at] in ("", "**"):
                continue  # a star opens neither a slash at the end nor more than one segment
            pattern = "/".join((*parts[:at], ANY, *parts[at + 1 :]))
            groups.setdefault((at, pattern), []).append(endpoint)
    for (at, pattern), members in groups.items():
        alike = [endpoint for endpoint in members if endpoint in found]
        words = sum(1 for each in alike if _WORD.fullmatch(each.split("/")[at]))
        if len(alike) > _MOST_ALIKE and words * 2 < len(alike):
            for endpoint in alike:
                del found[endpoint]
            found[pattern] = None
    return _without_included(sorted(found, key=by_path))


def _first(parts: Sequence[str]) -> int:
    """Where the path begins in an endpoint that was split at its slashes."""
    return 3 if parts[0].endswith(":") else 1


def _without_included(endpoints: list[str]) -> list[str]:
    """*endpoints* without those that another of them includes, which no config takes."""
    included = {place for place, _ in flaws([Endpoint.parse(text) for text in endpoints])}
    return [text for place, text in enumerate(endpoints) if place not in included]
