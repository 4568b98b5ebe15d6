"""The stage that every hostile vector is played on, and the one oracle that judges each of them.

A vector is one row of a table and one test. After it, whatever it was: no sentinel was contacted,
each key was seen by its own upstream only, the upstream got exactly the requests that the row
names, another request is served at once, nothing was logged as an error, and connections, pooled
sockets, deadlines and delayed calls are back where they were.
"""

from __future__ import annotations

import re
from contextlib import suppress
from time import process_time

from attrs import frozen
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.deadlines import Ticker
from naap_twisted.testing import RunningServer, ScriptedUpstream, StaticResolver
from naap_twisted.upstream.client import UpstreamClient

KEY = "canary-9c1e-of-the-upstream-under-attack"
OTHER_KEY = "canary-57ab-of-the-control-upstream"
PATH = b"/api/v1/x"
CONTROL = b"/api/v1/control"
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"ok":1}'

_PATIENCE = 3.0
_STEP = 0.002


def one_test_per(table):
    """Class decorator: a test method for each row, named after it; ``check(row)`` is the test."""

    def decorate(cls):
        for number, row in enumerate(table):
            name = f"test_{number:03}_" + re.sub(r"\W+", "_", row.name).strip("_").lower()

            async def test(self, row=row):
                await self.check(row)

            test.__name__, test.__doc__ = name, row.name
            setattr(cls, name, test)
        return cls

    return decorate


