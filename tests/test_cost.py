"""What a small exchange costs, without a clock: function calls and system calls a request.

Timings depend on the machine and its neighbours; counts don't. The proxy has its default
protections on. Client and upstream are threads of their own, so only the proxy's work is counted.

A bound is 5 to 15 % above what was measured, for versions of Python and Twisted differ. After a
change that lowers a count, lower its bound: a failing test with a bound of 0 says the new count.
After one that raises it, know why before raising the bound. What the calls are:
``python -m bench profile``.
"""

from __future__ import annotations

import gc
import socket
import sys
import threading
from collections import Counter

from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.trial.unittest import TestCase

from naap_twisted import RateLimit, User, create_external_proxy, create_plugin_server
from naap_twisted.auth.session import SessionAuthenticator

# Each per request.
MOST_CALLS = 740
MOST_SYSTEM_CALLS = 7.9
MOST_BLOCKS_KEPT = 1.0
# What a remembered session adds.
MOST_SESSION_CALLS = 50

WARM_UP = 50
REQUESTS = 100
REPEATS = 3

QUESTION = b'{"model":"gpt-4","messages":[{"role":"user","content":"hello there, friend!"}]}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: 246\r\nConnection: keep-alive\r\n\r\n"
    + b'{"text":"%s"}'
    % (b"." * 235)
)
SYSTEM_CALLS = ("send", "sendmsg", "recv", "recv_into", "poll", "register", "modify", "unregister")


class Tally:
    """Counts the calls of the thread that starts it, by Python's own profiling hook."""

    def start(self):
        self.calls = 0
        self.system_calls = Counter()
        gc.collect()
        self._blocks = sys.getallocatedblocks()
        sys.setprofile(self._event)

    def stop(self):
        sys.setprofile(None)
        gc.collect()
        self.blocks = sys.getallocatedblocks() - self._blocks

    def _event(self, frame, event, argument):
        if event == "call":
            self.calls += 1
        elif event == "c_call":
            self.calls += 1
            if argument.__name__ in SYSTEM_CALLS:
                self.system_calls[argument.__name__] += 1


def read_until(connection, data, complete):
    while not complete(data):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed in the middle of a message")
        data += piece


def upstream_loop(listener):
    """Answer each question of each connection; ends when *listener* is closed."""

    def serve(connection):
        with connection:
            try:
                while True:
                    read_until(connection, b"", lambda data: data.endswith(QUESTION))
                    connection.sendall(ANSWER)
            except OSError:
                return

    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


class Everybody:
    """Knows every session; nothing is asked."""

    async def get(self, digest):
        return User("ada", "ada@example.org"), 1000.0

    async def put(self, digest, user, seconds):
        raise AssertionError("nothing to keep")


class CostTests(TestCase):
    timeout = 60

    def setUp(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.addCleanup(listener.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=upstream_loop, args=(listener,), daemon=True).start()
        self.upstream = listener.getsockname()[1]

    def _serve(self, **options):
        server = create_plugin_server(
            "cost",
            0,
            allow_networks=["127.0.0.1/32"],
            # On, as it is by default, but more than these tests ask.
            rate_limit=RateLimit(1_000_000, 900.0),
            **options,
        )
        server.mount(
            "/x",
            create_external_proxy(
                allowed_hosts=["127.0.0.1"],
                allowed_schemes=["http"],
                allowed_ports=[self.upstream],
                forward_headers={"Authorization": "Bearer key-of-these-tests"},
                response_headers=["X-RateLimit-*"],
            ),
        )
        server.startService()
        self.addCleanup(server.stopService)
        self.port = int(server.addresses()[0].rpartition(":")[2])

    def _exchanges(self, connection, count, more):
        head = (
            f"POST /api/v1/x HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Origin: http://localhost:3000\r\nContent-Type: application/json\r\n"
            f"X-Target-URL: http://127.0.0.1:{self.upstream}/v1/chat\r\n"
            f"Content-Length: {len(QUESTION)}\r\n{more}\r\n"
        ).encode()
        for _ in range(count):
            connection.sendall(head + QUESTION)
            read_until(connection, b"", lambda data: data.endswith(b'."}'))

    def _tallies(self, more=""):
        """In a thread: the tallies of several repeats, with *more* header lines."""
        found = []
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            self._exchanges(connection, WARM_UP, more)
            for _ in range(REPEATS):
                tally = Tally()
                blockingCallFromThread(reactor, tally.start)
                try:
                    self._exchanges(connection, REQUESTS, more)
                finally:
                    blockingCallFromThread(reactor, tally.stop)
                found.append(tally)
        return found

    async def test_cost_of_a_small_exchange(self):
        """A request's calls, system calls and kept memory stay within their bounds."""
        self._serve(require_auth=False)
        tallies = await deferToThread(self._tallies)
        # What else happens meanwhile only ever adds: the least is the exchange's own.
        calls = min(tally.calls for tally in tallies) / REQUESTS
        fewest = min(tallies, key=lambda tally: tally.system_calls.total())
        system_calls = fewest.system_calls.total() / REQUESTS
        blocks = min(tally.blocks for tally in tallies) / REQUESTS
        self.assertGreater(calls, 50, "nothing was counted")
        self.assertLessEqual(calls, MOST_CALLS)
        self.assertLessEqual(system_calls, MOST_SYSTEM_CALLS, fewest.system_calls)
        self.assertLessEqual(blocks, MOST_BLOCKS_KEPT)

    async def test_cost_of_a_session(self):
        """What a remembered session adds to it: reading the token, a digest, a look-up, a place."""
        self._serve(require_auth=False)
        without = await deferToThread(self._tallies)
        sessions = SessionAuthenticator("http://127.0.0.1:9/me", cache_ttl=600.0)
        sessions.share(Everybody())
        self._serve(authenticator=sessions)
        tallies = await deferToThread(self._tallies, "Authorization: Bearer t0ken-of-ada\r\n")
        added = (min(t.calls for t in tallies) - min(t.calls for t in without)) / REQUESTS
        self.assertGreater(added, 5, "nothing was counted")
        self.assertLessEqual(added, MOST_SESSION_CALLS)
        fewest = min(tallies, key=lambda tally: tally.system_calls.total())
        self.assertLessEqual(
            fewest.system_calls.total() / REQUESTS, MOST_SYSTEM_CALLS, fewest.system_calls
        )
