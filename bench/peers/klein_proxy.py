"""``python klein_proxy.py PORT``: the ten lines that one writes first."""

from __future__ import annotations

import sys
from typing import Any

import treq
from klein import Klein

app = Klein()


@app.route("/", methods=["GET", "POST"])
async def proxy(request: Any) -> bytes:
    headers = {"Authorization": "Bearer key-of-the-benchmark"}
    if request.getHeader("Content-Type"):
        headers["Content-Type"] = request.getHeader("Content-Type")
    url = request.getHeader("X-Target-URL")
    method, body = request.method.decode(), request.content.read()
    response = await treq.request(method, url, headers=headers, data=body)
    request.setResponseCode(response.code)
    request.setHeader("Content-Type", response.headers.getRawHeaders("Content-Type")[0])
    request.setHeader("Access-Control-Allow-Origin", "*")
    return await response.content()


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]))
