"""An upstream's answer as it is kept for a retry: bytes, and back."""

from __future__ import annotations

import json

from twisted.web.iweb import IResponse

from ..framing.head import ResponseHead
from ..limits.replays import Replayed
from ..model import Target
from ..upstream.response import UpstreamResponse
from .relay import response_fields
from .scrub import Guard

#: An upstream's response at the end of its head, the target that gave it, and the guard that looks
#: for all secrets that the exchange has sent.
Headed = tuple[IResponse, Target, Guard]


def packed(headed: Headed, body: bytes) -> bytes:
    """A whole answer as bytes: a line of JSON, and the body."""
    response, target, _ = headed
    head = {
        "status": response.code,
        "fields": [
            [name.decode("latin-1"), value.decode("latin-1")]
            for name, value in response_fields(response)
        ],
        "target": [target.scheme, target.host, target.port, target.path_and_query],
    }
    return json.dumps(head).encode() + b"\n" + body


def unpacked(kept: Replayed[Guard]) -> Headed:
    """The answer that :func:`packed` made bytes of, as if it came now, all at once."""
    line, _, body = kept.answer.partition(b"\n")
    head = json.loads(line)
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head["fields"]]
    parts = ResponseHead(head["status"], fields, len(body), keep_alive=True)
    response = UpstreamResponse(parts, _nothing, _nothing)
    response.complete(body)
    return response, Target(*head["target"]), kept.beside


def _nothing(*_: object) -> None:
    """Control the flow of an answer that is here already."""
