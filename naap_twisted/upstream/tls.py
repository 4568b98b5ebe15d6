"""TLS towards upstreams: the certificate is verified by name, always.

Where a route has a certificate of its own (mutual TLS), sessions are not shared with other routes:
a resumed session speaks for whoever began it (RFC 8446 section 2.2).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import OpenSSLDefaultPaths, optionsForClientTLS, platformTrust
from twisted.python.failure import Failure
from zope.interface import implementer

from .._twisted import PlatformTrustAnd
from ..errors import ConfigError
from ..model import ClientCertificate


def trust_roots(ca_file: str = "") -> OpenSSLDefaultPaths:
    """The system's trust anchors, and those of one more file.

    :param ca_file: a PEM file, or ``""``.
    :raises ConfigError: it can't be read.
    """
    if not ca_file:
        return platformTrust()  # type: ignore[no-any-return]
    try:
        SSL.Context(SSL.TLS_METHOD).load_verify_locations(ca_file)
    except SSL.Error:
        raise ConfigError(
            f"upstream.ca_file: {ca_file!r} can not be read as PEM certificates"
        ) from None
    return PlatformTrustAnd(ca_file)


@implementer(IOpenSSLClientConnectionCreator)
class Resuming:
    """The TLS context of one host, with the session that the next handshake may resume.

    A session (RFC 8446 section 2.2) was verified by name when it began. The name is compared again
    when it is resumed, because OpenSSL keeps the certificate with the session.
    """

    def __init__(self, creator: Any) -> None:
        self._creator = creator
        self._session: SSL.Session | None = None

    def clientConnectionForTLS(self, tls_protocol: Any) -> SSL.Connection:
        """A TLS connection for ``wrapClientTLS``, which resumes the remembered session."""
        connection: SSL.Connection = self._creator.clientConnectionForTLS(tls_protocol)
        if self._session is not None:
            connection.set_session(self._session)
        return connection

    def remember(self, connection: SSL.Connection) -> None:
        """Keep the session of *connection*, on which an answer has come."""
        self._session = connection.get_session()


def own_certificate(certificate: ClientCertificate | None) -> dict[str, Any]:
    """What Twisted's ``CertificateOptions`` takes to show *certificate*.

    :raises ValueError: one of its parts can't be used.
    """
    if certificate is None:
        return {}
    try:
        chain = x509.load_pem_x509_certificates(certificate.chain)
    except ValueError:
        raise ValueError("the certificate can not be read as PEM") from None
    try:
        key: Any = load_pem_private_key(certificate.key, None)
    except TypeError:
        raise ValueError("the key is sealed with a passphrase; take it off") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the key can not be read as PEM") from None
    leaf, *others = map(X509.from_cryptography, chain)
    return {
        "privateKey": PKey.from_cryptography_key(key),
        "certificate": leaf,
        "extraCertChain": others,
    }


def check_client_certificate(certificate: ClientCertificate) -> None:
    """Refuse a pair that no handshake could use.

    :raises ValueError: a part can't be read, or the key is another certificate's.
    """
    parts = own_certificate(certificate)
    context = SSL.Context(SSL.TLS_METHOD)
    try:
        context.use_certificate(parts["certificate"])
        context.use_privatekey(parts["privateKey"])
        context.check_privatekey()
    except SSL.Error:
        raise ValueError("is not the key of client_cert, whose first certificate counts") from None


def cause_of(failure: Failure) -> str:
    """Why a connection failed or ended: OpenSSL's own words, or the exception's name."""
    if failure.check(SSL.Error):
        # Fixed words of the library, such as "tlsv13 alert certificate required".
        args: tuple[Any, ...] = getattr(failure.value, "args", ())
        errors = args[0] if args else ()
        words = [error[-1] for error in errors if isinstance(error, tuple) and error]
        return f"TLS: {', '.join(words) or 'no reason given'}"
    return failure.type.__name__ if failure.type else "unknown"


class TlsContexts:
    """A TLS context for each host and certificate of ours, so that no handshake has to build one.

    :param most: contexts kept; the one used longest ago goes first.
    :ivar for_host: gives the creator that verifies the certificate for a host (RFC 9525).
    """

    def __init__(self, ca_file: str = "", most: int = 256) -> None:
        self._roots = trust_roots(ca_file)
        self.for_host = lru_cache(maxsize=most)(self._made_for)

    def _made_for(self, host: str, certificate: ClientCertificate | None = None) -> Resuming:
        own = own_certificate(certificate)
        return Resuming(
            optionsForClientTLS(
                host,
                trustRoot=self._roots,
                acceptableProtocols=[b"http/1.1"],
                extraCertificateOptions={"enableSessionTickets": True, **own},
            )
        )
