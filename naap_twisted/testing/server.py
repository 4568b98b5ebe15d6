"""A plugin server that runs for one test."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import treq
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent

from ..server.plugin_server import PluginServer
from .client import Answer, HeaderPairs, RawClient


class RunningServer:
    """Starts *server* now and stops it at the end of *test*.

    :param server: a server with ``port=0``, or with a ``listen`` endpoint on port 0.
    :param tls: what the clients trust, for ``ssl:`` endpoints.
    :ivar port: the TCP port of its first endpoint.
    :ivar url: the root URL of its first endpoint, such as ``http://127.0.0.1:4711``.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        server: PluginServer,
        *,
        tls: IOpenSSLClientConnectionCreator | None = None,
    ) -> None:
        self._test = test
        self._tls = tls
        self.server = server
        server.startService()
        test.addCleanup(server.stopService)
        self.url = server.addresses()[0]
        self.port = urlsplit(self.url).port or 0

    async def client(self) -> RawClient:
        """A new connection to the server."""
        return await RawClient.connect(self._test, self.port, tls=self._tls)

    async def ask(
        self, method: str, path: str, headers: HeaderPairs = (), body: bytes | None = None
    ) -> Answer:
        """The answer to one request, on a connection that is closed after it."""
        client = await self.client()
        client.request(method, path, headers, body)
        answer = await client.answer(method)
        await client.stop()
        return answer

    def treq(self, method: str, path: str, **options: Any) -> Deferred[Any]:
        """treq's response to one request, without redirects, pool or cookies; plain http only."""
        from twisted.internet import reactor

        options.setdefault("allow_redirects", False)
        agent = Agent(reactor)
        return treq.request(method, self.url + path, agent=agent, **options)
