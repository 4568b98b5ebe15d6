"""The plugin with one route more: to a WHIP endpoint on this machine, which receives real media.

The endpoint is ``python -m naap_twisted.demo.media``; nothing else of the plugin changes.
"""

from examples.daydream_video.plugin import authorize, forward_headers, server
from naap_twisted import create_external_proxy
from naap_twisted.demo.media.run import DEFAULT_PORT

server.mount(
    "/daydream/local-whip",
    create_external_proxy(
        allowed_hosts=["127.0.0.1"],
        allowed_schemes=["http"],
        allowed_ports=[DEFAULT_PORT],
        allow_networks=[f"127.0.0.1/32:{DEFAULT_PORT}"],  # loopback is refused unless named
        target_url_header="X-WHIP-URL",
        content_type="application/sdp",
        authorize=authorize,
        forward_headers=forward_headers,
    ),
)

if __name__ == "__main__":
    server.run()
