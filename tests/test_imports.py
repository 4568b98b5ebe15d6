"""Which room may import which: the contracts of ``[tool.importlinter]`` in pyproject.toml."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
# Its own graph, so that nothing this process has imported is taken for a part of the package.
LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)


class ImportTests(SynchronousTestCase):
    def lint(self, root: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", LINT],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def test_contracts(self) -> None:
        """No import runs upwards, and none in a circle."""
        done = self.lint(ROOT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("2 kept, 0 broken", done.stdout)

    def test_an_import_that_runs_upwards(self) -> None:
        """One that does is found: in a copy whose policy knows the server."""
        copy = Path(self.mktemp()).absolute()
        shutil.copytree(ROOT / "naap_twisted", copy / "naap_twisted")
        shutil.copy(ROOT / "pyproject.toml", copy)
        with (copy / "naap_twisted" / "policy" / "target.py").open("a") as module:
            module.write("from ..server import drain\n")
        done = self.lint(copy)
        self.assertEqual(done.returncode, 1)
        self.assertIn(
            "naap_twisted.policy is not allowed to import naap_twisted.server", done.stdout
        )
