"""The key that only the demo's proxy and its upstreams know; new at each start."""

from __future__ import annotations

import secrets

from twisted.web.iweb import IRequest

from ..secret import Secret


def new_authorization() -> Secret:
    """A whole ``Authorization`` value, ``Bearer`` and a random key."""
    return Secret(f"Bearer demo-{secrets.token_urlsafe(24)}", source="demo")


def presents(request: IRequest, expected: Secret) -> bool:
    """Whether *request* carries exactly the ``Authorization`` value *expected*."""
    values = request.requestHeaders.getRawHeaders(b"authorization", [])
    if len(values) != 1:
        return False
    try:
        return Secret(values[0]) == expected
    except ValueError:
        return False