@frozen
class Reply:
    """An answer as a parser of three lines reads it, not ours.

    :ivar headers: ``(lower-case name, value)`` pairs.
    :ivar complete: it ended where its framing says.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    complete: bool

    def values(self, name):
        """Every value of a header."""
        return [value for key, value in self.headers if key == name.lower().encode()]


def read_replies(raw, clean, method=b"POST"):
    """Every answer in *raw*; AssertionError for bytes that are none."""
    replies = []
    while raw:
        head, gap, raw = raw.partition(b"\r\n\r\n")
        assert gap, f"half a head at the end: {head[:200]!r}"
        first, *lines = head.split(b"\r\n")
        assert re.fullmatch(rb"HTTP/1\.1 \d{3} [ -~]+", first), first
        status = int(first.split(b" ")[1])
        headers = [(n.lower(), v) for n, _, v in (line.partition(b": ") for line in lines)]
        named = dict(headers)
        complete = True
        if status < 200 or status in (204, 304) or method == b"HEAD":
            body = b""
        elif b"content-length" in named:
            assert b"transfer-encoding" not in named, "both framings"
            length = int(named[b"content-length"])
            body, raw = raw[:length], raw[length:]
            complete = len(body) == length
        elif named.get(b"transfer-encoding") == b"chunked":
            body, raw, complete = _unchunk(raw)
        else:
            body, raw, complete = raw, b"", clean
        replies.append(Reply(status, headers, body, complete))
    return replies


def _unchunk(raw):
    body = b""
    while True:
        size, gap, rest = raw.partition(b"\r\n")
        if not gap or len(rest) < int(size, 16) + 2:
            return body + rest, b"", False
        length = int(size, 16)
        body, raw = body + rest[:length], rest[length + 2 :]
        if length == 0:
            return body, raw, True


class Sentinels:
    """Listeners that nobody may ever reach: another port, another loopback address, ``::1``."""

    def __init__(self, test, port):
        self.contacts = []
        self._listen(test, "127.0.0.2", port)
        self.port = self._listen(test, "127.0.0.1", 0)
        with suppress(CannotListenError):  # no such address here: nothing can reach it either
            self._listen(test, "::1", port)

    def _listen(self, test, address, port):
        contacts = self.contacts

        class Contact(Protocol):
            def connectionMade(self):
                contacts.append(address)
                self.transport.abortConnection()

        factory = Factory.forProtocol(Contact)
        factory.noisy = False
        listening = reactor.listenTCP(port, factory, interface=address)
        test.addCleanup(listening.stopListening)
        return listening.getHost().port


class Stage(TestCase):
    """A server with two routes: one under attack, one to tell whether the server still lives.

    :ivar upstream: of the route at PATH; it answers by the script given to :meth:`start`.
    :ivar resolver: the names there are; every name it was asked for is in ``asked``.
    """

    timeout = 20
    key = KEY
    hosts = {"api.example.com": "127.0.0.1", "www.sub.example.org": "127.0.0.1"}

    def start(self, *steps, server=None, own_way_out=False, resolver=None, **route):
        """Build the stage. *own_way_out*: the server's own resolver instead of the table."""
        self._before = set(reactor.getDelayedCalls())
        self.heard: list[bytes] = []
        self.logged: list[str] = []
        self.keyed = "forward_headers" not in route
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)
        self._listen(steps or (OK,))
        self.control = ScriptedUpstream(self, OK)
        opened = [f"127.0.0.1/32:{peer.port}" for peer in (self.upstream, self.control)]
        settings = {"require_auth": False, "rate_limit": None, "allow_networks": opened}
        settings["server_names"] = ["a"]  # the Host that most rows write
        plugin = create_plugin_server("stage", port=0, **{**settings, **(server or {})})
        self.running = RunningServer(self, plugin)
        self.resolver = resolver or StaticResolver(self.hosts)
        self.way_out = plugin.parts.upstream
        if not own_way_out:
            self.way_out = UpstreamClient(reactor, resolver=self.resolver)
            self.addCleanup(self.way_out.ticker.stop)
        self.mount("/x", self.upstream, KEY, route)
        self.mount("/control", self.control, OTHER_KEY, {})

    def _listen(self, steps):
        for _ in range(20):
            self.upstream = ScriptedUpstream(self, *steps)
            with suppress(CannotListenError):  # somebody has this port on 127.0.0.2
                self.sentinels = Sentinels(self, self.upstream.port)
                return
        self.fail("no port is free on two loopback addresses")

    def mount(self, path, peer, key, route):
        options = {"forward_headers": {"Authorization": f"Bearer {key}"}, **route}
        if "target" not in options:
            hosts = ["127.0.0.1", "api.example.com", "*.sub.example.org"]
            defaults = {"allowed_hosts": hosts, "allowed_schemes": ["http"]}
            options = {**defaults, "allowed_ports": [peer.port], **options}
        proxy = create_external_proxy(upstream=self.way_out, **options)
        self.running.server.mount(path, proxy)

    def _log(self, event):
        self.logged.append(formatEvent(event))
        failure = event.get("log_failure")
        if failure is not None:
            self.logged.append(failure.getTraceback())

    def fill(self, raw):
        """*raw* with the ports of this stage in place of ``{up}`` and ``{sentinel}``."""
        raw = raw.replace(b"{up}", str(self.upstream.port).encode())
        return raw.replace(b"{sentinel}", str(self.sentinels.port).encode())

    async def converse(self, *pieces, method=b"POST"):
        """Send *pieces*, one packet each, and read every answer until the connection closes."""
        client = await self.running.client()
        for piece in pieces:
            client.send(piece)
            if len(pieces) > 1:
                await deferLater(reactor, 0)
        raw = await client.read_to_end()
        self.clean = client.clean
        self.heard.append(raw)
        return read_replies(raw, client.clean, method)

    def request(self, *lines, url=None, body=b"{}", method=b"POST", path=PATH):
        """A good request for the route under attack, and further header lines."""
        url = b"http://127.0.0.1:{up}/v1" if url is None else url
        head = [
            method + b" " + path + b" HTTP/1.1",
            b"Host: a",
            b"Content-Type: application/json",
            b"Connection: close",
            b"X-Target-URL: " + url,
            b"Content-Length: %d" % len(body),
            *lines,
        ]
        return self.fill(b"\r\n".join(head) + b"\r\n\r\n") + body

    def assert_error(self, replies, status, code):
        """One answer, the contract's envelope."""
        self.assertEqual([reply.status for reply in replies], [status], replies)
        self.assertIn(b'"code": "%s"' % code.encode(), replies[0].body)

    # The oracle.

    async def judge(self, sent):
        """*sent*: the requests that the upstream may have got by now, exactly."""
        await self.until(lambda: not self.running.server.site().open, "browser connections")
        self.assertEqual(len(self.upstream.requests), sent, "requests that reached the upstream")
        await self._serves_others()
        self.assertEqual(self.sentinels.contacts, [], "a sentinel was contacted")
        self._keys_stayed_home()
        self.assertEqual(self.flushLoggedErrors(), [], "errors were logged")
        await self._back_to_baseline()

    async def until(self, condition, what):
        """Wait for *condition*, not for long."""
        give_up = reactor.seconds() + _PATIENCE
        while not condition():
            self.assertLess(reactor.seconds(), give_up, f"not back to baseline: {what}")
            await deferLater(reactor, _STEP)

    async def _serves_others(self):
        # Of the processor, not of the wall: a busy machine is not the proxy's fault, and a request
        # that is kept waiting without work ends with the patience of `converse`.
        began = process_time()
        url = f"http://127.0.0.1:{self.control.port}/v1".encode()
        replies = await self.converse(self.request(url=url, path=CONTROL))
        self.assertEqual([reply.status for reply in replies], [200], "the control request")
        self.assertLess(process_time() - began, 1.0, "the control request cost much")
        self.assertEqual(len(self.control.requests), 1, "the control upstream's requests")

    def _keys_stayed_home(self):
        own = [f"Bearer {KEY}".encode(), f"Bearer {OTHER_KEY}".encode()]
        for peer, key, other in ((self.upstream, *own), (self.control, *own[::-1])):
            for received in peer.requests:
                self.assertNotIn(other, received.raw)
                if received.complete and (self.keyed or peer is self.control):
                    self.assertEqual(received.values("authorization"), [key])
        for key in (KEY, OTHER_KEY):
            self.assertNotIn(key.encode(), b"".join(self.heard), "a key went to a browser")
            self.assertNotIn(key, "\n".join(self.logged), "a key went to the log")

    async def _back_to_baseline(self):
        server = self.running.server
        await self.until(lambda: not server.site().open, "browser connections")
        for side in (self.way_out, server.parts.upstream):
            pool = side.pool
            await self.until(lambda p=pool: sum(p._open.values()) == len(p), "busy connections")
            side.close()
            await self.until(lambda p=pool: not p._open and not len(p), "pooled connections")
            self.assertEqual(len(side.ticker), 0, "deadlines towards upstreams")
        self.assertEqual(len(server.site().ticker), 0, "deadlines towards browsers")
        await self.until(lambda: not self._left_over(), "delayed calls")

    def _left_over(self):
        """Delayed calls that are neither a ticker's nor the test's own timeout."""
        return [
            call
            for call in set(reactor.getDelayedCalls()) - self._before
            if not isinstance(getattr(call.func, "__self__", None), Ticker)
            and not call.func.__module__.startswith("twisted.trial.")
        ]
