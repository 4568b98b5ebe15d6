"""What of a browser's request goes upstream: an allow-list, then the server's own fields. Pure.

The keys that the server adds come last, and no field from the browser can take their place. What a
route does not pass is told: a field that chooses an account refuses the request, because the call
would act in another account without it; any other is dropped, and its name goes to the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from enum import Enum

from attrs import evolve, frozen

from ..errors import HeaderNotAllowed
from ..headers import (
    ACCOUNT_CHOOSING,
    CONNECTION_FIELDS,
    KEPT_HERE,
    HeaderPatterns,
    PassedHeaders,
    added,
    is_token,
)
from ..model import HeaderPairs, HeaderValue
from ..secret import Secret

USER_AGENT = b"naap-proxy"

_FRAMING = frozenset(name.encode("ascii") for name in CONNECTION_FIELDS)
# A body that is searched for secrets must not come encoded. A page that a route lets name codings
# may ask for them.
_NO_CODING = (b"Accept-Encoding", b"identity")
_NEVER_PASSED = frozenset((b"content-type", b"x-request-id"))
_MOST_DECISIONS = 512
_LONGEST_KEPT = 64
# Words in the place of a lower-case name. None is a name, for none is a token.
_CONNECTION, _REFUSED, _DROPPED = b"(connection)", b"(refused)", b"(dropped)"
_SPECIAL = frozenset((_CONNECTION, _REFUSED, _DROPPED))


def injected_headers(values: Mapping[str, str | bytes | Secret]) -> HeaderPairs:
    """The fields of server-side keys, each value a Secret.

    :raises ValueError: a name is no token, belongs to framing, or a value can't stand in a header.
    """
    pairs: list[tuple[bytes, HeaderValue]] = []
    for name, value in values.items():
        if not is_token(name):
            # The name is not quoted: somebody may have written a key in its place.
            raise ValueError("has a name that is not a header name")
        if name.lower().encode() in _FRAMING:
            raise ValueError(f"{name} belongs to the connection and is never set by a route")
        secret = value if isinstance(value, Secret) else Secret(value, f"header {name}")
        pairs.append((name.encode("ascii"), secret))
    return tuple(pairs)


class Fate(Enum):
    """What becomes of one header of a browser's request."""

    PASSED = "passed"
    REFUSED = "refused"
    KEPT_HERE = "kept here"
    SET_HERE = "set here"
    DROPPED = "dropped"


_WORDS = {Fate.REFUSED: _REFUSED, Fate.DROPPED: _DROPPED}
_REASONS = {
    Fate.PASSED: "goes upstream as it is",
    Fate.REFUSED: "chooses the account that is billed, and the route does not name it",
    Fate.KEPT_HERE: "is between the caller and this server",
    Fate.SET_HERE: "the server sets it",
    Fate.DROPPED: "the route does not pass it, and no preflight allows it",
}
_OVERRIDING = "some upstream takes another method or path from it than endpoints opens"
_UNDERSCORED = 'no route passes a name with "_", which an upstream may read as "-"'


@frozen
class HeaderVerdict:
    """The fate of one header, for people.

    :ivar remedy: the name that ``pass_headers`` would have to hold; ``""`` where none helps.
    :ivar line: the config line that would let it pass; ``""`` where it passes, or none would.
    """

    name: str
    fate: Fate
    reason: str
    remedy: str = ""
    line: str = ""


