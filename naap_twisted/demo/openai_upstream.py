"""An upstream on loopback that behaves like the OpenAI API and gives canned answers.

Some of the :data:`MODELS` fail in the way that their name says; every other model answers.
"""

# Half of twisted.web has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import secrets
from typing import Any

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.server import Request
from werkzeug.exceptions import HTTPException

from ..secret import Secret
from . import answers
from .upstream import UpstreamSite, presents

MODELS = ("demo-chat", "demo-slow", "demo-401", "demo-429", "demo-500", "demo-cut")
_LIMITS = {
    b"x-ratelimit-limit-requests": b"60",
    b"x-ratelimit-remaining-requests": b"59",
    b"x-ratelimit-reset-requests": b"1s",
}


class ApiError(Exception):
    """An error answer in OpenAI's shape: ``{"error": {message, type, param, code}}``."""

    def __init__(
        self, status: int, message: str, code: str | None, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": None, "code": code}}


# The real API repeats a part of the key in this message; here no part of it is shown.
_WRONG_KEY = (401, "Incorrect API key provided.", "invalid_api_key")
_FAILURES: dict[str, tuple[Any, ...]] = {
    "demo-401": _WRONG_KEY,
    "demo-429": (429, "Rate limit reached for the demo model.", "rate_limit_exceeded", "requests"),
    "demo-500": (500, "The demo upstream had an error, as you asked.", None, "server_error"),
}


def _json(request: IRequest, document: answers.Json) -> bytes:
    request.setHeader(b"content-type", b"application/json")
    return json.dumps(document).encode() + b"\n"


class OpenAIUpstream:
    """The API's endpoints.

    :param authorization: the only ``Authorization`` value that is accepted.
    :param clock: paces the words and the slow head.
    :param words_per_second: speed of a streamed answer.
    :param slow_head: seconds before ``demo-slow`` begins to answer.
    """

    app = Klein()

    def __init__(
        self,
        authorization: Secret,
        clock: IReactorTime,
        *,
        words_per_second: float = 20.0,
        slow_head: float = 5.0,
    ) -> None:
        self._authorization = authorization
        self._clock = clock
        self._pause = 1.0 / words_per_second
        self._slow_head = slow_head

    def site(self) -> UpstreamSite:
        """A site that serves it."""
        return UpstreamSite(self.app.resource())

    @app.route("/v1/models", methods=["GET"])
    def models(self, request: IRequest) -> bytes:
        """The demo's model names."""
        self._admit(request)
        return _json(request, answers.model_list(MODELS, self._now()))

    @app.route("/v1/embeddings", methods=["POST"])
    async def embeddings(self, request: IRequest) -> bytes:
        """Numbers that depend on the text and mean nothing."""
        body = await self._begin(request)
        return _json(request, answers.embeddings(body))

    @app.route("/v1/responses", methods=["POST"])
    async def responses(self, request: IRequest) -> bytes:
        """The canned answer, in the shape of the Responses API; never streamed."""
        body = await self._begin(request)
        if body.get("stream") is True:
            words = "The demo streams /v1/chat/completions only."
            raise ApiError(400, words, "unsupported_parameter")
        return _json(request, self._answer(body).response())

    @app.route("/v1/chat/completions", methods=["POST"])
    async def chat(self, request: Request) -> bytes:
        """The canned answer, at once or (``stream: true``) word by word."""
        body = await self._begin(request)
        answer = self._answer(body)
        if body.get("stream") is True:
            options = body.get("stream_options")
            with_usage = isinstance(options, dict) and options.get("include_usage") is True
            await self._stream(request, answer, with_usage)
            return b""
        return _json(request, answer.completion())

    @app.handle_errors(ApiError)
    def _refuse(self, request: IRequest, failure: Failure) -> bytes:
        error = failure.value
        assert isinstance(error, ApiError)
        request.setResponseCode(error.status)
        if error.status == 429:
            request.setHeader(b"retry-after", b"1")
            request.setHeader(b"retry-after-ms", b"1000")
            request.setHeader(b"x-ratelimit-remaining-requests", b"0")
        return _json(request, error.body)

    @app.handle_errors(HTTPException)
    def _unknown(self, request: IRequest, failure: Failure) -> bytes:
        code = getattr(failure.value, "code", None) or 500
        request.setResponseCode(code)
        # The message does not repeat the path, which is the caller's own text.
        return _json(request, ApiError(code, "Unknown request URL.", "unknown_url").body)

    def _now(self) -> int:
        return int(self._clock.seconds())

    def _answer(self, body: answers.Json) -> answers.Answer:
        return answers.Answer(
            id=secrets.token_hex(12),
            model=str(body.get("model", "demo-chat")),
            created=self._now(),
            question=answers.last_question(body),
        )

    def _admit(self, request: IRequest) -> None:
        """Set the headers of every answer, and check the key."""
        request.setHeader(b"x-request-id", b"req_" + secrets.token_hex(16).encode())
        request.setHeader(b"openai-processing-ms", b"1")
        request.setHeader(b"openai-version", b"2020-10-01")
        for name, value in _LIMITS.items():
            request.setHeader(name, value)
        if not presents(request, self._authorization):
            raise ApiError(*_WRONG_KEY)

    async def _begin(self, request: IRequest) -> answers.Json:
        """Admit the call, parse its body, and fail or wait if that is what the model does."""
        self._admit(request)
        try:
            body: Any = json.loads(request.content.read())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ApiError(400, "The body is not a JSON object.", "invalid_json")
        model = body.get("model")
        if isinstance(model, str) and model in _FAILURES:
            raise ApiError(*_FAILURES[model])
        if model == "demo-slow":
            await deferLater(self._clock, self._slow_head)
        return body

    async def _stream(self, request: Request, answer: answers.Answer, with_usage: bool) -> None:
        """Send the words one after the other; Klein cancels this when the caller leaves."""
        request.setHeader(b"content-type", b"text/event-stream; charset=utf-8")
        request.setHeader(b"cache-control", b"no-cache")
        chunks = list(answer.chunks(with_usage))
        cut_at = len(chunks) // 2 if answer.model == "demo-cut" else None
        for index, chunk in enumerate(chunks):
            if index == cut_at:
                request.loseConnection()
                # finish() would send the last chunk, and half an answer would look complete.
                await Deferred()
            request.write(answers.sse(chunk))
            await deferLater(self._clock, self._pause)
        request.write(answers.DONE)
