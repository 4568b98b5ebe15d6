"""The files of deploy/, and what is put in the place of an installation's own values."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
KEY = "sk-deploy-canary-4711"


def filled(name: str, folder: Path, changes: dict[str, str]) -> Path:
    """A copy in *folder* of the file *name* of deploy/, with *changes* made, each at least once.

    :raises AssertionError: the file has nothing of one of the changes.
    """
    text = (DEPLOY / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / Path(name).name
    path.write_text(text)
    path.chmod(0o600)
    return path


def secret_file(folder: Path, name: str, text: str = KEY) -> Path:
    """A file of mode 0600 in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def checked(config: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """``naap-proxy check`` of *config*."""
    program = "import sys; from naap_twisted.start.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, "check", str(config)],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
