"""The types of the keyword arguments."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options import keywords
from naap_twisted.options.reference import keywords_module


class KeywordsTests(SynchronousTestCase):
    def test_drift(self) -> None:
        """The module is what ``naap-proxy options --python`` prints."""
        self.assertEqual(Path(keywords.__file__).read_text("utf-8"), keywords_module())
