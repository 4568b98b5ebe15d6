"""Bodies for tests of rules: as their strict readers give them."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from naap_twisted.documents.document import Document
from naap_twisted.documents.reader import read_document


def from_json(value: object) -> Document:
    """A JSON body that says *value*."""
    return read_document(json.dumps(value).encode(), b"application/json")


def from_form(**fields: str) -> Document:
    """A urlencoded body; ``a__b`` stands for ``a[b]``."""
    named = {
        name.replace("__", "[") + ("]" if "__" in name else ""): v for name, v in fields.items()
    }
    return read_document(urlencode(named).encode(), b"application/x-www-form-urlencoded")
