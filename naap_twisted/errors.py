"""The errors of this package, and the answer that the proxy gives for each of them.

Every subclass of :exc:`ProxyError` is one row of the answer table (docs/errors.md): an HTTP status,
a public code and a public message. A class whose message says all has no docstring. A stranger with
a browser console reads the message, so it never holds a secret, a network address or anything an
upstream said. What the operator needs beside it stands in :attr:`ProxyError.reason` and goes to the
log only. The module has more than 400 lines, because the table is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Self

# Clients that retry by themselves (OpenAI's and Anthropic's among them) obey this field.
_NO_RETRY = (b"X-Should-Retry", b"false")
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class NaapError(Exception):
    """The base class of everything that this package raises on purpose."""


class ConfigError(NaapError):
    """The configuration has problems, so no server may start from it.

    :ivar problems: one line for each problem, opening with the path of the option's key.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@contextmanager
def naming_option(name: str) -> Iterator[None]:
    """Let a ValueError about the option *name* leave as a ConfigError that opens with the name."""
    try:
        yield
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


class ProxyError(NaapError):
    """A refusal or a failure that the browser gets as an answer.

    :param message: the public text; the class's ``default`` when ``None``.
    :param reason: the rule that said no, or the cause; for the log only.
    :param headers: further response headers, as ``(name, value)`` pairs.
    :param status: the HTTP status of the answer; the class's own when ``None``.
    :param param: the member of the request that is at fault, as clients of the OpenAI API read it.
    :param remedy: the config line that would allow the request, for the log and the console.
    :param rule: the option, or the rule in it, that said no; a word of the config, so that metrics
        can count by it.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    default: ClassVar[str] = "Internal error"

    def __init__(
        self,
        message: str | None = None,
        *,
        reason: str = "",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        status: int | None = None,
        param: str | None = None,
        remedy: str = "",
        rule: str = "",
    ) -> None:
        self.message = self.default if message is None else message
        self.reason = reason or self.message
        self.param = param
        self.remedy = remedy
        self.rule = rule
        self.headers = headers
        self.http_status = self.status if status is None else status
        super().__init__(self.message)

    @property
    def type(self) -> str:
        """The error's family in the words of the OpenAI API, so that its clients map it."""
        return _TYPES.get(
            self.http_status, "api_error" if self.http_status >= 500 else "invalid_request_error"
        )

    @property
    def for_log(self) -> str:
        """The reason, and the line that would allow the request."""
        return f"{self.reason}; to allow it: {self.remedy}" if self.remedy else self.reason

    def once_sent(self) -> Self:
        """This error, told to a client as one not to be retried by itself.

        The upstream may have acted on the request, and a second one may be paid for again.
        """
        if _NO_RETRY not in self.headers:
            self.headers = (*self.headers, _NO_RETRY)
        return self

    @property
    def was_sent(self) -> bool:
        """Whether the upstream may have the request."""
        return _NO_RETRY in self.headers

    def to_json(self) -> bytes:
        """The answer's body: ``{"success": false, "error": {...}}``."""
        error = {"message": self.message, "code": self.code, "type": self.type, "param": self.param}
        return json.dumps({"success": False, "error": error}).encode()


class InternalError(ProxyError):
    """This package, or a plugin's handler, has a bug."""


class BadRequest(ProxyError):
    """The request is not well-formed HTTP/1.1 as this server reads it."""

    status, code, default = 400, "BAD_REQUEST", "Malformed request"


class RequestTimeout(ProxyError):
    """The browser did not finish sending its request in time (RFC 9110 section 15.5.9)."""

    status, code, default = 408, "REQUEST_TIMEOUT", "The request was not received in time"


class NotFound(ProxyError):
    status, code, default = 404, "NOT_FOUND", "No such route"


class MethodNotAllowed(ProxyError):
    """The route does not take this method; ``Allow`` names its own (RFC 9110 section 15.5.6)."""

    status, code, default = 405, "METHOD_NOT_ALLOWED", "Method not allowed"


class OriginNotAllowed(ProxyError):
    status, code, default = 403, "ORIGIN_NOT_ALLOWED", "Origin is not allowed"


class CrossSiteNotAllowed(ProxyError):
    """A page of another site asked a route with a key, without CORS (W3C Fetch Metadata)."""

    status, code = 403, "CROSS_SITE_NOT_ALLOWED"
    default = "Pages of other sites may call this route with fetch() only"


class MisdirectedRequest(ProxyError):
    """The request's Host is not in ``server_names`` (RFC 9110 section 15.5.20)."""

    status, code, default = 421, "MISDIRECTED_REQUEST", "This server does not answer for that host"