class RequestRewrite:
    """A route's rule for request headers: what passes, what is refused, what is dropped.

    :param patterns: names and prefixes of the browser's headers that go upstream.
    :param fixed: the injected fields, where every request has the same tuple of them.
    :param named: the option ``pass_headers``: a header that chooses an account has to be there.
    :param choosing: names of headers that choose an account.
    :param kept: headers beside :data:`~naap_twisted.headers.KEPT_HERE` that this server reads.
    :param yielding: injected fields that the browser's own take the place of, where it sends them.
    :param overriding: names that no option may pass here, for some upstream takes another method or
        path from them than the route has judged; told in :meth:`explain`.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        fixed: HeaderPairs = (),
        *,
        named: Sequence[str] = (),
        choosing: Sequence[str] = ACCOUNT_CHOOSING,
        kept: Sequence[str] = (),
        yielding: Sequence[str] = (),
        overriding: Sequence[str] = (),
    ) -> None:
        self._yielding = frozenset(name.lower().encode("ascii") for name in yielding)
        self._patterns = tuple(patterns)
        self._fixed = fixed
        self._fixed_names = self._names(fixed)
        self._named = tuple(named)
        self._by_name = HeaderPatterns(added(named))
        self._choosing = {name.lower().encode("ascii"): name for name in choosing}
        self._overrides = frozenset(name.lower().encode("ascii") for name in overriding)
        self._keep(kept)

    def _keep(self, names: Sequence[str]) -> None:
        self._verdicts: dict[bytes, bytes] = {}
        self._read_here = tuple(names)
        self._kept = HeaderPatterns((*KEPT_HERE, *names))
        self._passed = PassedHeaders(self._patterns, names)

    def keeping(self, names: Sequence[str]) -> RequestRewrite:
        """This rule on a server that reads headers of these *names* itself, on every route."""
        rule = copy(self)
        rule._keep((*self._read_here, *names))
        return rule

    def _names(self, injected: HeaderPairs) -> frozenset[bytes]:
        # CGI-like upstreams read "_" as "-": a browser's X-Key must not stand beside our X_Key.
        return frozenset(_as_read(name) for name, _ in injected) - self._yielding

    def explain_all(self, names: Iterable[str]) -> list[HeaderVerdict]:
        """What becomes of each of a request's headers; one line passes all that are lost."""
        verdicts = [self.explain(name) for name in names]
        line = self._line(*(verdict.remedy for verdict in verdicts if verdict.remedy))
        return [evolve(each, line=line if each.remedy else "") for each in verdicts]

    def explain(self, name: str) -> HeaderVerdict:
        """What becomes of a header of this name, as the page sends it."""
        fate = self._fate(name.lower().encode("latin-1", "replace"))
        if fate is Fate.KEPT_HERE and name.lower() == "content-type":
            return HeaderVerdict(name, fate, "is judged here, and goes upstream with a body")
        if fate is Fate.DROPPED and _as_read(name.encode("latin-1", "replace")) in self._overrides:
            return HeaderVerdict(name, fate, _OVERRIDING)
        if fate is Fate.DROPPED and "_" in name:
            return HeaderVerdict(name, fate, _UNDERSCORED)
        if fate is not Fate.REFUSED and fate is not Fate.DROPPED:
            return HeaderVerdict(name, fate, _REASONS[fate])
        remedy = self._choosing.get(_as_read(name.encode("latin-1", "replace")), name)
        return HeaderVerdict(name, fate, _REASONS[fate], remedy, self._line(remedy))

    def _fate(self, lower: bytes) -> Fate:
        read = _as_read(lower)
        if read in self._fixed_names:
            return Fate.SET_HERE
        if read in self._choosing and not (read == lower and self._by_name.match(lower)):
            return Fate.REFUSED
        if lower in _NEVER_PASSED or lower in _FRAMING:
            return Fate.KEPT_HERE
        if self._passed.match(lower):
            return Fate.PASSED
        return Fate.KEPT_HERE if self._kept.match(read) else Fate.DROPPED

    def _line(self, *names: str) -> str:
        return f"pass_headers = {json.dumps([*self._named, *names])}"

    def _verdict(self, name: bytes) -> bytes:
        """The lower-case name of a header that may pass, else a word about it."""
        lower = name.lower()
        fate = self._fate(lower)
        if lower == b"connection":
            verdict = _CONNECTION
        else:
            verdict = lower if fate is Fate.PASSED else _WORDS.get(fate, b"")
        if len(name) <= _LONGEST_KEPT:
            if len(self._verdicts) >= _MOST_DECISIONS:
                # A cache that stayed full of one caller's odd names would slow all others down.
                self._verdicts.clear()
            self._verdicts[name] = verdict
        return verdict

    def _refusal(self, name: bytes) -> HeaderNotAllowed:
        spelled = self._choosing[_as_read(name)]
        return HeaderNotAllowed(
            f"{spelled} chooses the account that is billed, and this route does not pass it;"
            f" its owner can allow it: {self._line(spelled)}",
            reason=f"{spelled} is not among pass_headers",
        )

    def outbound(
        self,
        browser: Iterable[tuple[bytes, Sequence[bytes]]],
        injected: HeaderPairs,
        *,
        content_type: bytes | None,
        request_id: str,
        dropped: list[bytes],
    ) -> HeaderPairs:
        """The fields to send; framing belongs to the connection.

        :param browser: the browser's header table.
        :param content_type: the body's, if there is a body.
        :param dropped: gets the name of each field that is lost.
        :raises HeaderNotAllowed: a field chooses an account, and the route does not name it.
        """
        # A callable's fields are one user's, so their names are not kept for the next request.
        ours = self._fixed_names if injected is self._fixed else self._names(injected)
        out: list[tuple[bytes, HeaderValue]] = []
        nominated: set[bytes] = set()
        has_agent = b"user-agent" in ours
        has_codings = b"accept-encoding" in ours
        verdicts = self._verdicts
        passing: list[tuple[bytes, bytes, Sequence[bytes]]] = []
        for name, values in browser:
            lower = verdicts.get(name)
            if lower is None:
                lower = self._verdict(name)
            if not lower:
                continue
            if lower in _SPECIAL:
                if lower is _CONNECTION:
                    # Hop-by-hop by nomination (RFC 9110 section 7.6.1). A set, because a list of
                    # 30,000 names would be searched for each of a hundred headers.
                    nominated = {
                        part.strip().lower() for value in values for part in value.split(b",")
                    }
                elif _as_read(name) not in ours:
                    if lower is _REFUSED:
                        raise self._refusal(name)
                    dropped.append(name)
            elif lower not in ours:
                passing.append((lower, name, values))
        for lower, name, values in passing:
            if lower in nominated:
                if lower in self._choosing:
                    raise HeaderNotAllowed(
                        "Connection names a header that chooses the account that is billed",
                        reason=f"Connection names {self._choosing[lower]}",
                    )
                continue
            has_agent = has_agent or lower == b"user-agent"
            has_codings = has_codings or lower == b"accept-encoding"
            out.extend((name, value) for value in values)
        if content_type is not None and b"content-type" not in ours:
            out.append((b"Content-Type", content_type))
        if not has_agent:
            out.append((b"User-Agent", USER_AGENT))
        if not has_codings:
            out.append(_NO_CODING)
        if b"x-request-id" not in ours:
            out.append((b"X-Request-ID", request_id.encode("ascii")))
        if self._yielding:
            sent = self._yielding & {name.lower() for name, _ in out}
            injected = tuple(pair for pair in injected if pair[0].lower() not in sent)
        out.extend(injected)
        return tuple(out)


def _as_read(name: bytes) -> bytes:
    """*name* as an upstream may read it, whose server takes "_" for "-"."""
    return name.lower().replace(b"_", b"-")
