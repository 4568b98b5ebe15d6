"""Look-ups of one that others must not feel: names without an answer, a storm of resets."""

import errno
import json
import os
import socket
import sys
from itertools import pairwise
from pathlib import Path
from threading import Event

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.utils import getProcessOutput
from twisted.names import dns
from twisted.trial.unittest import TestCase

from naap_twisted.errors import BadGateway
from naap_twisted.upstream import dns as upstream_dns
from naap_twisted.upstream.dns import DnsResolver
from naap_twisted.upstream.resolver import SystemResolver

from . import storm as storm_module
from .dns_server import HOST, ScriptedDns, a, answer
from .faults import eventually
from .oracle import OTHER_KEY, Stage

ROOT = Path(__file__).parents[2]
GOOD_URL = f"http://{HOST}:{{up}}/v1".encode()
LITERAL_URL = b"http://127.0.0.1:{up}/v1"
OTHER = b"/api/v1/other"
CALLER, ANOTHER = "198.51.100.7", "198.51.100.8"
# What one caller of a route may wait for at a time, and a good deal more.
MOST, MANY = 40, 60
ROUTE = {"allowed_hosts": ["127.0.0.1", HOST, "*.sub.example.org"], "connect_timeout": 20.0}
SERVER = {"trusted_proxies": ["127.0.0.1"]}


class SlowNames(Stage):
    """A route whose callers may name any host below sub.example.org, and another route.

    Every request comes through a trusted proxy, which tells for whom, and looks its name up anew.
    """

    timeout = 60

    async def ask(self, url, path, caller):
        """A request on its way."""
        client = await self.running.client()
        forwarded = f"X-Forwarded-For: {caller}".encode()
        client.send(self.request(forwarded, url=url, path=path))
        return client

    async def served(self, url, path=b"/api/v1/x", caller=CALLER):
        """The status of a request that finds no connection to use again."""
        self.way_out.pool.close()
        client = await self.ask(url, path, caller)
        raw = await client.read_to_end()
        self.heard.append(raw)
        self.assertTrue(raw.startswith(b"HTTP/1.1 200 "), raw)

    async def others_are_served(self):
        """The slow names' caller on another route, another caller, and who needs no look-up."""
        await self.served(f"http://{HOST}:{self.control.port}/v1".encode(), OTHER)
        await self.served(GOOD_URL, caller=ANOTHER)
        await self.served(LITERAL_URL)
        self.control.requests.clear()

    async def hold_up(self):
        """Ask for slow names: those who wait, and those who were told to come again."""
        urls = [f"http://slow{n}.sub.example.org:{{up}}/v1".encode() for n in range(MANY)]
        clients = [await self.ask(url, b"/api/v1/x", CALLER) for url in urls]
        await eventually(
            lambda: sum(not client.closed for client in clients) == self.waited(), 10.0
        )
        refused = [client for client in clients if client.closed]
        for client in refused:
            raw = await client.read_to_end()
            self.heard.append(raw)
            self.assertTrue(raw.startswith(b"HTTP/1.1 503 "), raw)
            self.assertIn(b"\r\nRetry-After: 1\r\n", raw)
        return [client for client in clients if client not in refused], refused

    def waited(self):
        """How many wait for a name."""
        return sum(map(len, self.way_out.resolver._waiting.values()))

    async def play(self):
        """The whole scene; *judge* is told what the upstream got."""
        hosts = {"allowed_hosts": [HOST], "allowed_ports": [self.control.port]}
        self.mount("/other", self.control, OTHER_KEY, hosts)
        waiting, refused = await self.hold_up()
        self.assertEqual((len(waiting), len(refused)), (MOST, MANY - MOST))
        await self.others_are_served()
        for client in waiting:
            client.abort()
        await eventually(lambda: not self.waited(), 5.0)
        self.assertEqual(self.way_out.resolver.asking, MOST)
        # Who left holds no place that anybody needs, not even themselves.
        await self.others_are_served()
        await self.served(GOOD_URL)


class DnsServersTests(SlowNames):
    """``dns_servers`` that stay silent about some names."""

    def say(self, query, kind, before):
        name = str(query.queries[0].name)
        if name.startswith("slow"):
            return []
        return [answer(query, [a("127.0.0.1", name)] if kind == dns.A else [])]

    async def test_slow_names(self):
        self.patch(upstream_dns, "_TIMEOUTS", (6.0,))
        self.dns = ScriptedDns(self, self.say)
        server = {"dns_servers": [f"127.0.0.1:{self.dns.port}"], **SERVER}
        self.start(own_way_out=True, server=server, **ROUTE)
        await self.play()
        await eventually(lambda: not self.way_out.resolver.asking, 20.0)
        await self.judge(sent=5)


