"""Which reader a body has."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.reader import read_document, readable
from naap_twisted.errors import ProxyError, UnsupportedMediaType
from tests.body_vectors import ACCEPTED, REFUSED


class ReaderTests(SynchronousTestCase):
    def test_readable(self) -> None:
        """JSON in its families, and both forms."""
        for kind in (
            *(b"application/json", b"application/vnd.api+json", b"application/graphql+json"),
            *(b"application/x-www-form-urlencoded", b"multipart/form-data"),
        ):
            self.assertTrue(readable(kind), kind)
        for kind in (
            *(b"", b"text/plain", b"text/json", b"application/graphql", b"multipart/mixed"),
            *(b"application/octet-stream", b"application/sdp", b"image/svg+xml", b"text/x+json"),
        ):
            self.assertFalse(readable(kind), kind)
            self.assertRaises(UnsupportedMediaType, read_document, b"{}", kind)

    def test_accepted(self) -> None:
        """Each with its value; unchanged it is the same bytes."""
        for kind, body, value in ACCEPTED:
            with self.subTest(kind=kind, body=body):
                document = read_document(body, kind)
                self.assertEqual(document.value, value)
                self.assertIs(document.content, body)

    def test_refused(self) -> None:
        """Each with its class; the message is short, and in ASCII."""
        for kind, body, error in REFUSED:
            with self.subTest(kind=kind, body=body):
                caught = self.assertRaises(ProxyError, read_document, body, kind)
                self.assertIs(type(caught), error, caught.message)
                self.assertTrue(caught.message.isascii())
                self.assertLess(len(caught.message), 240)
