"""What the embedded upstreams share: a silent site, and the key that they ask for."""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import secrets

from twisted.web.http import Request
from twisted.web.iweb import IRequest
from twisted.web.server import Site

from ..secret import Secret


class UpstreamSite(Site):
    """A stock ``twisted.web`` site without an access log.

    The log is the proxy's. An upstream is another machine in real life: a second line for each
    request would puzzle the reader.
    """

    noisy = False

    def log(self, request: Request) -> None:
        """Write no line."""


def new_authorization() -> Secret:
    """A new ``Authorization`` value, ``Bearer`` and a random key; every start has its own."""
    return Secret(f"Bearer demo-{secrets.token_urlsafe(24)}", source="demo")


def presents(request: IRequest, expected: Secret) -> bool:
    """Whether *request* has one ``Authorization`` header and its value is *expected*."""
    values = request.requestHeaders.getRawHeaders(b"authorization", [])
    try:
        return len(values) == 1 and Secret(values[0]) == expected
    except ValueError:
        return False
