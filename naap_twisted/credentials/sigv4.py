"""Signatures of AWS (Signature Version 4), made by botocore's signer.

botocore is the extra ``aws``, and is imported where a route asks for it only. Its ``add_auth`` is
not called: it writes the session token to the debug log.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

from attrs import field, frozen

from ..model import SignableRequest
from ..secret import Secret

#: The one service that takes a request whose body is not part of the signature.
UNSIGNED = "s3"
_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_SIGNED = re.compile(r"host|content-type|x-amz-.*", re.IGNORECASE)
#: What a page may not say beside the signature.
OWN_HEADERS = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256")
_OWN = frozenset(name.lower() for name in OWN_HEADERS)
MISSING = "needs botocore; run: pip install 'naap-twisted[aws]'"


def is_installed() -> bool:
    """Whether there is a botocore to sign with."""
    return find_spec("botocore") is not None


@frozen
class AwsSigV4:
    """What a route's ``sign = { aws_sigv4 = ... }`` says."""

    region: str
    service: str
    access_key: Secret
    secret_key: Secret = field(repr=False)
    session_token: Secret | None = field(default=None, repr=False)

    @property
    def signs_body(self) -> bool:
        """Whether all of a body has to be there before the request is signed."""
        return self.service != UNSIGNED

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What an upstream's answer must not repeat."""
        return (self.secret_key, *filter(None, [self.session_token]))


class SigV4Signer:
    """Signs requests; it may be given as ``sign``."""

    def __init__(self, options: AwsSigV4) -> None:
        from botocore.auth import S3SigV4Auth, SigV4Auth
        from botocore.awsrequest import AWSRequest

        self._options = options
        self._request: Any = AWSRequest
        kind: Any = SigV4Auth if options.signs_body else S3SigV4Auth
        self._auth = kind(_Credentials(options), options.service, options.region)

    def __call__(
        self, request: SignableRequest, now: datetime | None = None
    ) -> dict[str, str | Secret]:
        """The headers that make *request* a signed one."""
        options = self._options
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        added: dict[str, str | Secret] = {"X-Amz-Date": stamp}
        if options.session_token is not None:
            added["X-Amz-Security-Token"] = options.session_token
        if not options.signs_body:
            added["X-Amz-Content-SHA256"] = _UNSIGNED_PAYLOAD
        to_sign = self._request(method=request.method, url=self._url(request), data=request.body)
        to_sign.context["timestamp"] = stamp
        others = [pair for pair in request.headers if pair[0].lower() not in _OWN]
        for name, value in (*others, *added.items()):
            if _SIGNED.fullmatch(name):
                shown = value.reveal().decode("latin-1") if isinstance(value, Secret) else value
                to_sign.headers.add_header(name, shown)
        auth = self._auth
        text = auth.string_to_sign(to_sign, auth.canonical_request(to_sign))
        signed = auth.signed_headers(auth.headers_to_sign(to_sign))
        added["Authorization"] = Secret(
            f"AWS4-HMAC-SHA256 Credential={auth.scope(to_sign)}, SignedHeaders={signed},"
            f" Signature={auth.signature(text, to_sign)}",
            "sign",
        )
        return added

    def _url(self, request: SignableRequest) -> str:
        """The URL whose path and query read as AWS reads the ones that are sent.

        A page may leave characters as they are that AWS encodes before it signs for itself; S3
        does that with the path, too, where other services take the path as it came.
        """
        parts = urlsplit(request.url)
        pairs = [pair.partition("=")[::2] for pair in parts.query.split("&") if pair]
        query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs)
        path = parts.path if self._options.signs_body else _encoded(parts.path, "/")
        return f"{parts.scheme}://{parts.netloc}{path}?{query}"


class _Credentials:
    """The keys under the names by which botocore asks for them, revealed no sooner."""

    def __init__(self, options: AwsSigV4) -> None:
        self._options = options
        # The token is among the headers that are signed already.
        self.token = None

    @property
    def access_key(self) -> str:
        return self._options.access_key.reveal().decode("ascii")

    @property
    def secret_key(self) -> str:
        return self._options.secret_key.reveal().decode("utf-8")


def _encoded(text: str, safe: str = "") -> str:
    return quote(unquote_to_bytes(text), safe=safe + "-_.~")
