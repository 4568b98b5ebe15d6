"""Notes what the exchanges of an observing route used: a line of the log for what is new.

What is noted is what ``endpoints``, ``query``, ``models`` and ``body.only`` would name, never a
value. The rules themselves are asked whether a list of these names would let the exchange pass;
where it would not, the line says so, and ``naap-proxy learn`` leaves the rule out.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote_plus

from twisted.logger import Logger
from twisted.web.iweb import IBodyProducer

from ..documents.document import Document
from ..documents.reader import readable
from ..errors import ProxyError
from ..headers import media_type
from ..model import Target
from ..options.route import RouteOptions
from ..policy.endpoints import Endpoint, Endpoints, likely_endpoint
from ..policy.learned import (
    BODY,
    ENDPOINT,
    MODEL,
    MOST,
    NAMESPACE,
    QUERY,
    SLASHES,
    Learned,
    Sighting,
)
from ..policy.models import ModelPlaces, Models
from ..policy.query_rules import QueryRules
from .observed_body import read_observed
from .opening import Opening, model_places

_FULL = f"{MOST:,} names were noted, and no more are"


class Observation:
    """What the requests of one route used.

    :param route: the mount's path.
    :param opening: takes targets apart as a policy would be written.
    :param places: where a request names its model.
    """

    def __init__(self, route: str, opening: Opening, places: ModelPlaces) -> None:
        self._learned = Learned(route)
        self._opening = opening
        self._places = places
        self._log = Logger(NAMESPACE)

    def note(
        self,
        method: bytes,
        targets: Iterable[Target],
        body: bytes | IBodyProducer | None,
        content_type: bytes | None,
    ) -> None:
        """Log what is new about a request that the upstream has served.

        :param targets: what was asked, and then where a redirect led.
        """
        try:
            for target in targets:
                pinned = self._opening.pinned
                # What a pinned route may be redirected to is no part of the API that it opens.
                if pinned is None or target.origin == pinned.base.origin:
                    self._tell(self._sighting(method, target, body, content_type).noted())
        except Exception:
            # The answer is there already, and a note is not worth it.
            self._log.failure("{route} could not note a request", route=self._learned.route)

    def _tell(self, sighting: Sighting) -> None:
        learned = self._learned
        new = None if learned.size >= MOST else learned.add(sighting)
        if new is None:
            return
        pieces = [*new.pieces()]
        if learned.size >= MOST:
            pieces.append(Sighting(learned.route, "", unlisted={ENDPOINT: _FULL}))
        for piece in pieces:
            self._log.info("{sighting}", sighting=piece.text)

    def _sighting(
        self,
        method: bytes,
        target: Target,
        body: bytes | IBodyProducer | None,
        content_type: bytes | None,
    ) -> Sighting:
        origin, path, query = self._opening.parts(target)
        unlisted: dict[str, str] = {}
        endpoint = _endpoint(method, origin, path, unlisted)
        names = _query_names(query, unlisted)
        document, members = None, tuple[str, ...]()
        if body is not None:
            document = read_observed(body, content_type, unlisted)
            members = () if document is None else tuple(document.value)
        models = (*self._places.in_path(origin, path), *self._places.in_query(query))
        if body is not None and document is None and (not models or _is_judged(content_type)):
            unlisted[MODEL] = f"the models of a body are not known: {unlisted[BODY]}"
        else:
            models = self._models((origin, path, query), document, unlisted)
        return Sighting(self._learned.route, endpoint, names, models, members, unlisted)

    def _models(
        self, target: tuple[str, str, str], document: Document | None, unlisted: dict[str, str]
    ) -> tuple[str, ...]:
        """The names that ``models`` would have to list to let the request pass."""
        origin, path, query = target
        found: dict[object, None] = dict.fromkeys(self._places.in_path(origin, path))
        found |= dict.fromkeys(self._places.in_query(query))
        try:
            if document is not None:
                for _, model in self._places.in_body(document):
                    found[model if isinstance(model, str) else ""] = None
            models = tuple(str(model) for model in found if model)
            if models:
                rules = Models(models, self._places)
                named = bool(rules.in_target(origin, path, query))
                if document is not None:
                    rules.judge_body(document, named=lambda: named)
            elif document is not None:
                unlisted[MODEL] = "a request names none"
        except ProxyError as error:
            unlisted[MODEL] = error.reason
        except ValueError as error:
            unlisted[MODEL] = f"the name of a model {error}"
        else:
            return models
        return ()


def observation_of(options: RouteOptions, route: str) -> Observation | None:
    """What notes the requests of a route, where its options say so.

    :param route: the mount's path.
    """
    if not options.observe:
        return None
    return Observation(route, Opening(pinned=options.target), model_places(options.provider))


def _is_judged(content_type: bytes | None) -> bool:
    return readable(media_type(content_type or b""))


def _endpoint(method: bytes, origin: str, path: str, unlisted: dict[str, str]) -> str:
    """The entry of ``endpoints`` that opens a request; ``""`` where none would."""
    verb, _, pattern = likely_endpoint(method.decode("ascii"), path).partition(" ")
    text = f"{verb} {origin}{pattern}"
    try:
        entry = Endpoint.parse(text)
    except ValueError as error:
        unlisted[ENDPOINT] = f"a path {error}"
        return ""
    for slashes in (False, True):
        if Endpoints([entry], encoded_slashes=slashes).match(method, origin, path) is not None:
            if slashes:
                unlisted[SLASHES] = "a path has an encoded slash"
            return text
    unlisted[ENDPOINT] = Endpoints([entry]).refusal(method, origin, path).reason
    return ""


def _query_names(query: str, unlisted: dict[str, str]) -> tuple[str, ...]:
    """The names that a list in ``query`` would have to let the request pass."""
    pairs = [pair.partition("=") for pair in filter(None, query.split("&"))]
    names = tuple(dict.fromkeys(unquote_plus(name) for name, equals, _ in pairs if equals))
    if not all(equals for _, equals, _ in pairs):
        unlisted[QUERY] = "a parameter has no value, or is one itself"
        return names
    try:
        rules = QueryRules.from_table({"!": True, **{name: ["*"] for name in names}})
        refusal = rules.refusal(query)
    except ValueError as error:
        unlisted[QUERY] = str(error)
    else:
        if refusal is not None:
            unlisted[QUERY] = refusal.reason
    return names
