"""What takes private names of Twisted and Klein; and each name, with what it has to mean."""

import ast
import contextlib
import io
import os
import socket
import struct
from pathlib import Path
from unittest.mock import patch

import klein
from OpenSSL.crypto import (
    FILETYPE_PEM,
    X509StoreContext,
    X509StoreContextError,
    load_certificate,
)
from twisted.internet import reactor
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, OpenSSLDefaultPaths, optionsForClientTLS
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.internet.unix import Port as UnixPort
from twisted.logger import FileLogObserver, LogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.http_headers import Headers
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

import twisted
from naap_twisted import _twisted
from naap_twisted._twisted import (
    MOST,
    RequestChannel,
    TableHeaders,
    UnmadeRequest,
    adopt_unix,
    end_with_status_0,
    file_of,
    handles_errors,
    listening_below,
    observers_of,
    send_now,
    stop_writing,
    unread,
    unsent,
    write_to,
)
from naap_twisted.upstream.tls import trust_roots
from tests.certs import Authority

from .integration.support import until


class PairCase(TestCase):
    """A transport of the reactor's, and a plain socket at its other end."""

    timeout = 30

    def setUp(self) -> Deferred[None]:
        made: Deferred[Protocol] = Deferred()
        lost = self.lost = Deferred()

        class Side(Protocol):
            def connectionMade(self) -> None:
                made.callback(self)

            def connectionLost(self, reason: object = None) -> None:
                lost.callback(None)

        port = reactor.listenTCP(0, Factory.forProtocol(Side), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.peer = socket.create_connection(("127.0.0.1", port.getHost().port), timeout=5)

        def close() -> Deferred[None]:
            self.peer.close()
            return self.lost

        self.addCleanup(close)

        def keep(side: Protocol) -> None:
            self.transport = side.transport

        return made.addCallback(keep)

    def tls(self) -> Protocol:
        """TLS over the transport, in the middle of its handshake."""
        factory = TLSMemoryBIOFactory(optionsForClientTLS("a"), True, Factory.forProtocol(Protocol))
        tls = factory.buildProtocol(None)
        tls.makeConnection(self.transport)
        return tls


class SendNowTests(PairCase):
    def test_at_once(self) -> None:
        """The kernel has the bytes before the reactor turns."""
        transport = self.transport
        self.assertTrue(send_now(transport, b"now"))
        self.assertEqual(self.peer.recv(10), b"now")

    def test_order(self) -> None:
        """What comes after queued bytes is queued behind them."""
        transport = self.transport
        transport.write(b"first ")
        self.assertFalse(send_now(transport, b"second"))
        read: Deferred[bytes] = Deferred()
        reactor.callLater(0, reactor.callLater, 0, lambda: read.callback(self.peer.recv(100)))
        return read.addCallback(self.assertEqual, b"first second")

    def test_what_the_kernel_does_not_take(self) -> Deferred[None]:
        """Everything arrives, in order, also when the socket's buffer is full."""
        transport = self.transport
        sent = b"".join(b"%07d\n" % index for index in range(600_000))
        for start in range(0, len(sent), MOST - 1):
            send_now(transport, sent[start : start + MOST - 1])
        self.assertTrue(transport._tempDataLen or transport.dataBuffer)
        got = bytearray()
        self.peer.setblocking(False)
        done: Deferred[None] = Deferred()

        def read() -> None:
            try:
                while chunk := self.peer.recv(1 << 20):
                    got.extend(chunk)
            except BlockingIOError:
                pass
            if len(got) < len(sent):
                reactor.callLater(0, read)
            else:
                done.callback(None)

        read()
        return done.addCallback(lambda _: self.assertEqual(bytes(got), sent))

    def test_any_other_transport(self) -> None:
        """TLS and the like get an ordinary write."""
        transport = StringTransport()
        send_now(transport, b"x")
        self.assertEqual(transport.value(), b"x")


class UnsentTests(PairCase):
    """What was written and may still be on this machine."""

    async def test_in_the_reactors_queue(self) -> None:
        """Bytes that wait for the reactor's next turn, until the peer has them."""
        self.assertFalse(unsent(self.transport))
        self.transport.write(b"x")
        self.assertTrue(unsent(self.transport))
        await until(lambda: not unsent(self.transport))
        self.assertEqual(self.peer.recv(10), b"x")

    async def test_in_the_kernels(self) -> None:
        """Bytes that the kernel has taken, and the peer's kernel has no room for."""
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                sent += self.transport.socket.send(b"x" * (1 << 16))
        self.assertTrue(unsent(self.transport))
        while sent:
            sent -= len(self.peer.recv(sent))
        await until(lambda: not unsent(self.transport))

    async def test_under_tls(self) -> None:
        """Twisted's TLS keeps bytes above the socket's queues, and what is in those counts, too."""
        tls = self.tls()
        await until(lambda: not unsent(self.transport))
        self.assertFalse(unsent(tls))
        self.transport.write(b"below")
        self.assertTrue(unsent(tls))

    def test_any_other_transport(self) -> None:
        """One without a socket keeps nothing and has nothing below."""
        transport = StringTransport()
        transport.write(b"x")
        self.assertFalse(unsent(transport))
        self.assertIsNone(listening_below(transport))


class StopTests(PairCase):
    async def test_nothing_more(self) -> None:
        """What waits in Twisted's queue stays there, under TLS too; a close is not held up."""
        tls = self.tls()
        for transport in (self.transport, tls):
            self.transport.write(b"x")
            stop_writing(transport)
            self.assertNotIn(self.transport, reactor.getWriters())
        self.assertTrue(unsent(self.transport))
        self.transport.abortConnection()
        await self.lost
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)
        stop_writing(StringTransport())


