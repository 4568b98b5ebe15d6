"""TLS to upstreams, by real handshakes: a request goes only to who proved its name."""

import os

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from naap_twisted.errors import BadGateway, ConfigError
from naap_twisted.model import ClientCertificate
from naap_twisted.testing import StaticResolver
from naap_twisted.upstream.client import UpstreamClient
from naap_twisted.upstream.tls import TlsContexts, cause_of
from tests.certs import Authority, self_signed

from ..demo.loopback import until
from .support import outbound

AUTHORITY = Authority()
KEY = b"Bearer canary-of-the-tls-tests"


class Server(Protocol):
    """Answers 204 to whatever it reads, and keeps it."""

    def connectionMade(self):
        self.factory.open += 1

    def connectionLost(self, reason):
        self.factory.open -= 1

    def dataReceived(self, data):
        self.factory.received += data
        self.transport.write(b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n")


class Handshakes(TestCase):
    def setUp(self):
        self.ca_file = self.mktemp()
        with open(self.ca_file, "wb") as file:
            file.write(AUTHORITY.pem)

    def ask(self, context, host="localhost", ca_file=None):
        """One request with a key to a server with *context*, known as *host*."""
        self.factory = Factory.forProtocol(Server)
        self.factory.received, self.factory.open = b"", 0
        port = reactor.listenSSL(0, self.factory, context, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        client = UpstreamClient(
            reactor,
            resolver=StaticResolver({"localhost": ["127.0.0.1"], "other.example": ["127.0.0.1"]}),
            ca_file=self.ca_file if ca_file is None else ca_file,
        )
        self.addCleanup(client.ticker.stop)
        self.addCleanup(
            lambda: Deferred.fromCoroutine(
                until(lambda: not self.factory.open and not client.pool._open)
            )
        )
        request = outbound(
            headers=((b"Authorization", KEY),),
            host=host,
            port=number,
            allow=(f"127.0.0.1/32:{number}",),
        )
        return client.send(request)

    async def accepted(self, context, host):
        response = await self.ask(context, host)
        self.assertEqual(response.code, 204)
        self.assertIn(KEY, self.factory.received)

    async def refused(self, context, host="localhost", ca_file=None):
        """A bad gateway, and not one byte of the request has left."""
        error = await self.assertFailure(self.ask(context, host, ca_file), BadGateway)
        # Not just any failure: a server that speaks no TLS would refuse everything too.
        self.assertRegex(error.reason, "certificate verify failed|VerificationError|no match")
        self.assertEqual(self.factory.received, b"")

    async def test_right_name(self):
        """A certificate of ca_file's for the name is accepted."""
        await self.accepted(AUTHORITY.server("localhost"), "localhost")

    async def test_right_address(self):
        """So is one for the address, where the target is one."""
        await self.accepted(AUTHORITY.server("127.0.0.1"), "127.0.0.1")

    async def test_wrong_name(self):
        """The name is the URL's, not the one of the address connected to (RFC 9525)."""
        await self.refused(AUTHORITY.server("localhost"), "other.example")

    async def test_wrong_address(self):
        """A name does not prove an address."""
        await self.refused(AUTHORITY.server("localhost"), "127.0.0.1")

    async def test_expired(self):
        """Yesterday's certificate proves nothing today."""
        await self.refused(AUTHORITY.server("localhost", expired=True))

    async def test_unknown_authority(self):
        """Nor does one of an authority that nobody named."""
        await self.refused(Authority("another").server("localhost"))

    async def test_without_ca_file(self):
        """Trust in the tests' authority comes from ca_file alone."""
        await self.refused(AUTHORITY.server("localhost"), ca_file="")

    async def test_self_signed(self):
        """Nor does a certificate that vouches for itself."""
        await self.refused(self_signed("localhost"))


class Resumption(TestCase):
    async def test_the_second_handshake_resumes(self):
        """A second connection to a host brings no second certificate exchange."""
        reused = []

        class Noting(Server):
            def dataReceived(self, data):
                handle = self.transport.getHandle()
                reused.append(bool(SSL._lib.SSL_session_reused(handle._ssl)))
                super().dataReceived(data)

        ca_file = self.mktemp()
        with open(ca_file, "wb") as file:
            file.write(AUTHORITY.pem)
        factory = Factory.forProtocol(Noting)
        factory.received, factory.open = b"", 0
        port = reactor.listenSSL(0, factory, AUTHORITY.server("localhost"), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        resolver = StaticResolver({"localhost": ["127.0.0.1"]})
        client = UpstreamClient(reactor, resolver=resolver, ca_file=ca_file)
        self.addCleanup(client.ticker.stop)
        allow = (f"127.0.0.1/32:{number}",)
        for _ in range(2):
            response = await client.send(outbound(host="localhost", port=number, allow=allow))
            self.assertEqual(response.code, 204)
            await until(lambda: not factory.open and not client.pool._open)
        self.assertEqual(reused, [False, True])


class Contexts(SynchronousTestCase):
    def test_kept_per_name(self):
        """One creator a name; the least used one is dropped over the bound."""
        contexts = TlsContexts(most=2)
        first = contexts.for_host("a.example")
        second = contexts.for_host("b.example")
        self.assertIsNot(first, second)
        self.assertIs(contexts.for_host("a.example"), first)
        contexts.for_host("c.example")
        self.assertIs(contexts.for_host("a.example"), first)
        self.assertIsNot(contexts.for_host("b.example"), second)

    def test_kept_per_certificate(self):
        """Each certificate of ours has a context, and so sessions, of its own; so has none."""
        contexts = TlsContexts()
        one, other = (ClientCertificate(*AUTHORITY.client("a.example")) for _ in range(2))
        made = [contexts.for_host("a.example", each) for each in (one, other, None)]
        self.assertEqual(len(set(map(id, made))), 3)
        self.assertIs(contexts.for_host("a.example", one), made[0])
        self.assertIs(contexts.for_host("a.example", None), made[2])

    def test_causes(self):
        """OpenSSL's words where it has some; else the kind of failure."""
        alert = [("SSL routines", "", "tlsv13 alert certificate required")]
        for error, words in (
            (SSL.Error(alert), "TLS: tlsv13 alert certificate required"),
            (SSL.Error(), "TLS: no reason given"),
            (SSL.Error([]), "TLS: no reason given"),
            (ConnectionLost(), "ConnectionLost"),
        ):
            self.assertEqual(cause_of(Failure(error)), words)

    def test_bad_file(self):
        """A ca_file that is missing or no PEM never starts."""
        empty = self.mktemp()
        with open(empty, "wb") as file:
            file.write(b"not a certificate")
        for path in (empty, os.path.join(self.mktemp(), "missing")):
            error = self.assertRaises(ConfigError, TlsContexts, path)
            self.assertTrue(error.problems[0].startswith("upstream.ca_file: "))
