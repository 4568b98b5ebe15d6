"""Reads the body of an observed request as its rules would, as far as it can be read."""

from __future__ import annotations

from twisted.web.iweb import IBodyProducer

from ..documents.document import Document
from ..documents.reader import read_document, readable
from ..errors import ProxyError
from ..headers import media_type
from ..policy.learned import BODY

#: Bytes of a body that is read whole to be noted, where its sender declares no more.
MOST_READ = 4 * 1024 * 1024
_FORM = b"application/x-www-form-urlencoded"


def read_observed(
    body: bytes | IBodyProducer, content_type: bytes | None, unlisted: dict[str, str]
) -> Document | None:
    """A body that rules could judge; ``None``, and why in *unlisted*, of every other."""
    kind = media_type(content_type or b"")
    if not readable(kind):
        unlisted[BODY] = f"a body of type {kind.decode('ascii', 'replace')[:64]!a} is not read"
    elif not isinstance(body, bytes):
        unlisted[BODY] = "a body is long, or does not say how long it is, and was not read"
    elif kind == _FORM and not all(b"=" in pair for pair in body.split(b"&") if pair):
        # A client may have given the type of a form to any text, a key say.
        unlisted[BODY] = "a field of a form has no value, or is one itself"
    else:
        try:
            document = read_document(body, content_type or b"")
        except ProxyError as error:
            unlisted[BODY] = error.reason
        else:
            if isinstance(document.value, dict):
                return document
            unlisted[BODY] = "a body is no object"
    return None
