"""The values of a body."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.documents.document import FieldText, Upload


class ValueTests(SynchronousTestCase):
    def test_field_text(self) -> None:
        """A text of a form equals the text that it is, and is told apart."""
        self.assertEqual(FieldText("1"), "1")
        self.assertIsInstance(FieldText("1"), str)
        self.assertNotIsInstance("1", FieldText)

    def test_upload(self) -> None:
        """A file of a form, without its bytes."""
        self.assertEqual(Upload("a.txt", "text/plain", 3).size, 3)
