"""Peers that fail on purpose: an upstream that dies at a chosen byte, a certificate, a clock."""

import datetime
import socket
import struct
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.internet.task import LoopingCall

FIN = "FIN"
RST = "RST"
# A TLS peer that closes without its close_notify: an attacker can forge this FIN.
BARE_FIN = "FIN without close_notify"


class Killer(Factory):
    """An upstream that sends the first *offset* bytes of *reply* and then dies, *how* says how.

    :ivar connections: accepted so far.
    """

    noisy = False

    def __init__(self, test, reply, how, tls=None):
        self.reply, self.how, self.offset = reply, how, 0
        self.connections = 0
        listen = {"interface": "127.0.0.1"}
        if tls is None:
            port = reactor.listenTCP(0, self, **listen)
        else:
            port = reactor.listenSSL(0, self, tls, **listen)
        test.addCleanup(port.stopListening)
        self.port = port.getHost().port
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def buildProtocol(self, address):
        self.connections += 1
        return _Dying(self)


class _Dying(Protocol):
    def __init__(self, killer):
        self._killer = killer
        self._seen = b""

    def dataReceived(self, data):
        self._seen += data
        if not self._seen.endswith(b"\r\n\r\n{}"):
            return
        killer = self._killer
        sent = killer.reply[: killer.offset]
        if killer.how == RST:
            # Straight into the kernel: on loopback the peer has it before the reset.
            if sent:
                self.transport.socket.send(sent)
            self.transport.abortConnection()
            return
        self.transport.write(sent)
        below = self.transport.transport if killer.how == BARE_FIN else self.transport
        below.loseConnection()


def certificate(directory):
    """A self-signed certificate for 127.0.0.1: ``(context factory, path of its PEM file)``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = f"{directory}/upstream.pem"
    with open(path, "wb") as file:
        file.write(pem)
    loaded = PrivateCertificate.loadPEM(pem + secret)
    options = CertificateOptions(
        privateKey=loaded.privateKey.original,
        certificate=loaded.original,
        acceptableProtocols=[b"http/1.1"],
    )
    return options, path


def unreachable(test):
    """The port of a listener whose queue is full: a connection to it is never answered."""
    listener = socket.socket()
    test.addCleanup(listener.close)
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(4):
        filler = socket.socket()
        test.addCleanup(filler.close)
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    return listener.getsockname()[1]


def connecting_to(port):
    """How many sockets of ours wait for *port* to answer their SYN (Linux)."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(1 for row in rows if row[2].endswith(wanted) and row[3] == "02")


def reset(sock):
    """Close a plain socket with an RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def eventually(condition, seconds):
    """Fires once *condition* holds; fails with TimeoutError after *seconds*."""
    done = Deferred()

    def look():
        if condition() and not done.called:
            done.callback(None)

    loop = LoopingCall(look)
    loop.start(0.02).addErrback(lambda failure: done.called or done.errback(failure))
    done.addTimeout(seconds, reactor)

    def stop(result):
        if loop.running:
            loop.stop()
        return result

    return done.addBoth(stop)