class UnreadTests(PairCase):
    """What has come and was not read; reading it is left to the reactor."""

    def test_nothing(self) -> None:
        """An open socket on which nothing came is quiet."""
        self.assertFalse(unread(listening_below(self.transport)))

    def test_a_byte(self) -> None:
        """It stays where it is, and is heard under TLS, too."""
        self.peer.send(b"x")
        tls = self.tls()
        for transport in (self.transport, self.transport, tls):
            self.assertTrue(unread(listening_below(transport)))

    def test_an_end(self) -> None:
        """In order or not."""
        below = listening_below(self.transport)
        self.peer.shutdown(socket.SHUT_WR)
        self.assertTrue(unread(below))
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()
        self.assertTrue(unread(below))


def private(owner: object, name: str) -> object:
    """What *owner* of Twisted or Klein has under *name*; without, a failure that leads there."""
    kind = owner if isinstance(owner, type) else type(owner)
    package = klein if kind.__module__.startswith("klein") else twisted
    try:
        return getattr(owner, name)
    except AttributeError:
        raise AssertionError(
            f"{package.__name__.capitalize()} {package.__version__} no longer has"
            f" {kind.__name__}.{name}; see naap_twisted/_twisted.py"
        ) from None


class ConnectionNames(PairCase):
    """Names of ``twisted.internet.tcp.Connection`` and of what it inherits."""

    def test_tempDataLen(self) -> None:
        """The number of bytes written that the write loop has not looked at yet."""
        self.assertEqual(private(self.transport, "_tempDataLen"), 0)
        self.transport.write(b"abc")
        self.assertEqual(private(self.transport, "_tempDataLen"), 3)

    def test_dataBuffer_and_offset(self) -> None:
        """What the write loop has in hand, and how much of it the kernel has taken."""
        names = ("_tempDataLen", "dataBuffer", "offset")
        self.transport.write(bytes(1 << 24))
        self.transport.doWrite()
        waiting, buffer, offset = (private(self.transport, name) for name in names)
        self.assertEqual((waiting, len(buffer)), (0, 1 << 24))
        self.assertTrue(0 < offset < len(buffer), offset)

    def test_writeDisconnected(self) -> None:
        """This side of the connection is closed: nothing may be sent past Twisted."""
        self.assertFalse(private(self.transport, "_writeDisconnected"))
        self.transport.loseWriteConnection()
        self.transport.doWrite()
        self.assertTrue(private(self.transport, "_writeDisconnected"))
        self.assertFalse(send_now(self.transport, b"x"))

    def test_aborting(self) -> None:
        """An abort has been asked for; no public attribute says so before the reactor's turn."""
        self.assertFalse(private(self.transport, "_aborting"))
        self.transport.abortConnection()
        self.assertTrue(private(self.transport, "_aborting"))
        self.assertFalse(send_now(self.transport, b"x"))
        return self.lost