class SystemTests(SlowNames):
    """A ``getaddrinfo`` that does not come back for some names: nobody can stop its threads."""

    def getaddrinfo(self, host, port, **how):
        """In a thread."""
        if host.startswith(b"slow"):
            self.silent.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Try again")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))]

    async def test_slow_names(self):
        self.silent = Event()
        self.addCleanup(self.silent.set)
        resolver = SystemResolver(reactor, getaddrinfo=self.getaddrinfo)
        self.start(resolver=resolver, server=SERVER, **ROUTE)
        await self.play()
        # What the process does in threads beside look-ups goes on.
        done = Deferred()
        reactor.callInThread(reactor.callFromThread, done.callback, None)
        await done
        self.silent.set()
        await eventually(lambda: not self.way_out.resolver.asking, 20.0)
        await self.judge(sent=5)


class StormTests(Stage):
    """Callers that reset their connections at every phase, names that are looked up each time."""

    timeout = 120

    async def test_resets(self):
        """Each look-up is answered: none is lost with a socket whose number was used again."""

        def say(query, kind, before):
            name = str(query.queries[0].name)
            return [answer(query, [a("127.0.0.1", name)] if kind == dns.A else [])]

        self.dns = ScriptedDns(self, say)
        server = {"dns_servers": [f"127.0.0.1:{self.dns.port}"]}
        self.start(own_way_out=True, server=server, allowed_hosts=["*.sub.example.org"])
        url = f"http://n%d.sub.example.org:{self.upstream.port}/v1"
        storm = ["-m", storm_module.__name__, str(self.running.port), "2000", url]
        said = await getProcessOutput(
            sys.executable, storm, env=os.environ, path=ROOT, errortoo=True
        )
        statuses = json.loads(said)
        self.assertEqual(set(statuses), {"200"}, statuses)
        self.assertGreater(statuses["200"], 500)
        self.assertGreater(len(self.dns.asked), 500)
        await self.judge(sent=len(self.upstream.requests))


class Crowded:
    """The reactor of a process that has no descriptor left while *full*."""

    full = True

    def __getattr__(self, name):
        return getattr(reactor, name)

    def listenUDP(self, port, protocol, **how):
        if self.full:
            raise CannotListenError("", port, OSError(errno.EMFILE, "Too many open files"))
        return reactor.listenUDP(port, protocol, **how)


class CrowdedTests(TestCase):
    timeout = 20

    async def test_no_descriptor_left(self):
        """A name that could not be asked for can be asked for as soon as there is one again."""
        crowded = Crowded()
        server = ScriptedDns(self, lambda q, k, n: [answer(q, [a("127.0.0.1")])])
        resolver = DnsResolver([("127.0.0.1", server.port)], crowded)
        for _ in range(2):
            error = await self.assertFailure(resolver.resolve(HOST), BadGateway)
            self.assertIn("CannotListenError", error.reason)
        crowded.full = False
        addresses = (await resolver.resolve(HOST)).addresses
        self.assertEqual([str(address) for address in addresses], ["127.0.0.1"])


class ForgeryTests(Stage):
    """What a forger of answers has to guess (RFC 5452 section 9.2)."""

    async def test_ports_and_ids(self):
        """A random port and a random id for each query, also for a name that is asked again."""

        def say(query, kind, before):
            return [answer(query, [a("127.0.0.1")] if kind == dns.A else [])]

        self.dns = ScriptedDns(self, say)
        server = {"dns_servers": [f"127.0.0.1:{self.dns.port}"]}
        self.start(own_way_out=True, server=server, allowed_hosts=[HOST])
        for _ in range(30):
            self.way_out.pool.close()
            replies = await self.converse(self.request(url=GOOD_URL))
            self.assertEqual([reply.status for reply in replies], [200])
        self.assertEqual(len(self.dns.heard), 60)
        for values in zip(*self.dns.heard, strict=True):
            self.assertGreater(len(set(values)), 55)
            # Sixty numbers of sixteen bits: chance leaves hardly two of them side by side.
            steps = [abs(after - before) for before, after in pairwise(values)]
            self.assertLess(sum(step < 16 for step in steps), 5)
            self.assertGreater(max(values) - min(values), 20_000)
        await self.judge(sent=30)
