"""``client_cert`` and ``client_key``: the certificate that a server shows to its upstreams."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from ..model import ClientCertificate
from ..upstream.tls import check_client_certificate
from .secrets import read_secret_file
from .stores import directory
from .values import TEXT, Surroundings, reads_files, unreadable

_MOST_BYTES = 256 * 1024


@frozen
class PemFile:
    """A file in PEM, as it was read at the start."""

    path: str
    content: bytes = field(repr=False)


class HasClientCertificate(Protocol):
    """A section that has both options."""

    @property
    def client_cert(self) -> PemFile | None:
        """The certificate's file."""

    @property
    def client_key(self) -> PemFile | None:
        """The key's file."""


@reads_files("str | None", TEXT)
def client_cert(value: object, surroundings: Surroundings) -> PemFile | None:
    """A PEM file: the certificate, and behind it those that vouch for it; ``""`` for none."""
    path = directory(value, surroundings)
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise unreadable(Path(path), error) from None
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{path} is over {_MOST_BYTES} bytes")
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ValueError(f"{path} holds no PEM certificate")
    return PemFile(path, content)


@reads_files("str | None", TEXT)
def client_key(value: object, surroundings: Surroundings) -> PemFile | None:
    """A PEM file with the private key, as strictly kept as every secret file; ``""`` for none."""
    path = directory(value, surroundings)
    if not path:
        return None
    content = read_secret_file(Path(path)) + b"\n"
    if b"PRIVATE KEY-----" not in content:
        raise ValueError(f"{path} holds no PEM private key")
    return PemFile(path, content)


def client_certificate(section: HasClientCertificate) -> ClientCertificate | None:
    """The certificate of a section whose options were judged; ``None`` where it has none."""
    if section.client_cert is None or section.client_key is None:
        return None
    return ClientCertificate(section.client_cert.content, section.client_key.content)


def check_pair(certificate: PemFile, key: PemFile) -> None:
    """Refuse a key that is not the certificate's.

    :raises ValueError: it is not, or one of them can't be used.
    """
    check_client_certificate(ClientCertificate(certificate.content, key.content))