class TlsNames(PairCase):
    """Names of ``twisted.protocols.tls.TLSMemoryBIOProtocol``."""

    async def begun(self) -> Protocol:
        """TLS of which only the handshake's first flight has been written, and is sent."""
        tls = self.tls()
        await until(lambda: not unsent(tls))
        return tls

    async def test_aggregator(self) -> None:
        """It gathers small writes for one record."""
        tls = await self.begun()
        tls.write(b"small")
        private(private(tls, "_aggregator"), "flush")()
        self.assertEqual(private(tls, "_appSendBuffer"), [b"small"])

    async def test_buffer(self) -> None:
        """What it has gathered."""
        tls = await self.begun()
        tls.write(b"small")
        self.assertEqual(private(private(tls, "_aggregator"), "_buffer"), [b"small"])
        self.assertTrue(unsent(tls))

    async def test_appSendBuffer(self) -> None:
        """What waits for the end of the handshake, or for room."""
        tls = await self.begun()
        self.assertEqual(private(tls, "_appSendBuffer"), [])
        tls.write(b"large" * 20_000)
        self.assertEqual(b"".join(private(tls, "_appSendBuffer")), b"large" * 20_000)
        self.assertTrue(unsent(tls))


class TrustNames(SynchronousTestCase):
    """Names of what stands behind ``twisted.internet.ssl``."""

    def test_addCACertsToContext(self) -> None:
        """Twisted asks trust roots for their certificates by it: the system's and the file's."""
        private(OpenSSLDefaultPaths, "_addCACertsToContext")
        paths = []
        for name in ("the system's", "the file's"):
            paths.append(Path(self.mktemp()))
            paths[-1].write_bytes(Authority(name).pem)
        environment = patch.dict(os.environ, SSL_CERT_FILE=str(paths[0]))
        environment.start()
        self.addCleanup(environment.stop)
        for file, trusted in (("", paths[:1]), (str(paths[1]), paths)):
            context = CertificateOptions(trustRoot=trust_roots(file)).getContext()
            for path in paths:
                certificate = load_certificate(FILETYPE_PEM, path.read_bytes())
                # A store lives no longer than its context.
                store = X509StoreContext(context.get_cert_store(), certificate)
                verify = store.verify_certificate
                if path in trusted:
                    verify()
                else:
                    self.assertRaises(X509StoreContextError, verify)


class WebNames(SynchronousTestCase):
    """Names of ``twisted.web``."""

    def request(self) -> Request:
        """One that was made without Twisted's ``__init__``, as far as these tests need it."""
        request = UnmadeRequest.__new__(UnmadeRequest)
        request.channel = self.channel = DummyChannel()
        request.notifications = []
        return request

    def test_rawHeaders(self) -> None:
        """The table of ``Headers``: lists of values by name, read and written as it is."""
        headers = TableHeaders({b"x-a": [b"1"]})
        self.assertEqual(private(headers, "_rawHeaders"), {b"X-A": [b"1"]})
        self.assertIs(headers.table, headers._rawHeaders)
        headers.table[b"X-B"] = [b"2"]
        self.assertEqual(headers.getRawHeaders(b"x-b"), [b"2"])
        self.assertEqual(headers, Headers({b"x-a": [b"1"], b"x-b": [b"2"]}))

    def test_parsePOSTFormSubmission(self) -> None:
        """Whether ``requestReceived`` reads a form into ``args``."""
        self.assertTrue(private(Request(DummyChannel(), parsePOSTFormSubmission=True), self.name()))
        self.assertFalse(
            private(Request(DummyChannel(), parsePOSTFormSubmission=False), self.name())
        )
        self.assertTrue(private(self.request(), self.name()))

    def test_cleanup(self) -> None:
        """Ends a request: the channel hears of it, and so does ``notifyFinish``."""
        private(Request, self.name())
        request = self.request()
        request.requestHeaders = Headers()
        ended = []
        request.notifyFinish().addCallback(ended.append)
        self.channel.requestDone = ended.append
        request.give_back()
        self.assertEqual(ended, [request, None])

    def test_adapterCache(self) -> None:
        """Where ``Componentized`` keeps a request's components, each request its own."""
        private(Request(DummyChannel()), self.name())
        first, second = self.request(), self.request()
        first.setComponent(twisted.logger.ILogObserver, "kept")
        self.assertEqual(first.getComponent(twisted.logger.ILogObserver), "kept")
        self.assertEqual((len(first._adapterCache), second._adapterCache), (1, {}))

    def test_encoder(self) -> None:
        """What is written passes through it."""
        private(Request, self.name())

        class Encoder:
            encode = staticmethod(bytes.upper)
            finish = staticmethod(lambda: b"!")

        request = Request(DummyChannel(), parsePOSTFormSubmission=True)
        request.clientproto = b"HTTP/1.0"
        UnmadeRequest.encode_with(request, Encoder)
        request.write(b"abc")
        request.finish()
        self.assertTrue(request.transport.written.getvalue().endswith(b"ABC!"))

    def test_respondToBadRequestAndDisconnect(self) -> None:
        """A form of parts that does not parse: the channel is told by this name."""
        private(twisted.web.http.HTTPChannel, self.name())
        told = []

        class Noting(RequestChannel, DummyChannel):
            def malformed_form(self) -> None:
                told.append("malformed")

        request = Request(Noting(), parsePOSTFormSubmission=True)
        request.gotLength(4)
        request.handleContentChunk(b"none")
        request.requestHeaders.setRawHeaders(b"content-type", [b"multipart/form-data"])
        request.requestReceived(b"POST", b"/", b"HTTP/1.1")
        self.assertEqual(told, ["malformed"])

    def name(self) -> str:
        """The private name that the running test is called after."""
        return self._testMethodName.removeprefix("test")


