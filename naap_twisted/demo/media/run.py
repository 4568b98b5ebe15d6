"""The media endpoint's own process, on 127.0.0.1 and with asyncio's reactor.

It reads the key from the environment (``WHIP_KEY``) or, with ``--fd``, as the first line of stdin,
and never from its command line, which every user of the machine can read. With ``--fd`` the end of
stdin ends the process: it comes however the parent ends.
"""

# Half of twisted.internet has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from functools import partial
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ...secret import Secret

DEFAULT_PORT = 8189
#: For ``python -c``: importing this package installs Twisted's default reactor, so asyncio's has to
#: be installed before.
BOOT = (
    "from twisted.internet import asyncioreactor; asyncioreactor.install(); "
    "from naap_twisted.demo.media.run import main; main()"
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m naap_twisted.demo.media",
        description="A WHIP endpoint on 127.0.0.1 that receives video and counts its frames.",
        epilog="WHIP_KEY in the environment is the bearer token that it asks for.",
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="TCP port, %(default)s")
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _authorization(of_child: bool) -> Secret:
    if of_child:
        return Secret(sys.stdin.buffer.readline().strip(), source="stdin")
    key = os.environ.pop("WHIP_KEY", "")
    if not key:
        sys.exit("WHIP_KEY is not set; export WHIP_KEY=... to the key that the proxy sends")
    return Secret(f"Bearer {key}", source="WHIP_KEY")


def main() -> None:
    """Run until SIGINT or SIGTERM or, with ``--fd``, until the parent ends.

    :raises SystemExit: there is no key, or aiortc is not installed; the text says so.
    """
    options = _options()
    authorization = _authorization(options.fd is not None)
    try:
        from .loopback import gather_only_loopback
    except ImportError:
        sys.exit("aiortc is not installed: pip install 'naap-twisted[webrtc]'")
    gather_only_loopback()
    from twisted.internet import reactor as installed

    from .endpoint import MediaEndpoint, awaited

    reactor: Any = installed
    say = partial(print, flush=True)
    endpoint = MediaEndpoint(authorization, say)
    reactor.addSystemEventTrigger("before", "shutdown", lambda: awaited(endpoint.close()))
    if options.fd is None:
        port = reactor.listenTCP(options.port, endpoint.site(), interface="127.0.0.1").getHost()
        say(f"Listening on http://127.0.0.1:{port.port}/whip/any-room")
    else:
        # Ctrl-C reaches every process of the terminal; this one waits for its parent's end.
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        _Lifeline(reactor)
        reactor.adoptStreamPort(options.fd, socket.AF_INET, endpoint.site())
    reactor.run()


@implementer(IReadDescriptor)
class _Lifeline:
    """Stops *reactor* when stdin ends."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        reactor.addReader(self)

    def fileno(self) -> int:
        return 0

    def logPrefix(self) -> str:
        return "stdin"

    def doRead(self) -> None:
        if not os.read(0, 4096):
            self.connectionLost(Failure(ConnectionDone()))

    def connectionLost(self, reason: Failure) -> None:
        self._reactor.removeReader(self)
        if self._reactor.running:
            self._reactor.stop()
