"""The server's own ``session`` in the offers of OpenAI's Realtime calls. Pure.

The endpoint for calls takes a form of ``sdp`` and ``session``, or plain SDP. Where the server has a
session, each offer leaves as such a form, written anew: a part that the API's parser and ours read
differently would let a page choose its own model.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from email import message_from_bytes
from functools import partial

from ..documents.json_text import check_json
from ..errors import InvalidForm
from ..headers import media_type
from ..whip.rules import FORM, OFFER
from .body import BodyRewrite

#: Bytes of an offer and its session; an SDP of every codec and candidate has a tenth.
MOST_BYTES = 256 * 1024
# Two parts have three delimiters; what is behind a fourth is no part of such a form.
_MOST_PARTS = 4
_LONGEST_HEAD = 4096
_OFFER, _FORM = OFFER.encode("ascii"), FORM.encode("ascii")
_SDP, _SESSION = "sdp", "session"


def call_rewrite(session: Mapping[str, object]) -> BodyRewrite:
    """The rewriting of a route's offers, whose *session* overrides the page's member by member."""
    return BodyRewrite(frozenset((_OFFER, _FORM)), MOST_BYTES, partial(_with_session, session))


def _with_session(
    session: Mapping[str, object], body: bytes, content_type: bytes
) -> tuple[bytes, bytes]:
    """A form of the offer in *body* and its session, and the form's type.

    :raises InvalidForm: *body* is no form, or has other parts than one sdp and at most one session.
    :raises InvalidJson: its session is not JSON.
    """
    offer: bytes = body
    asked: Mapping[str, object] = {}
    if media_type(content_type) != _OFFER:
        parts = _parts(body, content_type)
        if _SDP not in parts:
            raise InvalidForm('The form has no part "sdp"')
        offer, asked = parts[_SDP], _object(parts.get(_SESSION, b"{}"))
    try:
        # Of a number past every float, JSON's reader makes an infinity, which is no JSON.
        text = json.dumps(overlaid(asked, session), separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise InvalidForm('The part "session" holds what no API can read') from None
    boundary = secrets.token_hex(16).encode("ascii")
    form = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\nContent-Type: %b\r\n\r\n%b\r\n'
        % (boundary, name.encode("ascii"), kind, content)
        for name, kind, content in (
            (_SDP, _OFFER, offer),
            (_SESSION, b"application/json", text.encode("ascii")),
        )
    )
    return form + b"--%b--\r\n" % boundary, b"%b; boundary=%b" % (_FORM, boundary)


def overlaid(page: Mapping[str, object], server: Mapping[str, object]) -> dict[str, object]:
    """*page* with the members of *server*, whose word is the last; tables are overlaid in turn.

    >>> overlaid({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}})
    {'a': {'b': 9, 'c': 2}, 'd': 3}
    """
    out = dict(page)
    for key, value in server.items():
        asked = out.get(key)
        both = isinstance(value, Mapping) and isinstance(asked, Mapping)
        out[key] = overlaid(asked, value) if both else value  # type: ignore[arg-type]
    return out


def _object(text: bytes) -> Mapping[str, object]:
    check_json(text)
    try:
        found = json.loads(text)
    except ValueError:  # a whole number of thousands of digits
        found = None
    if not isinstance(found, dict):
        raise InvalidForm('The part "session" is not a JSON object that an API can read')
    return found


def _parts(body: bytes, content_type: bytes) -> Mapping[str, bytes]:
    """The contents of a form's parts by name (RFC 7578), which are sdp and session, each once.

    The delimiters are taken strictly, as RFC 2046 section 5.1.1 writes them: nothing before the
    first, no blanks behind one. Parts are not looked into, so one inside another costs nothing.
    """
    boundary = message_from_bytes(b"Content-Type: " + content_type).get_boundary("")
    delimiter = b"\r\n--" + boundary.encode("ascii", "surrogateescape")
    first, *written = (b"\r\n" + body).split(delimiter, _MOST_PARTS)
    if not boundary or first or not written or written.pop() not in (b"--", b"--\r\n"):
        raise InvalidForm("Request body is not a form of sdp and session")
    parts: dict[str, bytes] = {}
    for part in written:
        head, blank, content = part.partition(b"\r\n\r\n")
        name = _name(head) if blank and head.startswith(b"\r\n") else None
        if name not in (_SDP, _SESSION) or name in parts:
            raise InvalidForm("A form here has the parts sdp and session, each once, and no other")
        parts[name] = content
    return parts


def _name(head: bytes) -> object:
    """The name of the part whose header lines are *head*; ``None`` where these are too many."""
    if len(head) > _LONGEST_HEAD:
        return None
    return message_from_bytes(head[2:] + b"\r\n\r\n").get_param(
        "name", header="content-disposition"
    )
