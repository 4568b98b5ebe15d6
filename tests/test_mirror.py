"""``tests/`` mirrors ``naap_twisted/``: whoever knows one tree finds their way in the other."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import naap_twisted

PACKAGE = Path(naap_twisted.__file__).parent
TESTS = Path(__file__).parent

# Tests of no single module.
CROSS_CUTTING_FOLDERS = ("adversarial", "browser", "clients", "deploy", "integration")
CROSS_CUTTING = (
    "test_mirror.py",
    "test_house.py",
    "test_imports.py",
    "test_architecture.py",
    "test_canary.py",
    "test_cost.py",
    "test_docs.py",
    "test_examples.py",
    "test_packaging.py",
    "test_public_names.py",
    "test_types.py",
    "options/test_verdicts.py",
    "spend/test_recordings.py",
    "spend/test_wallet.py",
    "spend/test_wallet_ends.py",
    "spend/test_wallet_faults.py",
)


def tests_wanted(modules: list[Path]) -> set[str]:
    """Where the test of each module of the package has to be."""
    return {
        str(module.with_name(f"test_{module.name}"))
        for module in modules
        if module.name not in ("__init__.py", "__main__.py")
    }


def tests_allowed(modules: list[Path]) -> set[str]:
    """Where a test may be beside that: a package's front, ``a/__init__.py``, has ``test_a.py``."""
    return {
        str(module.parent.with_name(f"test_{module.parent.name}.py"))
        for module in modules
        if module.name == "__init__.py" and module.parent.name
    }


def python_files(root: Path, pattern: str) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob(pattern))


class MirrorTests(SynchronousTestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.modules = python_files(PACKAGE, "*.py")
        self.tests = {
            str(path)
            for path in python_files(TESTS, "test_*.py")
            if path.parts[0] not in CROSS_CUTTING_FOLDERS and str(path) not in CROSS_CUTTING
        }

    def test_every_module_has_its_test(self) -> None:
        """naap_twisted/a/b.py has tests/a/test_b.py."""
        self.assertEqual(sorted(tests_wanted(self.modules) - self.tests), [])

    def test_every_test_has_its_module(self) -> None:
        """tests/a/test_b.py has naap_twisted/a/b.py, or is listed above."""
        known = tests_wanted(self.modules) | tests_allowed(self.modules)
        self.assertEqual(sorted(self.tests - known), [])

    def test_every_folder_of_tests_is_a_package(self) -> None:
        """Trial skips a folder without ``__init__.py`` in silence."""
        folders = {path.parent for path in python_files(TESTS, "test_*.py")}
        missing = [str(f) for f in sorted(folders) if not (TESTS / f / "__init__.py").exists()]
        self.assertEqual(missing, [])

    def test_the_rule_itself(self) -> None:
        """The two helpers, on a tree that can be seen here."""
        modules = [Path(name) for name in ("__init__.py", "a.py", "b/__init__.py", "b/c.py")]
        self.assertEqual(tests_wanted(modules), {"test_a.py", "b/test_c.py"})
        self.assertEqual(tests_allowed(modules), {"test_b.py"})
