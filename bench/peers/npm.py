"""The peers from npm, at fixed versions, in a folder outside the repository."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from ..missing import Missing, program

PINNED = {
    "cors-anywhere": "0.4.4",
    # The last version that runs on Debian's Node 20.
    "http-proxy-middleware": "3.0.5",
    "express": "5.3.0",
}
_LIMIT = 180


def default_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "naap-twisted-bench"


def versions(folder: Path) -> dict[str, str]:
    """The versions that are installed; a package that is not has none."""
    found = {}
    for name in PINNED:
        manifest = folder / "node_modules" / name / "package.json"
        if manifest.exists():
            found[name] = str(json.loads(manifest.read_text())["version"])
    return found


def install(folder: Path) -> None:
    """Install what is missing.

    :raises Missing: there is no npm, or it failed; the text has npm's own.
    """
    if versions(folder) == PINNED:
        return
    npm = program("npm")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": PINNED}))
    print(f"installing {', '.join(PINNED)} in {folder}", flush=True)
    try:
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"npm install in {folder} took longer than {_LIMIT} s") from None
    if done.returncode:
        raise Missing(f"npm install in {folder} failed:\n{done.stderr[-2000:]}")
