"""``python -m naap_twisted``: the command line, without the console script."""

from .start.cli import main

raise SystemExit(main())
