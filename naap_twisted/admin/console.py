"""The console's API: ``/console/setup`` and ``/console/explain``, for this port's own page only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.web.resource import IResource

from ..errors import NotFound
from ..interfaces import IDownstreamRequest
from ..route.body import BodyPolicy
from .answering import Answering, only, send_json
from .decision import Question, decide
from .guard import check_host, check_local, check_same_origin
from .setup import setup_of

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

MOST_BODY = 64 * 1024
_BODY = BodyPolicy(("application/json",), MOST_BODY, required=True)


def console_children(
    server: PluginServer, *, tries: Mapping[str, str] | None = None
) -> dict[bytes, IResource]:
    """What to put below a root for the console of *server*: ``{b"console": ...}``.

    :param tries: a target to try, by the route's full path.
    """
    return {b"console": Console(server, tries or {})}


class Console(Answering):
    """Answers ``setup`` and ``explain`` below the path it hangs at.

    It judges its callers itself (:mod:`.guard`), so that it is safe wherever it hangs, and takes
    back what the CORS wrapper of a proxy's own port would have granted to every page.
    """

    def __init__(self, server: PluginServer, tries: Mapping[str, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._tries = tries

    async def serve(self, request: IDownstreamRequest) -> None:
        """See the module."""
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
        assert isinstance(body, bytes)  # it is required, and JSON is read whole
        # No field is a number, and a huge one takes Python long to read.
        document = json.loads(body, parse_int=bool, parse_float=bool)
        question = Question.read(document)
        return await decide(self._server, question, self._server.parts.clock)
