"""The console's API: ``/console/setup`` and ``/console/explain``, for this port's own page only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..downstream.answering import Answering, only, send_json
from ..errors import NotFound
from ..interfaces import IDownstreamRequest
from ..route.body import BodyPolicy
from .decision import Question, decide
from .guard import check_host, check_local, check_same_origin
from .setup import setup_of

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

MOST_BODY = 64 * 1024
_BODY = BodyPolicy(("application/json",), MOST_BODY, required=True)


class Console(Answering):
    """Answers ``setup`` and ``explain`` below the path that it is put at.

    It judges its callers itself (:mod:`.guard`), so that it is safe below any root: on the public
    port it takes back the headers by which the CORS wrapper lets other pages read its answers.

    :param tries: a target URL for a developer to try first, by the route's full path.
    """

    def __init__(self, server: PluginServer, tries: Mapping[str, str] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._tries = tries

    async def serve(self, request: IDownstreamRequest) -> None:
        """Answer a caller on this machine that is no page of another origin.

        :raises ProxyError: the caller may not ask, or the question is none.
        """
        headers = request.responseHeaders
        for name in (b"origin", b"credentials"):
            headers.removeHeader(b"access-control-allow-" + name)
        headers.removeHeader(b"access-control-expose-headers")
        headers.setRawHeaders(b"Cross-Origin-Resource-Policy", [b"same-origin"])
        check_local(request)
        host = check_host(request, self._server.parts.options.server_names)
        check_same_origin(request, host)
        send_json(request, await self._answer(request))

    async def _answer(self, request: IDownstreamRequest) -> Any:
        below = b"/".join(request.postpath)
        if below == b"setup":
            only(request, b"GET", b"HEAD")
            return setup_of(self._server, self._tries)
        if below != b"explain":
            raise NotFound()
        only(request, b"POST")
        body, _ = await _BODY.open(request)
        assert isinstance(body, bytes)  # JSON bodies are read to their end.
        # No field is a number, and int() of thousands of digits would block the reactor.
        document = json.loads(body, parse_int=bool, parse_float=bool)
        question = Question.read(document)
        return await decide(self._server, question, self._server.parts.clock)