class Unauthorized(ProxyError):
    """The request carries no credentials of a user."""

    status, code, default = 401, "UNAUTHORIZED", "Missing or invalid authorization token"

    def __init__(self, message: str | None = None, *, reason: str = "") -> None:
        super().__init__(
            message, reason=reason, headers=((b"WWW-Authenticate", b'Bearer realm="naap-proxy"'),)
        )


class InvalidToken(Unauthorized):
    code = "INVALID_TOKEN"


class CsrfFailed(ProxyError):
    """The request has a session cookie, but not the X-CSRF-Token that goes with it."""

    status, code, default = 403, "CSRF_FAILED", "Missing or invalid CSRF token"


class Forbidden(ProxyError):
    """The route's ``authorize`` said no, or raised."""

    status, code, default = 403, "FORBIDDEN", "Proxy request not authorized"


class TokenNotAllowed(ProxyError):
    """A page token that is valid, on a route or from a page that it is not for."""

    status, code, default = 403, "TOKEN_NOT_ALLOWED", "This token does not open that route"


class InvalidTokenRequest(ProxyError):
    """A page token was asked for in a form, or with rights, that none can have."""

    status, code, default = 400, "INVALID_TOKEN_REQUEST", "No such token can be made"


class ChallengeFailed(ProxyError):
    """Who wants to be a guest has not shown what shows that no machine asks."""

    status, code, default = 403, "CHALLENGE_FAILED", "The challenge was not passed"


class NoUserKey(ProxyError):
    """The route needs the user's own key for a provider, and the user keeps none here.

    :param path: the path at which users set keys, such as ``"/api/v1/keys"``.
    """

    status, code = 403, "NO_USER_KEY"

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(f'No key for "{provider}" is set; add yours with PUT {path}/{provider}')


class InvalidKey(ProxyError):
    """The user's key, or the name of its provider, has a form that is not kept."""

    status, code, default = 400, "INVALID_KEY", "Not a key"


class TooManyKeys(ProxyError):
    status, code, default = 409, "TOO_MANY_KEYS", "No more keys can be kept"


class InvalidIdempotencyKey(ProxyError):
    """The request's Idempotency-Key is one that no answer is kept under."""

    status, code = 400, "INVALID_IDEMPOTENCY_KEY"
    default = "Idempotency-Key must be one header of 1 to 255 printable ASCII characters"


class IdempotencyConflict(ProxyError):
    """The Idempotency-Key is in use: by a request that still runs, or by one that was another.

    :param retry_after: whole seconds until the running one may have its answer; 0: the request is
        another, which no time heals.
    """

    status, code = 409, "IDEMPOTENCY_CONFLICT"
    default = "The first request with this Idempotency-Key has no answer yet"

    def __init__(self, retry_after: int = 0) -> None:
        if retry_after:
            super().__init__(headers=((b"Retry-After", b"%d" % retry_after),), rule="replay")
        else:
            other = "Another request was made with this Idempotency-Key"
            super().__init__(other, headers=(_NO_RETRY,), rule="replay")


class RateLimited(ProxyError):
    """The caller is over a rate limit.

    :param retry_after: whole seconds until a request will be let through again.
    """

    status, code, default = 429, "RATE_LIMITED", "Too many requests, please try again later"

    def __init__(self, retry_after: int, *, reason: str = "") -> None:
        super().__init__(reason=reason, headers=((b"Retry-After", b"%d" % retry_after),))


class BudgetExceeded(ProxyError):
    """A budget that the request falls under is spent.

    :param retry_after: whole seconds until some of it is free again.
    :param unit: of the budget.
    """

    status, code, default = 429, "BUDGET_EXCEEDED", "The budget is spent"

    def __init__(self, retry_after: int, unit: str, *, reason: str = "") -> None:
        words = {"requests": "requests", "tokens": "tokens", "usd": "money"}[unit]
        message = f"The budget of {words} is spent, please try again later"
        headers = ((b"Retry-After", b"%d" % retry_after), _NO_RETRY)
        super().__init__(message, reason=reason, headers=headers, rule="budget")


class MissingTarget(ProxyError):
    status, code, default = 400, "MISSING_TARGET", "Missing target URL header"


class InvalidTarget(ProxyError):
    status, code, default = 400, "INVALID_TARGET", "Invalid target URL"


class HostNotAllowed(ProxyError):
    status, code, default = 400, "HOST_NOT_ALLOWED", "Host is not in the allowed list"


class SchemeNotAllowed(InvalidTarget):
    """The route does not list the URL's scheme, or no route could: it is no target at all."""

    status, code, default = 400, "SCHEME_NOT_ALLOWED", "Scheme is not in the allowed list"


class PortNotAllowed(ProxyError):
    status, code, default = 400, "PORT_NOT_ALLOWED", "Port is not in the allowed list"


