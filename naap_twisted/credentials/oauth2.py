"""The client credentials grant of OAuth 2.0 (RFC 6749 section 4.4): its request, its answer. Pure.

A token URL is somebody else's server: what it answers is judged here before a byte of it stands in
a header, and nothing of it is ever quoted.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from urllib.parse import quote_plus

from attrs import field, frozen

from ..model import HeaderPairs
from ..secret import Secret

#: Bytes of a token URL's answer, and of the token in it.
MOST_ANSWER = 64 * 1024
LONGEST_TOKEN = 16 * 1024
#: Seconds that a token serves whose answer does not say how long (RFC 6749 section 5.1 lets it be
#: silent), and the most that is believed of one that does.
UNSAID, LONGEST = 300.0, 86400.0

# RFC 6750 section 2.1 has fewer characters; real servers send others of visible ASCII.
_TOKEN = re.compile(r"[\x21-\x7e]+")
_SECONDS = re.compile(r"[0-9]{1,15}")
# RFC 6749 section 5.2: the only words of an answer that a log line may repeat.
_ERRORS = frozenset(
    (
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
        *("unsupported_grant_type", "invalid_scope"),
    )
)


@frozen
class ClientCredentials:
    """What a route's ``oauth2`` says.

    :ivar auth: ``"basic"`` or ``"body"``: where the token URL wants the client's secret.
    """

    token_url: str
    client_id: Secret
    client_secret: Secret = field(repr=False)
    scope: str = ""
    audience: str = ""
    auth: str = "basic"

    def request(self) -> tuple[HeaderPairs, bytes]:
        """The headers and the body of the POST that asks for a token."""
        form = {"grant_type": b"client_credentials"}
        if self.scope:
            form["scope"] = self.scope.encode()
        if self.audience:
            form["audience"] = self.audience.encode()
        client, secret = self.client_id.reveal(), self.client_secret.reveal()
        headers: HeaderPairs = (
            (b"Content-Type", b"application/x-www-form-urlencoded"),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
        )
        if self.auth == "basic":
            # RFC 6749 section 2.3.1: each half is form-encoded before the pair is.
            pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode("ascii")
            basic = Secret(b"Basic " + b64encode(pair), self.client_secret.source)
            headers += ((b"Authorization", basic),)
        else:
            form |= {"client_id": client, "client_secret": secret}
        body = "&".join(f"{name}={quote_plus(value)}" for name, value in form.items())
        return headers, body.encode("ascii")


@frozen
class Granted:
    """A token, and the seconds for which it serves."""

    token: Secret
    seconds: float


def read_grant(status: int, body: bytes) -> Granted:
    """The token in a token URL's answer (RFC 6749 section 5.1).

    :raises ValueError: there is none that can be used; the text quotes nothing of the answer but
        an error code of the RFC.
    """
    if status != 200:
        raise ValueError(f"it answered {status}{_error_in(body)}")
    document = _object(body)
    kind = document.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ValueError("its token is of another type than Bearer")
    token = document.get("access_token")
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise ValueError("its answer holds no access_token that could stand in a header")
    bearer = Secret(f"Bearer {token}", "oauth2", parts=(token.encode("ascii"),))
    return Granted(bearer, _lifetime(document.get("expires_in")))


def _lifetime(value: object) -> float:
    if value is None:
        return UNSAID
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = int(value)  # some servers write the number as a text
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError("its expires_in is no number of seconds above zero")
    return float(min(value, LONGEST))


def _object(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("its answer is no JSON") from None
    if not isinstance(document, dict):
        raise ValueError("its answer is no JSON object")
    return document


def _error_in(body: bytes) -> str:
    try:
        error = _object(body).get("error")
    except ValueError:
        return ""
    return f" {error}" if isinstance(error, str) and error in _ERRORS else ""
