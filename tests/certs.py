"""Certificates for tests, made when they run."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.ssl import CertificateOptions

_PEM = serialization.Encoding.PEM


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name):
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """A certificate authority."""

    def __init__(self, name="test authority"):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = _sign(self._name, self._key, self._name, self._key, (), ca=True)
        self.pem = self._certificate.public_bytes(_PEM)

    def server(self, *names, expired=False):
        """A server context factory with a certificate for *names* (DNS names and addresses)."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _sign(_name(names[0]), key, self._name, self._key, names, expired=expired)
        return _context(leaf, key)

    def client(self, name, passphrase=None):
        """A client's certificate and its private key, both in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _sign(_name(name), key, self._name, self._key, (name,))
        return leaf.public_bytes(_PEM), _key_pem(key, passphrase)

    def intermediate(self, name):
        """An authority below this one."""
        below = Authority(name)
        below._certificate = _sign(below._name, below._key, self._name, self._key, (), ca=True)
        below.pem = below._certificate.public_bytes(_PEM)
        return below

    def demanding(self, *names, clients):
        """As :meth:`server`, for clients that *clients* vouches for."""
        factory = self.server(*names)
        context = factory.getContext()
        context.get_cert_store().add_cert(X509.from_cryptography(clients._certificate))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _as_verified)
        context.set_session_id(b"tests")
        return factory


def _as_verified(connection, certificate, error, depth, verified):
    return bool(verified)


def _key_pem(key, passphrase=None):
    sealing = serialization.NoEncryption()
    if passphrase is not None:
        sealing = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, sealing)


def self_signed(name):
    """A server context factory that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _context(_sign(_name(name), key, _name(name), key, (name,)), key)


def pem_pair(name, passphrase=None):
    """A private key, sealed with *passphrase*, and its own certificate, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _key_pem(key, passphrase), _sign(
        _name(name), key, _name(name), key, (name,)
    ).public_bytes(_PEM)


def _sign(subject, key, issuer, issuer_key, names, ca=False, expired=False):
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=-1 if expired else 1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _context(certificate, key):
    return CertificateOptions(
        privateKey=PKey.from_cryptography_key(key),
        certificate=X509.from_cryptography(certificate),
        acceptableProtocols=[b"http/1.1"],
        enableSessionTickets=True,
    )