class HeaderNotAllowed(ProxyError):
    status, code, default = 400, "HEADER_NOT_ALLOWED", "A header is not allowed on this route"


class EndpointNotAllowed(ProxyError):
    """The route's ``endpoints`` have no such method and path, or ``query`` refuses a parameter."""

    status, code = 403, "ENDPOINT_NOT_ALLOWED"
    default = "This route does not open that endpoint"


class ModelNotAllowed(ProxyError):
    """The request names a model that is not among the route's ``models``, or names none."""

    status, code, default = 403, "MODEL_NOT_ALLOWED", "Model is not in the allowed list"


class BodyNotAllowed(ProxyError):
    """The request's body breaks a rule of the route's, or can be read in more than one way."""

    status, code, default = 422, "BODY_NOT_ALLOWED", "Request body breaks a rule of this route"


class AddressNotAllowed(ProxyError):
    """The host resolves to an address that this server must not reach, and never names."""

    status, code = 400, "ADDRESS_NOT_ALLOWED"
    default = "Host resolves to an address that is not allowed"


class BodyRequired(ProxyError):
    status, code, default = 400, "BODY_REQUIRED", "Request body is required"


class InvalidJson(ProxyError):
    status, code, default = 400, "INVALID_JSON", "Request body is not valid JSON"


class InvalidForm(ProxyError):
    status, code, default = 400, "INVALID_FORM", "Request body is not a form that this route takes"


class UnsupportedMediaType(ProxyError):
    status, code, default = 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported content type"


class BodyTooLarge(ProxyError):
    status, code, default = 413, "BODY_TOO_LARGE", "Request body is too large"


class HeadersTooLarge(ProxyError):
    """The request's header section is over the server's limit (RFC 6585 section 5)."""

    status, code, default = 431, "HEADERS_TOO_LARGE", "Request headers are too large"


class UriTooLong(ProxyError):
    """The request target is over the server's limit (RFC 9110 section 15.5.15)."""

    status, code, default = 414, "URI_TOO_LONG", "Request target is too long"


class UpstreamStatus(ProxyError):
    """The upstream answered 4xx or 5xx on a route with ``errors = "envelope"``.

    :param status: the upstream's status, which the answer keeps.
    :param text: the upstream's text, already capped and scrubbed of secrets.
    """

    code = "UPSTREAM_ERROR"

    def __init__(self, status: int, text: str) -> None:
        message, reason = f"External API returned {status}: {text}", f"upstream answered {status}"
        super().__init__(message, reason=reason, status=status)


class BadGateway(ProxyError):
    """DNS, TCP, TLS or HTTP failed on the way to the upstream's answer."""

    status, code, default = 502, "BAD_GATEWAY", "External proxy failed"


class UpstreamTimeout(ProxyError):
    """A deadline passed before the end of the upstream's response head.

    :param retry_after: whole seconds until a retry is worth its while; 0: a client had better make
        none. Not 0 is told only where the exchange goes on by itself, and its answer is kept for a
        retry, which costs nothing twice.
    """

    status, code, default = 504, "UPSTREAM_TIMEOUT", "External API request timed out"

    def __init__(
        self, message: str | None = None, *, reason: str = "", retry_after: int = 0
    ) -> None:
        headers = ((b"Retry-After", b"%d" % retry_after),) if retry_after else ()
        super().__init__(message, reason=reason, headers=headers)
        if not retry_after:
            self.once_sent()  # what took too long is about to be done, as far as anybody can tell


class Unavailable(ProxyError):
    """The server is shutting down, or has no capacity left; ``Retry-After`` says when to ask again.

    :param retry_after: whole seconds.
    """

    status, code, default = 503, "UNAVAILABLE", "Server is busy or shutting down"

    def __init__(
        self, message: str | None = None, *, reason: str = "", retry_after: int = 1
    ) -> None:
        super().__init__(message, reason=reason, headers=((b"Retry-After", b"%d" % retry_after),))


class CredentialUnavailable(Unavailable):
    """The route's own key can't be had now, such as the token of a token URL that is down."""

    code, default = "CREDENTIAL_UNAVAILABLE", "The key for this API is not available at the moment"


class LoopDetected(ProxyError):
    """The request came through this server before (RFC 5842 section 7.2)."""

    status, code, default = 508, "LOOP_DETECTED", "The target leads back to this server"


class UpstreamUnhealthy(Unavailable):
    """The upstream has failed too often of late, so it is not asked for a while."""

    code, default = "UPSTREAM_UNHEALTHY", "The external API does not answer at the moment"


class UpstreamCut(NaapError):
    """The upstream's response ended before it was complete.

    It is no :exc:`ProxyError`: the response head has gone to the browser, so nothing can be
    answered any more, and the connection is cut.
    """
