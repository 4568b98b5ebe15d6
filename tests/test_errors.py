"""The tree of errors: each row of the answer table, and what an answer must not say."""

import json

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import errors
from naap_twisted.errors import (
    ConfigError,
    HostNotAllowed,
    NaapError,
    ProxyError,
    RateLimited,
    Unauthorized,
    Unavailable,
    UpstreamCut,
    UpstreamStatus,
    naming_option,
)

# class, arguments -> status, code, type (contract section 4; the types are OpenAI's words)
TABLE = [
    ("InternalError", (), 500, "INTERNAL_ERROR", "api_error"),
    ("BadRequest", (), 400, "BAD_REQUEST", "invalid_request_error"),
    ("RequestTimeout", (), 408, "REQUEST_TIMEOUT", "invalid_request_error"),
    ("NotFound", (), 404, "NOT_FOUND", "not_found_error"),
    ("MethodNotAllowed", (), 405, "METHOD_NOT_ALLOWED", "invalid_request_error"),
    ("OriginNotAllowed", (), 403, "ORIGIN_NOT_ALLOWED", "permission_error"),
    ("CrossSiteNotAllowed", (), 403, "CROSS_SITE_NOT_ALLOWED", "permission_error"),
    ("MisdirectedRequest", (), 421, "MISDIRECTED_REQUEST", "invalid_request_error"),
    ("Unauthorized", (), 401, "UNAUTHORIZED", "authentication_error"),
    ("InvalidToken", (), 401, "INVALID_TOKEN", "authentication_error"),
    ("CsrfFailed", (), 403, "CSRF_FAILED", "permission_error"),
    ("Forbidden", (), 403, "FORBIDDEN", "permission_error"),
    ("TokenNotAllowed", (), 403, "TOKEN_NOT_ALLOWED", "permission_error"),
    ("InvalidTokenRequest", (), 400, "INVALID_TOKEN_REQUEST", "invalid_request_error"),
    ("ChallengeFailed", (), 403, "CHALLENGE_FAILED", "permission_error"),
    ("NoUserKey", ("p", "/keys"), 403, "NO_USER_KEY", "permission_error"),
    ("InvalidKey", (), 400, "INVALID_KEY", "invalid_request_error"),
    ("TooManyKeys", (), 409, "TOO_MANY_KEYS", "invalid_request_error"),
    (
        "InvalidIdempotencyKey",
        (),
        *(400, "INVALID_IDEMPOTENCY_KEY", "invalid_request_error"),
    ),
    ("IdempotencyConflict", (), 409, "IDEMPOTENCY_CONFLICT", "invalid_request_error"),
    ("BudgetExceeded", (7, "usd"), 429, "BUDGET_EXCEEDED", "rate_limit_error"),
    ("RateLimited", (7,), 429, "RATE_LIMITED", "rate_limit_error"),
    ("MissingTarget", (), 400, "MISSING_TARGET", "invalid_request_error"),
    ("InvalidTarget", (), 400, "INVALID_TARGET", "invalid_request_error"),
    ("HeaderNotAllowed", (), 400, "HEADER_NOT_ALLOWED", "invalid_request_error"),
    ("HostNotAllowed", (), 400, "HOST_NOT_ALLOWED", "invalid_request_error"),
    ("SchemeNotAllowed", (), 400, "SCHEME_NOT_ALLOWED", "invalid_request_error"),
    ("PortNotAllowed", (), 400, "PORT_NOT_ALLOWED", "invalid_request_error"),
    ("EndpointNotAllowed", (), 403, "ENDPOINT_NOT_ALLOWED", "permission_error"),
    ("ModelNotAllowed", (), 403, "MODEL_NOT_ALLOWED", "permission_error"),
    ("BodyNotAllowed", (), 422, "BODY_NOT_ALLOWED", "invalid_request_error"),
    ("AddressNotAllowed", (), 400, "ADDRESS_NOT_ALLOWED", "invalid_request_error"),
    ("BodyRequired", (), 400, "BODY_REQUIRED", "invalid_request_error"),
    ("InvalidJson", (), 400, "INVALID_JSON", "invalid_request_error"),
    ("InvalidForm", (), 400, "INVALID_FORM", "invalid_request_error"),
    ("UnsupportedMediaType", (), 415, "UNSUPPORTED_MEDIA_TYPE", "invalid_request_error"),
    ("BodyTooLarge", (), 413, "BODY_TOO_LARGE", "invalid_request_error"),
    ("HeadersTooLarge", (), 431, "HEADERS_TOO_LARGE", "invalid_request_error"),
    ("UriTooLong", (), 414, "URI_TOO_LONG", "invalid_request_error"),
    ("BadGateway", (), 502, "BAD_GATEWAY", "api_error"),
    ("UpstreamUnhealthy", (), 503, "UPSTREAM_UNHEALTHY", "api_error"),
    ("LoopDetected", (), 508, "LOOP_DETECTED", "api_error"),
    ("UpstreamTimeout", (), 504, "UPSTREAM_TIMEOUT", "api_error"),
    ("Unavailable", (), 503, "UNAVAILABLE", "api_error"),
    ("CredentialUnavailable", (), 503, "CREDENTIAL_UNAVAILABLE", "api_error"),
    ("UpstreamStatus", (429, "slow down"), 429, "UPSTREAM_ERROR", "rate_limit_error"),
    ("UpstreamStatus", (500, "oh"), 500, "UPSTREAM_ERROR", "api_error"),
]

