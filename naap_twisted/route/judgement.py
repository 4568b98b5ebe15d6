"""Judges the bodies of a route that has rules for them, and puts the server's words into them.

What is judged is what every upstream's reader would take the bytes for: a body that can be read in
two ways is refused, and one that no rule changes goes up byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from ..auth.patience import Patience
from ..documents.document import Document, Member
from ..documents.reader import read_document
from ..errors import BodyNotAllowed, UnsupportedMediaType
from ..interfaces import IDownstreamRequest
from ..model import Target
from ..options.route_body import Judge
from ..policy.body_rules import BodyRules
from ..policy.endpoints import Endpoints
from ..policy.models import Models
from ..policy.output_limit import OutputLimit, covers
from .opening import Opening
from .sent_body import SentBody

Changes = Mapping[Member, object]
_READING = (b"GET", b"HEAD")
_WRITING = (b"POST", b"PUT", b"PATCH")
_JSON = b"application/json"
_BLANKS_AND_BOM = b"\xef\xbb\xbf \t\r\n"


@frozen
class BodyJudge:
    """The rules about the bodies of a route's requests.

    :ivar opening: takes a target apart as the rules are written, and knows the models it may name.
    :ivar judge: the owner's callable; it sees what the rules let pass, and may change it.
    :ivar answering: endpoints at which a model answers; none: any may be one.
    :ivar empty: what stands for no body: an object or a form without members, as the route takes.
    :ivar merged: the upstream is of a kind that takes a query's parameters for a form's fields.
    """

    opening: Opening
    rules: BodyRules | None = None
    limit: OutputLimit | None = None
    judge: Judge | None = None
    merged: bool = False
    answering: Sequence[Endpoints] = ()
    empty: tuple[bytes, bytes] = (b"{}", _JSON)

    async def judged(
        self, request: IDownstreamRequest, target: Target, sent: SentBody, patience: Patience
    ) -> SentBody:
        """The body as it goes upstream; *sent* itself where nothing changes.

        :param sent: a whole one, for what streams by can't be judged.

        :raises BodyNotAllowed, ModelNotAllowed: a rule is broken.
        :raises InvalidJson, InvalidForm, UnsupportedMediaType: it can't be read, or in two ways.
        :raises Unauthorized: a member is the user's id, and nobody is signed in.
        """
        document = self._read(request.method, target, sent)
        if document is None:
            return sent
        changes = self._ruled(request.method, target, document)
        words: Changes = {}
        if self.rules is not None and self.rules.set:
            words = self.rules.server_words(request.record.user)
        if self.judge is not None:
            document = _with(document, changes)
            changes = {}
            verdict = await patience.settle(self.judge(request, document.value), "judge")
            if verdict is not None:
                document = read_document(*document.replaced(verdict))
        elif changes and words:
            # The server's word may stand inside of a default's table.
            document, changes = _with(document, changes), {}
        changes = {**changes, **words}
        if changes:
            return SentBody(*document.changed(changes))
        unchanged = document.content is sent.content or document.content is self.empty[0]
        return sent if unchanged else SentBody.of(document)

    def explain(self, method: bytes, target: Target, sent: SentBody) -> str:
        """Why the rules let a body pass, for the operator; ``judge`` sees real requests only.

        :raises ProxyError: they do not.
        """
        document = self._read(method, target, sent)
        if document is None:
            return "no body for the rules to judge"
        words = dict(self._ruled(method, target, document))
        if self.rules is not None:
            words |= {tuple(name.split(".")): None for name in self.rules.set}
        names = ", ".join(dict.fromkeys(".".join(member) for member in words))
        asked = "; judge is asked, too" if self.judge is not None else ""
        return f"no rule is broken{f'; the server sets {names}' if names else ''}{asked}"

    def _read(self, method: bytes, target: Target, sent: SentBody) -> Document | None:
        """The body as the rules judge it; ``None`` where there is nothing for them to judge."""
        if self.rules is not None and "?" in target.path_and_query and method not in _READING:
            rules, query = self.opening.query, self.opening.parts(target)[2]
            listed = _nothing_listed if rules is None else rules.lists
            self.rules.judge_query(query, listed, merged=self.merged)
        body = sent.content
        if body is None:
            # An upstream may take no body for one without members, and choose what they are.
            said = method in _WRITING and self._judges_emptiness(method, target)
            return read_document(*self.empty) if said else None
        assert isinstance(body, bytes)  # Judged bodies are read to their end.
        if sent.is_readable:
            return sent.document()
        models = self.opening.models
        alone = self.rules is None and self.limit is None and self.judge is None
        # Some servers read JSON whatever its type says.
        is_json = body.lstrip(_BLANKS_AND_BOM)[:1] in (b"{", b"[")
        if alone and not is_json and models is not None and self.opening.names_model(target):
            return None
        raise UnsupportedMediaType(
            "This route judges bodies, so it takes JSON and forms only",
            reason=f"a body of type {sent.kind.decode('ascii', 'replace')[:64]!a} can't be judged",
        )

    def _judges_emptiness(self, method: bytes, target: Target) -> bool:
        """Whether the rules have something to say of a request without a body."""
        if self.rules is not None or self.judge is not None:
            return True
        return self._model_answers(method, target)

    def _model_answers(self, method: bytes, target: Target) -> bool:
        path = self.opening.parts(target)[1]
        return not self.answering or any(covers(each, method, path) for each in self.answering)

    def _ruled(self, method: bytes, target: Target, document: Document) -> Changes:
        """What the rules change: defaults, and limits that they set or clamp."""
        changes: dict[Member, object] = {}
        if self.rules is not None:
            changes = self.rules.judge(document)
        models = self.opening.models
        bounded = models is not None or self.limit is not None
        if bounded and not isinstance(document.value, dict):
            # Members of a list's items would be judged by nobody.
            raise BodyNotAllowed("Request body must be a JSON object", rule="models")
        is_empty = document.content is self.empty[0]
        if models is not None and (not is_empty or self._model_answers(method, target)):
            words = () if self.rules is None else (*self.rules.set, *map(".".join, changes))
            models.judge_body(document, named=lambda: self._names_model(models, words, target))
        if self.limit is not None:
            changes |= self.limit.judge(document, method, self.opening.parts(target)[1])
        return changes

    def _names_model(self, models: Models, words: Iterable[str], target: Target) -> bool:
        """Whether the server's *words*, or the URL, name a model where the body has none."""
        return not models.naming.isdisjoint(words) or self.opening.names_model(target)


def _nothing_listed(name: str) -> bool:
    return False


def _with(document: Document, changes: Changes) -> Document:
    return read_document(*document.changed(changes)) if changes else document
