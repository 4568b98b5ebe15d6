"""The endpoint by itself, as ``python -m`` runs it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from twisted.trial.unittest import SynchronousTestCase

from tests.support import INTERRUPTIBLE

from .publisher import need_aiortc

ROOT = Path(__file__).parents[3]
COMMAND = [*INTERRUPTIBLE, sys.executable, "-m", "naap_twisted.demo.media"]


class RunTests(SynchronousTestCase):
    def run_with(self, *arguments, **environment):
        """A running endpoint."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def test_alone(self):
        """WHIP_KEY is the token; it says where it listens and ends with Ctrl-C."""
        need_aiortc()
        with self.run_with("--port", "0", WHIP_KEY="my-key") as child:
            (url,) = re.findall(r"http://127\.0\.0\.1:\d+", child.stdout.readline())
            headers = {"Authorization": "Bearer my-key"}
            with urlopen(Request(url + "/media", headers=headers)) as answer:
                self.assertEqual(answer.read(), b'{"sessions": [], "viewers": 0}')
            with self.assertRaises(HTTPError) as caught:
                urlopen(url + "/media")
            caught.exception.close()
            self.assertEqual(caught.exception.code, 401)
            child.send_signal(signal.SIGINT)
            output, errors = child.communicate(timeout=20)
            self.assertEqual((child.returncode, output, errors), (0, "", ""))

    def test_without_key(self):
        """It says what to set."""
        with self.run_with(WHIP_KEY="") as child:
            self.assertIn("export WHIP_KEY", child.communicate(timeout=20)[1])
            self.assertEqual(child.returncode, 1)
