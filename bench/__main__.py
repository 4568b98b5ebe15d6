"""``python -m bench [--quick]``; see ``--help``."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from .load.wrk import WrongAnswer
from .missing import Missing
from .peers import NAMES
from .plan import FULL, QUICK, Plan
from .processes import DidNotStart
from .report import regenerate
from .run import part_only, run


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures this proxy beside its peers, on loopback only.",
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=("run", "profile", "rules", "spend", "report"),
        default="run",
        help="run (default): measure all, write results and docs; profile, rules, spend: only that"
        " part of ours, into the stored results, too; report: write docs again from them",
    )
    parser.add_argument("--quick", action="store_true", help="under two minutes; writes no docs")
    parser.add_argument("--peers", type=Path, help="folder for the npm peers (default: a cache)")
    parser.add_argument("--only", default="", help=f"comma-separated peers: {', '.join(NAMES)}")
    parser.add_argument(
        "--scenario",
        default="",
        help="comma-separated: small, auth, rules, spend, bulk, streams, slow, start, profile",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    # As Ctrl-C: unwinds the stack, and with it every process that was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan: Plan = QUICK if options.quick else FULL
    only = tuple(filter(None, options.only.split(",")))
    scenarios = tuple(filter(None, options.scenario.split(",")))
    try:
        if options.action == "report":
            regenerate()
        elif options.action in ("profile", "rules", "spend"):
            part_only(plan, options.action)
        else:
            run(plan, peers_folder=options.peers, only=only, scenarios=scenarios)
    except (WrongAnswer, DidNotStart) as error:
        print(error, file=sys.stderr)
        return 1
    except Missing as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; everything started is stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
