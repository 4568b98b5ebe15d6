"""The types of the keyword arguments."""

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from naap_twisted.options import keywords
from naap_twisted.options.reference import keywords_module

ROOT = Path(__file__).parent.parent.parent
PLUGIN = """
from naap_twisted import create_external_proxy, create_plugin_server

server = create_plugin_server("ai", 4020, require_auth=False, drain_timeout="5s")
server.mount("/a", create_external_proxy(allowed_hosts=["a.example.com"], timeout=60))
"""
WRONG = """
create_external_proxy(alowed_hosts=["a.example.com"])
create_external_proxy(timeout=[5])
create_external_proxy(errors="raw")
create_plugin_server("ai", compression="yes")
"""


class KeywordsTests(SynchronousTestCase):
    def test_drift(self) -> None:
        """The module is what ``naap-proxy options --python`` prints."""
        self.assertEqual(Path(keywords.__file__).read_text("utf-8"), keywords_module())

    def test_a_plugin_is_checked(self) -> None:
        """A type checker passes what is right and tells each name and type that is not."""
        try:
            import mypy  # noqa: F401
        except ImportError:
            raise SkipTest("mypy is not installed") from None
        path = Path(self.mktemp())
        path.write_text(PLUGIN + WRONG)
        done = subprocess.run(
            # What the package's own modules need mypy's zope plugin for is no news here.
            [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(path)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "MYPYPATH": str(ROOT)},
        )
        first = len(PLUGIN.splitlines()) + 2
        told = [int(line.split(":")[1]) for line in done.stdout.splitlines() if " error: " in line]
        self.assertEqual(told, list(range(first, first + 4)), done.stdout)
