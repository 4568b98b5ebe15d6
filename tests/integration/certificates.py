"""Certificates made for one test."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)

_DAY = datetime.timedelta(days=1)


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """A certificate authority that lives for a test.

    :ivar pem: its certificate.
    """

    def __init__(self, name="Test authority", above=None):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = above or self
        certificate = signer._build(self._name, self._key.public_key(), 1, [], ca=True)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def below(self, name):
        """An authority that this one vouches for."""
        return Authority(name, above=self)

    def issue(self, *names, days=1):
        """``(key, certificate)`` in PEM for *names*; negative *days*: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test leaf")])
        certificate = self._build(subject, key.public_key(), days, names, ca=False)
        return (
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            certificate.public_bytes(serialization.Encoding.PEM),
        )

    def server_options(self, *names, days=1):
        """A context factory for a server that is *names*."""
        return PrivateCertificate.loadPEM(b"".join(self.issue(*names, days=days))).options()

    def client_options(self, name):
        """For a client that trusts this authority and wants *name*; offers what browsers offer."""
        roots = trustRootFromCertificates([Certificate.loadPEM(self.pem)])
        return optionsForClientTLS(name, trustRoot=roots, acceptableProtocols=[b"h2", b"http/1.1"])

    def _build(self, subject, public_key, days, names, *, ca):
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())
