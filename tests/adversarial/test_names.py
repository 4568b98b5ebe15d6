"""Which of a machine's sources of names may answer, with its own getaddrinfo."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from twisted.internet.utils import getProcessOutput
from twisted.trial.unittest import TestCase

from . import system_names

ROOT = Path(__file__).parents[2]
HOSTS = "127.0.0.1 localhost\n10.0.0.7 gpu.lab.example gpu\n"
RESOLV = f"nameserver 127.0.0.1\nsearch {system_names.SEARCH}\noptions timeout:1 attempts:1\n"
_OWN = ["unshare", "--mount", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])


@cache
def missing():
    """Why there can be no namespaces here, or ``None``."""
    try:
        tried = subprocess.run([*_OWN, "ip", "link", "set", "lo", "up"], capture_output=True)
    except OSError as error:
        return f"no namespaces: {error}"
    return None if tried.returncode == 0 else f"no namespaces: {tried.stderr.decode().strip()}"


class SystemNamesTests(TestCase):
    timeout = 60
    skip = missing()

    async def test_sources(self):
        """The hosts file is asked first; DNS for the name as it is; a search domain never.

        A single label is as absolute as any name: what a container network calls ``ollama`` is
        found, and ``mail`` is not somebody's ``mail.evil.example``.
        """
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        (folder / "hosts").write_text(HOSTS)
        (folder / "resolv.conf").write_text(RESOLV)
        expected = {
            "gpu.lab.example": [["10.0.0.7"], []],
            "gpu": [["10.0.0.7"], []],
            "localhost": [["127.0.0.1"], []],
            "api.example.com": [["192.0.2.1"], ["api.example.com"]],
            "ollama": [["172.18.0.2"], ["ollama"]],
            "mail": ["NoAddress", ["mail"]],
            "mail.example.com": ["NoAddress", ["mail.example.com"]],
        }
        child = ["-m", system_names.__name__, str(folder / "hosts"), str(folder / "resolv.conf")]
        program, *rest = [*_OWN, sys.executable, *child, *expected]
        said = await getProcessOutput(program, rest, os.environ, str(ROOT), errortoo=True)
        self.assertEqual(json.loads(said), expected)
