"""TLS towards upstreams: the certificate is verified by name, always."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import OpenSSLDefaultPaths, optionsForClientTLS, platformTrust
from zope.interface import implementer

from .._twisted import PlatformTrustAnd
from ..errors import ConfigError


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


class TlsContexts:
    """A TLS context for each host, so that no handshake has to build one.

    :param most: contexts kept; the one used longest ago goes first.
    :ivar for_host: gives the creator that verifies the certificate for a host (RFC 9525).
    """

    def __init__(self, ca_file: str = "", most: int = 256) -> None:
        self._roots = trust_roots(ca_file)
        self.for_host = lru_cache(maxsize=most)(self._made_for)

    def _made_for(self, host: str) -> Resuming:
        return Resuming(
            optionsForClientTLS(
                host,
                trustRoot=self._roots,
                acceptableProtocols=[b"http/1.1"],
                extraCertificateOptions={"enableSessionTickets": True},
            )
        )
