"""``python aiohttp_proxy.py PORT``: a streaming proxy as one writes it with aiohttp."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, TCPConnector, web

SESSION = web.AppKey("session", ClientSession)
KEY = "Bearer key-of-the-benchmark"


async def proxy(request: web.Request) -> web.StreamResponse:
    headers = {"Authorization": KEY}
    for name in ("Content-Type", "Content-Length", "Accept"):
        if name in request.headers:
            headers[name] = request.headers[name]
    body = request.content if request.body_exists else None
    url = request.headers["X-Target-URL"]
    session = request.app[SESSION]
    async with session.request(
        request.method, url, data=body, headers=headers, allow_redirects=False
    ) as upstream:
        response = web.StreamResponse(status=upstream.status)
        for name in ("Content-Type", "Content-Length"):
            if name in upstream.headers:
                response.headers[name] = upstream.headers[name]
        response.headers["Access-Control-Allow-Origin"] = "*"
        await response.prepare(request)
        async for piece in upstream.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


async def session(app: web.Application) -> AsyncIterator[None]:
    # Its default of 100 connections would end the test of many streams at the 101st.
    async with ClientSession(connector=TCPConnector(limit=0), auto_decompress=False) as client:
        app[SESSION] = client
        yield


def main(port: int) -> None:
    app = web.Application(client_max_size=64_000_000)
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", proxy)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
