"""The options ``client_cert`` and ``client_key``: files that are read, and a pair that fits."""

from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.client_certs import (
    PemFile,
    check_pair,
    client_cert,
    client_certificate,
    client_key,
)
from naap_twisted.options.values import Surroundings
from tests.certs import Authority


@frozen
class Section:
    client_cert: PemFile | None
    client_key: PemFile | None


class ClientCertTests(SynchronousTestCase):
    def setUp(self):
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(mode=0o700)
        self.around = Surroundings(self.directory, {})
        self.certificate, self.key = Authority().client("a.example")

    def write(self, name, content, mode=0o600):
        path = self.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return name

    def read(self, kind, content, mode=0o600):
        return kind(self.write("file", content, mode), self.around)

    def test_read(self):
        """Everybody may read a certificate, and its owner alone a key."""
        certificate = self.read(client_cert, self.certificate, 0o644)
        self.assertEqual(certificate.path, str(self.directory / "file"))
        key = self.read(client_key, self.key)
        check_pair(certificate, key)
        made = client_certificate(Section(certificate, key))
        self.assertEqual((made.chain, made.key), (self.certificate, self.key))
        self.assertNotEqual(made, client_certificate(Section(certificate, key)))
        self.assertIs(client_certificate(Section(None, None)), None)
        for shown in (repr(certificate), repr(key), repr(made)):
            self.assertNotIn("-----BEGIN", shown)

    def test_none(self):
        for kind in (client_cert, client_key):
            self.assertIs(kind("", self.around), None)
            self.assertIs(kind(None, self.around), None)

    def test_refused(self):
        for kind, content, mode, words in (
            (client_cert, b"", 0o600, "holds no PEM certificate"),
            (client_cert, b"x" * 300_000, 0o600, "is over"),
            (client_key, self.key, 0o640, "chmod 600"),
            (client_key, self.certificate, 0o600, "holds no PEM private key"),
        ):
            with self.subTest(words=words), self.assertRaises(ValueError) as caught:
                self.read(kind, content, mode)
            self.assertIn(words, str(caught.exception))

    def test_another_pair(self):
        certificate, _ = Authority().client("b.example")
        with self.assertRaises(ValueError) as caught:
            check_pair(self.read(client_cert, certificate), self.read(client_key, self.key))
        self.assertIn("is not the key of client_cert", str(caught.exception))
