"""Judges the bodies of a route that has rules for them, and puts the server's words into them.

What is judged is what every upstream's reader would take the bytes for: a body that can be read in
two ways is refused, and one that no rule changes goes up byte for byte.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import frozen

from ..auth.patience import Patience
from ..documents.document import Document, Member, read_document, readable
from ..errors import BodyNotAllowed, UnsupportedMediaType
from ..headers import media_type
from ..interfaces import IDownstreamRequest
from ..model import Target, User
from ..policy.body_rules import BodyRules
from ..policy.models import Models
from ..policy.output_limit import OutputLimit
from .opening import Opening

#: What code may give: of the request and its parsed body, another body, or ``None`` to let it pass.
Judge = Callable[
    [IDownstreamRequest, Any], Mapping[str, object] | Awaitable[Mapping[str, object] | None] | None
]
Changes = Mapping[Member, object]


@frozen
class BodyJudge:
    """The rules about the bodies of a route's requests.

    :ivar opening: takes a target apart as the rules are written.
    :ivar judge: the owner's callable; it sees what the rules let pass, and may change it.
    """

    opening: Opening
    rules: BodyRules | None
    limit: OutputLimit | None
    judge: Judge | None

    async def judged(
        self,
        request: IDownstreamRequest,
        target: Target,
        sent: tuple[bytes | None, bytes | None],
        patience: Patience,
    ) -> tuple[bytes | None, bytes | None]:
        """The body and its Content-Type as they go upstream.

        :param sent: the same as they came; ``None`` for no body.
        :raises BodyNotAllowed, ModelNotAllowed: a rule is broken.
        :raises InvalidJson, InvalidForm, UnsupportedMediaType: it can't be read, or in two ways.
        """
        document = self.read(request.method, target, *sent)
        if document is None:
            return sent
        changes = self.ruled(request.method, target, document)
        words = {} if self.rules is None else self.rules.server_words(request.record.user)
        if self.judge is not None:
            document = _with(document, changes)
            verdict = await patience.settle(self.judge(request, document.value), "judge")
            if verdict is not None:
                document = read_document(*document.replaced(verdict))
            changes = {}
        elif changes and words:
            # The server's word may stand inside of a default's table.
            document, changes = _with(document, changes), {}
        changes = {**changes, **words}
        return document.changed(changes) if changes else (document.content, document.content_type)

    def read(
        self, method: bytes, target: Target, body: bytes | None, content_type: bytes | None
    ) -> Document | None:
        """The body as the rules judge it; ``None`` where there is nothing for them to judge.

        :raises BodyNotAllowed: the query sets what the rules judge in the body.
        :raises UnsupportedMediaType: a body of this type can't be judged.
        """
        _, _, query = self.opening.parts(target)
        self._refuse_beside(method, query)
        if body is None:
            return None
        kind = media_type(content_type or b"")
        if readable(kind):
            return read_document(body, content_type or b"")
        if self.rules is None and self.limit is None and self.judge is None:
            # The URL has to name the model then.
            return None
        raise UnsupportedMediaType(
            "This route judges the bodies that it takes: JSON and forms",
            reason=f"a body of type {kind.decode('ascii', 'replace')[:64]!a} can't be judged",
        )

    def ruled(self, method: bytes, target: Target, document: Document) -> Changes:
        """What the rules change in *document*: defaults, and limits that they clamp."""
        raise NotImplementedError


def _with(document: Document, changes: Changes) -> Document:
    return read_document(*document.changed(changes)) if changes else document
