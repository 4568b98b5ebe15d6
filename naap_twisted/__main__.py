"""``python -m naap_twisted``: the command line, without the console script."""

from .cli import main

raise SystemExit(main())
