"""An upload that is refused at once: who sends it reads the answer, whatever sends it."""

import shutil
import socket
from http.client import HTTPConnection
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.testing.client import request_bytes
from tests.integration.support import OK, PINNED, IntegrationTestCase, response, until

from .process import Child

TIMES = 20
SMALL, LARGE = 3_000_000, 100_000_000
JSON = "application/json"

_NODE = """
const [url, times, size, kind] = process.argv.slice(1);
const body = Buffer.alloc(Number(size), "x");
const read = {};
for (let i = 0; i < Number(times); i++) {
    let outcome;
    try {
        const answer = await fetch(url, {method: "POST", body, headers: {"Content-Type": kind}});
        outcome = (await answer.json()).error.code;
    } catch (error) {
        outcome = error.cause?.code ?? String(error);
    }
    read[outcome] = (read[outcome] ?? 0) + 1;
}
console.log("READ", JSON.stringify(read));
"""


class Nobody:
    """Signs nobody in."""

    def authenticate(self, request):
        return None


class EarlyAnswers(IntegrationTestCase):
    timeout = 240

    def pin(self, *steps, server=None, eager=False, **route):
        self.start(*steps, server=server, eager=eager)
        self.mount("/p", target=self.upstream.origin + "/v1", **route)

    async def refusals(self):
        """Each early refusal: its code, and the content type that brings it."""
        self.pin(OK)
        yield "UNSUPPORTED_MEDIA_TYPE", "text/plain"
        yield "BODY_TOO_LARGE", JSON
        self.pin(OK, authorize=lambda request: False)
        yield "FORBIDDEN", JSON
        self.pin(OK, server={"require_auth": True, "authenticator": Nobody()})
        yield "UNAUTHORIZED", JSON
        theirs = response(413, b'{"error": {"code": "THEIRS"}}', f"Content-Type: {JSON}")
        self.pin(theirs, eager=True, content_type="*/*", body_limit="200mb")
        yield "THEIRS", "text/plain"

    async def at_rest(self):
        """No connection is left behind, nor counted."""
        site = self.running.server.site()
        await until(lambda: not site.open)
        self.assertEqual((site.lingering.total, dict(site.lingering.by_key)), (0, {}))

    async def test_node(self):
        """Node's fetch, twenty times of twenty."""
        node = shutil.which("node")
        if node is None:
            raise SkipTest("node is not installed")
        async for code, kind in self.refusals():
            for size in (SMALL, LARGE):
                arguments = [self.running.url + PINNED, str(TIMES), str(size), kind]
                command = [node, "--input-type=module", "-e", _NODE, "--", *arguments]
                child = Child(self, command, path=str(Path.cwd()))
                await child.until(lambda child=child: child.ended)
                wanted = b'READ {"%s":%d}' % (code.encode(), TIMES)
                self.assertIn(wanted, child.output, (size, child.output.decode()))
            await self.at_rest()

    async def test_who_reads_after_the_whole_upload(self):
        """As Python's http.client does, and requests on top of it."""

        def ask(size, kind):
            client = HTTPConnection("127.0.0.1", self.running.port, timeout=60)
            try:
                client.request("POST", PINNED, b"x" * size, {"Content-Type": kind})
                return client.getresponse().read()
            finally:
                client.close()

        async for code, kind in self.refusals():
            for size in (SMALL, LARGE):
                self.assertIn(code.encode(), await deferToThread(ask, size, kind))
            await self.at_rest()


class Bounds(IntegrationTestCase):
    """A crowd that goes on sending for ever is not read for ever, and not by everybody at once."""

    async def upload(self):
        """A socket whose endless upload was refused; the server's FIN does not close it."""
        client = socket.create_connection(("127.0.0.1", self.running.port))
        self.addCleanup(client.close)
        head = self.headers(Content_Type="text/plain", Content_Length="1000000000000")
        client.sendall(request_bytes("POST", PINNED, head))
        answer = await deferToThread(client.recv, 4096)
        self.assertIn(b" 415 ", answer[:20])
        client.setblocking(False)
        return client

    def begin(self, **limits):
        self.start(OK, server={"limits": DownstreamLimits(**limits)})
        self.mount("/p", target=self.upstream.origin + "/v1")
        return self.running.server.site()

    def flood(self, clients):
        """Send on all of *clients* what they take, ten times a second, until one is reset."""
        sent = []

        def send():
            for client in clients:
                try:
                    while True:
                        sent.append(client.send(b"x" * 65536))
                except BlockingIOError:
                    pass
                except ConnectionError:
                    sending.stop()
                    return

        sending = LoopingCall(send)
        self.addCleanup(lambda: sending.running and sending.stop())
        sending.start(0.1)
        return sent

    async def test_time(self):
        """The end comes although bytes do."""
        site = self.begin(linger_time=0.5, linger_rate=10_000_000)
        began = reactor.seconds()
        self.flood([await self.upload()])
        await until(lambda: not site.open)
        self.assertGreater(reactor.seconds() - began, 0.5)

    async def test_number(self):
        """Those past it are closed with their answer; the others are served as ever."""
        site = self.begin(lingering_per_address=3)
        crowd = [await self.upload() for _ in range(10)]
        await until(lambda: len(site.open) == 3)
        self.assertEqual(site.lingering.total, 3)
        self.assertEqual((await self.post(path=PINNED)).status, 200)
        for client in crowd:
            client.close()
        await until(lambda: not site.open)
        self.assertEqual(site.lingering.total, 0)

    async def test_rate(self):
        """All together are read at it, but for what fits into their buffers."""
        site = self.begin(linger_rate=1_000_000, linger_time=1.0)
        taken = []
        read = site.lingering.read
        self.patch(site.lingering, "read", lambda size, now: taken.append(size) or read(size, now))
        self.flood([await self.upload() for _ in range(4)])
        await until(lambda: not site.open)
        # One second's bytes at once, those of the second that it lasts, and a read of each beyond.
        self.assertGreater(sum(taken), 1_500_000)
        self.assertLess(sum(taken), 5_000_000)