class OtherNames(SynchronousTestCase):
    def test_observers(self) -> None:
        """Those that a publisher tells, in order."""
        first, second = [], []
        publisher = LogPublisher(first.append, second.append)
        private(publisher, "_observers")
        for observer in observers_of(publisher):
            observer("event")
        self.assertEqual((first, second), (["event"], ["event"]))

    def test_outFile(self) -> None:
        """What an observer of files writes to, and flushes."""
        first, second = io.StringIO(), io.StringIO()
        observer = FileLogObserver(first, str)
        private(observer, "_outFile")
        self.assertIs(file_of(observer), first)
        write_to(observer, second)
        observer({"a": 1})
        self.assertEqual((first.getvalue(), second.getvalue()), ("", "{'a': 1}"))

    def test_error_handlers(self) -> None:
        """Functions that an application answers errors with, its own or Klein's."""
        application = klein.Klein()
        private(application, "_error_handlers")
        self.assertFalse(handles_errors(application))
        application.handle_errors(ValueError)(lambda request, failure: b"mine")
        self.assertTrue(handles_errors(application))

    def test_exitSignal(self) -> None:
        """The signal that began the shutdown, which twistd would raise again, is forgotten."""
        self.assertIn("_exitSignal", vars(ReactorBase))
        memory = MemoryReactorClock()
        memory._exitSignal = 15
        end_with_status_0(memory)
        ((forget, _, _),) = memory.triggers["after"]["shutdown"]
        forget()
        self.assertIsNone(memory._exitSignal)

    def test_bindPath(self) -> None:
        """A UNIX port without a path neither changes nor removes the file of its socket."""
        path = os.path.abspath(self.mktemp())
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path)
            bound.listen()
            bound.setblocking(False)
            os.chmod(path, 0o600)
            port = adopt_unix(reactor, os.dup(bound.fileno()), Factory())
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(port.getHost().name, path.encode())
        port.connectionLost(None)
        self.assertTrue(os.path.exists(path))

    def test_fromListeningDescriptor(self) -> None:
        """It is there: the test above has called it."""
        self.assertTrue(hasattr(UnixPort, "_fromListeningDescriptor"))

    def test_every_name_has_its_test(self) -> None:
        """A private name that _twisted.py takes is tested above, by a test of its name."""
        tree = ast.parse(Path(_twisted.__file__).read_text())
        found = {
            *(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)),
            *(node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)),
            *(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)),
            *(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)),
        }
        theirs = {
            name
            for name in found
            if isinstance(name, str) and name[:1] == "_" and name.isidentifier()
            if not name.startswith("__") and name not in ("_private", "_ca_file")
        }
        tests = {
            name.removeprefix("test")
            for kind in (ConnectionNames, TlsNames, TrustNames, WebNames, OtherNames)
            for name in vars(kind)
            if name.startswith("test_")
        }
        self.assertIn("_tempDataLen", theirs)
        self.assertEqual(theirs - tests, set())

    def test_a_name_that_is_gone(self) -> None:
        """The words by which a new release's change is found."""
        for owner, words in (
            (Headers, f"Twisted {twisted.__version__} no longer has Headers._gone"),
            (klein.Klein(), f"Klein {klein.__version__} no longer has Klein._gone"),
        ):
            error = self.assertRaises(AssertionError, private, owner, "_gone")
            self.assertEqual(str(error), f"{words}; see naap_twisted/_twisted.py")
        error = self.assertRaises(ImportError, _twisted._private, Headers, "_gone")
        self.assertIn("no longer has Headers._gone; see naap_twisted/_twisted.py", str(error))
