"""Look-ups of one that others must not feel."""

import json
import os
import sys
from itertools import pairwise
from pathlib import Path

from twisted.internet.utils import getProcessOutput
from twisted.names import dns

from . import storm as storm_module
from .dns_server import HOST, ScriptedDns, a, answer
from .oracle import Stage

ROOT = Path(__file__).parents[2]
GOOD_URL = f"http://{HOST}:{{up}}/v1".encode()


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