# Messages that the contract fixes word for word.
MESSAGES = {
    "Unauthorized": "Missing or invalid authorization token",
    "Forbidden": "Proxy request not authorized",
    "RateLimited": "Too many requests, please try again later",
    "BadGateway": "External proxy failed",
    "UpstreamTimeout": "External API request timed out",
    "UpstreamStatus": None,
}


class Answers(SynchronousTestCase):
    def test_table(self):
        """Status, code, type and JSON shape of every class."""
        for name, arguments, status, code, kind in TABLE:
            error = getattr(errors, name)(*arguments)
            self.assertEqual((error.http_status, error.code, error.type), (status, code, kind))
            self.assertTrue(error.message, name)
            self.assertEqual(
                json.loads(error.to_json()),
                {
                    "success": False,
                    "error": {
                        "message": error.message,
                        "code": code,
                        "type": kind,
                        "param": None,
                    },
                },
            )
            if MESSAGES.get(name):
                self.assertEqual(error.message, MESSAGES[name])

    def test_every_class_is_in_the_table(self):
        """No error without a row."""
        classes = {
            name
            for name, value in vars(errors).items()
            if isinstance(value, type) and issubclass(value, ProxyError) and value is not ProxyError
        }
        self.assertEqual(classes, {row[0] for row in TABLE})

    def test_message_and_reason(self):
        """The message is public, the reason is the log's; one stands in for the other."""
        error = HostNotAllowed('Host "evil.com" is not in the allowed list', reason="no rule")
        self.assertEqual(str(error), 'Host "evil.com" is not in the allowed list')
        self.assertEqual(error.reason, "no rule")
        self.assertNotIn(b"no rule", error.to_json())
        self.assertEqual(HostNotAllowed("x").reason, "x")

    def test_param_and_remedy(self):
        """The member at fault is public; the line that would allow it is the owner's."""
        error = errors.BodyNotAllowed("too many", param="n", remedy="n = { max = 2 }")
        self.assertEqual(json.loads(error.to_json())["error"]["param"], "n")
        self.assertNotIn(b"max = 2", error.to_json())
        self.assertEqual(error.remedy, "n = { max = 2 }")
        self.assertEqual(error.for_log, "too many; to allow it: n = { max = 2 }")
        self.assertEqual(HostNotAllowed("x").for_log, "x")

    def test_headers(self):
        """What the status obliges to (RFC 9110 sections 11.6.1 and 10.2.3)."""
        self.assertEqual([name for name, _ in Unauthorized().headers], [b"WWW-Authenticate"])
        self.assertEqual(RateLimited(7).headers, ((b"Retry-After", b"7"),))

    def test_once_sent(self):
        """Said once, beside what else is said; a timeout always says it."""
        never = (b"X-Should-Retry", b"false")
        error = errors.Unavailable(retry_after=3)
        self.assertIs(error.once_sent().once_sent(), error)
        self.assertEqual(error.headers, ((b"Retry-After", b"3"), never))
        self.assertEqual(errors.BadGateway().headers, ())
        self.assertEqual(errors.UpstreamTimeout(reason="late").headers, (never,))
        self.assertEqual(Unavailable(retry_after=3).headers, ((b"Retry-After", b"3"),))

    def test_of_an_idempotency_key(self):
        """A retry is told when, or that none helps; so is one after a timeout."""
        no_retry = (b"X-Should-Retry", b"false")
        for error, headers in (
            (errors.IdempotencyConflict(7), ((b"Retry-After", b"7"),)),
            (errors.IdempotencyConflict(), (no_retry,)),
            (errors.UpstreamTimeout(retry_after=3), ((b"Retry-After", b"3"),)),
            (errors.UpstreamTimeout(), (no_retry,)),
        ):
            self.assertEqual(error.headers, headers)

    def test_upstream_text(self):
        """The upstream's words in the envelope, never in the log's reason."""
        error = UpstreamStatus(429, 'slow "down"\u00e9')
        self.assertEqual(error.message, 'External API returned 429: slow "down"\u00e9')
        self.assertNotIn("slow", error.reason)
        self.assertIn("slow", json.loads(error.to_json())["error"]["message"])


class Tree(SynchronousTestCase):
    def test_config_error(self):
        """One line a problem."""
        error = ConfigError("a: is wrong", "b: too")
        self.assertEqual(error.problems, ("a: is wrong", "b: too"))
        self.assertEqual(str(error), "a: is wrong\nb: too")

    def test_root(self):
        """Everything raised on purpose has one root; a cut reply has no HTTP face."""
        for kind in (ConfigError, ProxyError, UpstreamCut):
            self.assertTrue(issubclass(kind, NaapError))
        self.assertFalse(issubclass(UpstreamCut, ProxyError))

    def test_naming_option(self):
        """The option's name opens the line; no other error is touched."""
        with self.assertRaises(ConfigError) as caught, naming_option("secret"):
            raise ValueError("is short")
        self.assertEqual(caught.exception.problems, ("secret: is short",))
        with self.assertRaises(KeyError), naming_option("secret"):
            raise KeyError("x")
