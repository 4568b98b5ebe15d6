"""``"package.module:name"``."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.errors import ConfigError
from naap_twisted.options.references import import_object

something = object()


class ImportTests(SynchronousTestCase):
    def test_found(self) -> None:
        """A name, or a name inside a name."""
        self.assertIs(import_object(f"{__name__}:something"), something)
        inside = import_object(f"{__name__}:ImportTests.test_found")
        self.assertIs(inside, ImportTests.test_found)

    def test_refused(self) -> None:
        """No colon, no module, no name: a line that says which."""
        for reference, reason in (
            ("json", "not of the form"),
            (":x", "not of the form"),
            ("no_such_module:x", "cannot import no_such_module: ModuleNotFoundError"),
            ("json:nothing", "json has no nothing"),
        ):
            error = self.assertRaises(ConfigError, import_object, reference)
            self.assertEqual(len(error.problems), 1)
            self.assertIn(reason, error.problems[0])
