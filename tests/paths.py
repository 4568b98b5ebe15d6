"""Where tests find what stands beside the tree."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Data of public test suites; tests that need it skip, with the path, where it is not there.
SHARED = ROOT.parent / "shared"
