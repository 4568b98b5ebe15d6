"""Check a config, explain a decision, print options or a config to begin with, rotate keys.

Exit status: 0 fine or allowed, 1 refused, 2 not understood.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import resources
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred

from ..config import Config, load_config
from ..errors import ConfigError
from ..keys.vault import new_master_key
from ..options import reference
from ..route.explain import Step, explain
from ..route.spine import MountedProxy
from ..server.cautions import as_root
from ..server.plugin_server import PluginServer, resolver_of
from .assembly import checked_server, rotate_keys
from .describe import describe

ALLOWED, REFUSED, USAGE = 0, 1, 2
EXAMPLE = "naap-proxy.example.toml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's own arguments when ``None``. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:
        # The reader left (`| head`); nothing is wrong. Keep the interpreter's last flush quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALLOWED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="naap-proxy", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = commands.add_parser("check", help="validate CONFIG and print what each route allows")
    check.add_argument("config", metavar="CONFIG")
    check.set_defaults(run=_check)

    why = commands.add_parser("explain", help="say whether ROUTE would reach URL, and why")
    why.add_argument("config", metavar="CONFIG")
    why.add_argument("route", metavar="ROUTE", help="a [[proxy]] path, such as /assistant/openai")
    why.add_argument("url", metavar="URL", help="the target; DNS is asked, nothing is sent to it")
    why.set_defaults(run=_explain)

    rotate = commands.add_parser(
        "rotate-keys", help="seal every user's key with the first of keys.master_key"
    )
    rotate.add_argument("config", metavar="CONFIG")
    rotate.set_defaults(run=_rotate_keys)

    fresh = commands.add_parser("new-master-key", help="print a key for keys.master_key")
    fresh.set_defaults(run=_new_master_key)

    listed = commands.add_parser("options", help="print every option, of files and of code")
    form = listed.add_mutually_exclusive_group()
    for flag, write, about in (
        ("--markdown", reference.tables, "as README has them"),
        ("--schema", reference.schema_text, "as JSON Schema of a config, for editors"),
        ("--python", reference.keywords_module, "as the types of keyword arguments"),
    ):
        form.add_argument(flag, dest="write", action="store_const", const=write, help=about)
    listed.set_defaults(run=_options, write=reference.text)

    init = commands.add_parser("init", help="print a commented config")
    init.set_defaults(run=_init)
    return parser


def _load(path: str) -> tuple[Config, PluginServer] | None:
    # As for twistd, so that an `authorize` beside the config is found.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        config = load_config(path)
        # The very server that a start would build: its verdict is the start's.
        return config, checked_server(config)
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return None


def _check(options: argparse.Namespace) -> int:
    loaded = _load(options.config)
    if loaded is None:
        return REFUSED
    config, server = loaded
    print(f"{options.config}: ok\n")
    print("\n".join(describe(config)))
    for caution in (*server.cautions(), *as_root(os.geteuid())):
        print(f"warning: {caution}", file=sys.stderr)
    return ALLOWED


def _explain(options: argparse.Namespace) -> int:
    loaded = _load(options.config)
    if loaded is None:
        return USAGE
    config, server = loaded
    asked = [each for each in server.routes() if options.route in (each.path, each.full_path)]
    if not asked or asked[0].proxy is None:
        known = ", ".join(known.path for known in config.proxy)
        print(f"no route {options.route}; there is {known}", file=sys.stderr)
        return USAGE
    steps = _run(config, asked[0].proxy, options.url)
    for step in steps:
        print(f"{step.name:8} {'ok' if step.passed else 'REFUSED':8} {step.text}")
    allowed = all(step.passed for step in steps)
    print(f"{'decision':8} {'allowed' if allowed else 'refused'}")
    return ALLOWED if allowed else REFUSED


def _run(config: Config, proxy: MountedProxy, url: str) -> tuple[Step, ...]:
    outcome: list[tuple[Step, ...]] = []

    async def run(reactor: Any) -> None:
        resolver = resolver_of(config.upstream, reactor)
        outcome.append(await explain(proxy, url, resolver, reactor))

    try:
        task.react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit as ended:
        if not outcome:
            raise ended
    return outcome[0]


def _rotate_keys(options: argparse.Namespace) -> int:
    loaded = _load(options.config)
    if loaded is None:
        return REFUSED
    config, _ = loaded
    try:
        count = rotate_keys(config)
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return REFUSED
    print(f"{count} keys are sealed with the first master key; the others can go")
    return ALLOWED


def _new_master_key(options: argparse.Namespace) -> int:
    print(new_master_key())
    return ALLOWED


def _options(options: argparse.Namespace) -> int:
    print(options.write(), end="")
    return ALLOWED


def _init(options: argparse.Namespace) -> int:
    print(example_config(), end="")
    return ALLOWED


def example_config() -> str:
    """The commented config that ``naap-proxy init`` prints. It wants OPENAI_API_KEY set."""
    return resources.files("naap_twisted").joinpath(EXAMPLE).read_text(encoding="utf-8")
