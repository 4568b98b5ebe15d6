"""Idempotent replay: the first whole answer to an Idempotency-Key is given to its retries."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import sha256

from twisted.logger import Logger

from ..errors import InvalidIdempotencyKey
from ..headers import ACCOUNT_CHOOSING
from ..interfaces import IDownstreamRequest
from ..limits.replays import Replayed, ReplayKey, Replays
from ..model import Target
from ..options.route import RouteOptions
from ..spend.book import UsageBook
from .first_exchange import FirstExchange
from .scrub import Guard

HEADER = b"idempotency-key"
_METHODS = frozenset((b"POST", b"PUT", b"PATCH", b"DELETE"))
_KEY = re.compile(rb"[\x20-\x7e]{1,255}")
# Headers that make a request another one: what the body is, which answer is wanted, on what
# condition. All others may differ between two tries of a client, such as a count of them.
_TELLING = (
    *(b"content-type", b"content-encoding", b"content-range", b"accept", b"accept-language"),
    *(b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"range"),
)


def replaying_of(
    options: RouteOptions,
    path: str,
    replays: Replays[Guard],
    book: UsageBook | None,
    log: Logger,
) -> Replaying | None:
    """The replay of the route at *path*; ``None`` where it has none."""
    if options.replay is None:
        return None
    choosing = () if options.provider is None else options.provider.headers.choosing
    return Replaying(replays, path, options.replay, choosing, book, log)


class Replaying:
    """The keys of a mounted route.

    :param window: seconds for which an answer is kept.
    :param choosing: further headers that choose an account, which make a request another one.
    """

    def __init__(
        self,
        replays: Replays[Guard],
        path: str,
        window: float,
        choosing: Sequence[str],
        book: UsageBook | None,
        log: Logger,
    ) -> None:
        self._replays = replays
        self._path = path
        self._window = window
        names = (name.lower().encode("ascii") for name in (*ACCOUNT_CHOOSING, *choosing))
        self._telling = (*_TELLING, *dict.fromkeys(names))
        self._book = book
        self._log = log

    def key_of(self, request: IDownstreamRequest) -> str | None:
        """The key of *request*; ``None`` where it has none, or its method needs none.

        :raises InvalidIdempotencyKey: it has one under which nothing is kept.
        """
        values = request.requestHeaders.getRawHeaders(HEADER)
        if not values or request.method not in _METHODS:
            return None
        if len(values) != 1 or _KEY.fullmatch(values[0]) is None:
            raise InvalidIdempotencyKey(rule="replay")
        return str(values[0], "ascii")

    def begin(
        self, request: IDownstreamRequest, key: str, target: Target, body: bytes
    ) -> FirstExchange | Replayed[Guard]:
        """The kept answer to *request*, or the exchange that is its first.

        :param body: as it came, before rules have changed it.
        :raises IdempotencyConflict: the first still runs, or was another request.
        """
        record = request.record
        owner = ReplayKey(self._path, record.caller, key)
        begun = self._replays.begin(owner, self._fingerprint(request, target, body), self._window)
        if isinstance(begun, Replayed):
            record.replayed = True
            return begun
        return FirstExchange(begun, record, self._replays, self._book, self._log)

    def _fingerprint(self, request: IDownstreamRequest, target: Target, body: bytes) -> bytes:
        headers = request.requestHeaders
        told = [
            [value.decode("latin-1") for value in headers.getRawHeaders(name) or ()]
            for name in self._telling
        ]
        digest = sha256(body).hexdigest()
        parts = [request.method.decode("ascii"), target.url, told, digest]
        return sha256(json.dumps(parts).encode()).digest()
