"""Names to addresses: all of them, or a failure."""

import socket
from ipaddress import ip_address
from threading import Event
from threading import enumerate as enumerate_threads

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import TestCase

from naap_twisted.errors import BadGateway, Unavailable
from naap_twisted.upstream import resolver as module
from naap_twisted.upstream.resolver import NoAddress, SystemResolver
from tests.adversarial.faults import eventually


class SystemCase(TestCase):
    """The system's own getaddrinfo is a table; a name may be silent until it is let go."""

    timeout = 20
    hosts = ""

    def setUp(self):
        self.asked = []
        self.table = {}
        self.silent = Event()
        self.addCleanup(self.silent.set)
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(self.hosts)
        self.resolver = SystemResolver(reactor, hosts=path, getaddrinfo=self.getaddrinfo, most=12)

    def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
        """In a thread."""
        self.asked.append(host)
        found = self.table.get(host, socket.gaierror(socket.EAI_NONAME, "not known"))
        if found is self.silent:
            self.silent.wait(20)
            found = ["192.0.2.9"]
        if isinstance(found, Exception):
            raise found
        return [(0, type, 0, "", (text, 0)) for text in found]

    async def found(self, host):
        return (await self.resolver.resolve(host)).addresses

    def addresses(self, *texts):
        return tuple(map(ip_address, texts))


class AnswerTests(SystemCase):
    async def test_every_address(self):
        """Both families, in the system's order, each once; a scope id is dropped."""
        self.table[b"a.example."] = ("2001:db8::1", "192.0.2.1", "192.0.2.1", "fe80::1%eth0")
        expected = self.addresses("2001:db8::1", "192.0.2.1", "fe80::1")
        self.assertEqual(await self.found("a.example"), expected)

    async def test_none(self):
        """A name that has no address is a bad gateway, and an answer."""
        self.table[b"empty.example."] = ()
        for host in ("a.example", "empty.example"):
            await self.assertFailure(self.resolver.resolve(host), NoAddress)

    async def test_failure(self):
        """What could not be asked is no answer; what it was is for the log."""
        self.table[b"a.example."] = socket.gaierror(socket.EAI_AGAIN, "Try again")
        error = await self.assertFailure(self.resolver.resolve("a.example"), BadGateway)
        self.assertNotIsInstance(error, NoAddress)
        self.assertIn("Try again", error.reason)

    async def test_real(self):
        """The system itself, of its own name."""
        answer = await SystemResolver(reactor).resolve("localhost")
        self.assertTrue(all(address.is_loopback for address in answer.addresses))


class NameTests(SystemCase):
    hosts = "10.0.0.7 gpu.lab.example gpu\n::1 gpu\n"

    async def test_hosts_file_first(self):
        """A name that only the hosts file knows is found, and nothing else is asked."""
        self.assertEqual(await self.found("gpu.lab.example"), self.addresses("10.0.0.7"))
        self.assertEqual(await self.found("gpu"), self.addresses("10.0.0.7", "::1"))
        self.assertEqual(self.asked, [])

    async def test_absolute(self):
        """A search domain never completes a name, be it a single label."""
        self.table = {b"a.example.": ["192.0.2.1"], b"ollama.": ["192.0.2.2"]}
        self.table |= {b"a.example": ["192.0.2.66"], b"ollama": ["192.0.2.66"]}
        self.assertEqual(await self.found("a.example"), self.addresses("192.0.2.1"))
        self.assertEqual(await self.found("ollama"), self.addresses("192.0.2.2"))
        self.assertEqual(self.asked, [b"a.example.", b"ollama."])


class ThreadTests(SystemCase):
    async def test_silent_names(self):
        """More silent names than the reactor has threads hold up neither it nor other names."""
        self.table = {b"good.example.": ["192.0.2.1"]}
        waiting = []
        for number in range(11):
            self.table[b"s%d.example." % number] = self.silent
            waiting.append(self.resolver.resolve(f"s{number}.example"))
        self.assertEqual(await self.found("good.example"), self.addresses("192.0.2.1"))
        self.assertEqual(reactor.getThreadPool().workers, 0)
        self.silent.set()
        for one in waiting:
            self.assertEqual((await one).addresses, self.addresses("192.0.2.9"))

    async def test_bound(self):
        """One thread more than there may be is refused; each that ends makes room."""
        for number in range(12):
            self.table[b"s%d.example." % number] = self.silent
        waiting = [self.resolver.resolve(f"s{number}.example") for number in range(12)]
        self.assertRaises(Unavailable, self.resolver.resolve, "a.example")
        self.silent.set()
        for one in waiting:
            await one
        self.table[b"a.example."] = ["192.0.2.1"]
        await self.found("a.example")

    async def test_threads_stay_for_a_while(self):
        """A few wait for the next name, the others end; none is started while one waits."""

        # Those of earlier tests' resolvers end when they like.
        others = set(enumerate_threads())

        def threads():
            return sum(
                thread.name == "naap-look-up" and thread not in others
                for thread in enumerate_threads()
            )

        self.table = {b"s%d.example." % number: self.silent for number in range(12)}
        waiting = [self.resolver.resolve(f"s{number}.example") for number in range(12)]
        self.assertEqual(threads(), 12)
        self.silent.set()
        for one in waiting:
            await one
        await eventually(lambda: threads() == 8, 5.0)
        self.silent.clear()
        waiting = [self.resolver.resolve(f"s{number}.example") for number in range(8)]
        self.assertEqual(threads(), 8)
        self.silent.set()
        for one in waiting:
            await one

    async def test_no_thread(self):
        """A machine without a thread to spare: the failure is told, nothing is counted."""

        class Refused:
            def __init__(self, **options):
                pass

            def start(self):
                raise RuntimeError("can't start new thread")

        self.patch(module, "Thread", Refused)
        for _ in range(13):
            self.assertRaises(RuntimeError, self.resolver.resolve, "a.example")

    async def test_cancelled(self):
        """Who leaves is free at once; the thread's late answer is nobody's."""
        self.table[b"s.example."] = self.silent
        self.table[b"good.example."] = ["192.0.2.1"]
        done = self.resolver.resolve("s.example")
        done.cancel()
        await self.assertFailure(done, CancelledError)
        self.silent.set()
        await self.found("good.example")
