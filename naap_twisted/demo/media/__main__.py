"""``python -m naap_twisted.demo.media``: a WHIP endpoint that receives media; see ``--help``."""

import os
import sys

from .run import BOOT

os.execv(sys.executable, [sys.executable, "-c", BOOT, *sys.argv[1:]])
