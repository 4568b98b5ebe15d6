"""Asks for the usage of a stream where the page did not: an API reports none of its own accord."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from ..documents.document import Member
from ..errors import ProxyError
from ..model import Target
from ..policy.endpoints import Endpoints
from ..policy.output_limit import covers
from .body import is_json
from .opening import Opening
from .sent_body import SentBody

_STREAM = "stream"


@frozen
class UsageAsking:
    """What a route sets in the bodies of streams to be told their usage.

    :ivar opening: takes a target apart as the endpoints are written.
    :ivar endpoints: those whose streams report usage where they are asked for it.
    :ivar member: what asks for it, by being true.
    """

    opening: Opening
    endpoints: Endpoints
    member: Member

    def asked(self, method: bytes, target: Target, sent: SentBody) -> bytes | None:
        """The body that asks; ``None`` where this one does, or where there is nothing to ask.

        A body that can be read in more than one way is left as it is: its usage is not reported.
        """
        if not sent.is_readable or not is_json(sent.content_type):
            return None
        path = self.opening.parts(target)[1]
        if not covers(self.endpoints, method, path):
            return None
        try:
            document = sent.document()
            if self._is_unasked(document.value):
                return document.changed({self.member: True})[0]
        except ProxyError:
            pass
        return None

    def _is_unasked(self, value: Any) -> bool:
        if not isinstance(value, dict) or value.get(_STREAM) is not True:
            return False
        for name in self.member[:-1]:
            value = value.get(name)
            if value is None:
                return True
            if not isinstance(value, dict):
                return False  # no body of this API; it says so itself
        return value.get(self.member[-1]) is not True
