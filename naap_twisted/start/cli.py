"""Check a config, explain a decision, print options or a config to begin with, rotate keys.

Exit status: 0 for a fine config or an allowed URL, 1 for a refused one, 2 for a wrong command.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred

from .. import __version__
from ..admin.decision import Question, decide
from ..config import load_config
from ..errors import BadRequest, ConfigError
from ..keys.vault import new_master_key
from ..options import reference
from ..options.endpoint_groups import least_lines
from ..options.provider import (
    parse_provider,
    provider_names,
    provider_text,
    written_provider,
)
from ..options.server import Config
from ..options.values import here
from ..server.cautions import as_root
from ..server.plugin_server import PluginServer
from . import ask_reload, learn, prices, token
from .assembly import checked_server, import_from_here
from .describe import describe

ALLOWED, REFUSED, USAGE = 0, 1, 2
EXAMPLE = "naap-proxy.example.toml"
# Bytes of a body that is asked about; a route's own limit may be anything.
_MOST_BODY = 64 * 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    :param arguments: those of the process when ``None``.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return int(options.unfit)
    except BrokenPipeError:
        # The reader of a pipe left (`| head`), which is no error. The interpreter flushes stdout
        # once more at its end, and would show a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALLOWED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="naap-proxy", description=__doc__)
    parser.add_argument("--version", action="version", version=f"naap-proxy {__version__}")
    # The status for a config that can't be used; `explain` has not decided anything then.
    parser.set_defaults(run=_print, unfit=REFUSED)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, about: str, **defaults: object) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about)
        added.set_defaults(**defaults)
        return added

    _add_config_commands(command)
    about = "print the least policy that allows what routes with observe = true have logged"
    learn.add_arguments(command("learn", about, run=learn.run))
    about = "let the running server of CONFIG read it again; what is wrong changes nothing"
    ask_reload.add_arguments(command("reload", about, run=ask_reload.run))
    token.add_arguments(command("token", "make, list and end the tokens of services"))
    about = "print what a million tokens of each model cost, with the age of each list"
    prices.add_arguments(command("prices", about, run=prices.run))
    _add_printing_commands(command)
    return parser


def _add_config_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Those about one config: check, explain, rotate-keys."""
    check = command("check", "validate CONFIG and print what each route allows", run=_check)
    why = command("explain", "say whether a request would pass, and why", run=_explain, unfit=USAGE)
    about = "seal every user's key with the first of keys.master_key"
    rotate = command("rotate-keys", about, run=_rotate_keys)
    for each in (check, why, rotate):
        each.add_argument("config", metavar="CONFIG")
    why.add_argument("route", metavar="ROUTE", help="a [[proxy]] path, such as /assistant/openai")
    why.add_argument("url", metavar="URL", help="the target; DNS is asked, nothing is sent to it")
    why.add_argument("--method", help="the request's; left out, the route's first")
    why.add_argument("--origin", default="", help="the page's, for what a browser would do")
    why.add_argument(
        *("--header", "-H"), action="append", default=[], help="'Name: value', any number of them"
    )
    why.add_argument(
        "--body", metavar="TEXT|@FILE", help="the body, for the rules of the route; @- reads stdin"
    )


def _add_printing_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Those that print what they are asked for: new-master-key, options, init."""
    command("new-master-key", "print a key for keys.master_key", text=new_master_key)
    listing = command("options", "print every option, of files and of code", text=reference.text)
    form = listing.add_mutually_exclusive_group()
    for flag, text, about in (
        ("--markdown", reference.tables, "as README has them"),
        ("--schema", reference.schema_text, "as JSON Schema of a config, for editors"),
        ("--python", reference.keywords_module, "as the types of keyword arguments"),
    ):
        form.add_argument(flag, dest="text", action="store_const", const=text, help=about)
    init = command("init", "print a commented config", text=example_config)
    listing.set_defaults(of_provider=lambda name: written_provider(name, here()))
    init.set_defaults(of_provider=config_for)
    listing.add_argument("--provider", metavar="NAME", help="what it sets; a file works, too")
    init.add_argument(
        "--provider",
        metavar="NAME",
        help=f"a short one, with a route to NAME: {', '.join(provider_names())}",
    )


def _load(path: str) -> tuple[Config, PluginServer]:
    import_from_here()
    config = load_config(path)
    # A start would build the same server and refuse the same configs.
    return config, checked_server(config)


def _check(options: argparse.Namespace) -> int:
    config, server = _load(options.config)
    print(f"{options.config}: ok\n")
    print("\n".join(describe(config)))
    for caution in (*server.cautions(), *as_root(os.geteuid())):
        print(f"warning: {caution}", file=sys.stderr)
    return ALLOWED


def _explain(options: argparse.Namespace) -> int:
    config, server = _load(options.config)
    mounts = [m for m in server.routes() if m.proxy and options.route in (m.path, m.full_path)]
    if not mounts:
        known = ", ".join(route.path for route in config.proxy)
        print(f"no route {options.route}; there is {known}", file=sys.stderr)
        return USAGE
    headers = dict(_header(text) for text in options.header)
    method = options.method or _usual_method(mounts[0].methods, options.body)
    asked = {"route": options.route, "method": method, "url": options.url}
    try:
        body = {} if options.body is None else {"body": _body(options.body)}
        question = Question.read({**asked, "origin": options.origin, "headers": headers, **body})
    except (BadRequest, OSError) as error:
        print(getattr(error, "message", error), file=sys.stderr)
        return USAGE
    return _tell(_run(server, question))


def _header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip(), value.strip()


def _usual_method(methods: Sequence[str], body: str | None) -> str:
    """A route's first method; of a request with a body the first that has one."""
    with_body = [method for method in methods if method in ("POST", "PUT", "PATCH")]
    return with_body[0] if body is not None and with_body else methods[0]


def _body(written: str) -> str:
    """The body of ``--body``: the text itself, or the bytes of a file, which may be of any kind."""
    if not written.startswith("@"):
        return written
    if written == "@-":
        content = sys.stdin.buffer.read(_MOST_BODY + 1)
    else:
        with open(written[1:], "rb") as file:
            content = file.read(_MOST_BODY + 1)
    if len(content) > _MOST_BODY:
        raise BadRequest(f"--body has more than {_MOST_BODY} bytes")
    return content.decode("utf-8", "surrogateescape")


def _tell(found: Mapping[str, Any]) -> int:
    """Print what the console shows, a line for each step, header and problem."""
    for step in found["steps"]:
        if step["name"] == "header":
            continue  # stands below, with the other headers
        print(f"{step['name']:9} {'ok' if step['passed'] else 'REFUSED':9} {step['text']}")
    for each in found["headers"]:
        print(f"{'header':9} {each['fate']:9} {each['name']} {each['text']}{_to_allow(each)}")
    for problem in found["preflight"]["problems"]:
        print(f"{'preflight':9} {'REFUSED':9} {problem['text']}{_to_allow(problem)}")
    allowed = found["allowed"] and found["preflight"]["allowed"]
    if found["hint"]:
        print(f"{'to allow it:':19} {found['hint']}")
    print(f"{'decision':9} {'allowed' if allowed else 'refused'}")
    return ALLOWED if allowed else REFUSED


def _to_allow(told: Mapping[str, Any]) -> str:
    return f"; to allow it: {told['hint']}" if told["hint"] else ""


def _run(server: PluginServer, question: Question) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def run(reactor: Any) -> None:
        found.update(await decide(server, question, reactor))

    try:
        task.react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit:
        # react() ends every run so; without an answer it was an error, which it has shown.
        if not found:
            raise
    return found


def _rotate_keys(options: argparse.Namespace) -> int:
    _, server = _load(options.config)
    count = server.parts.state.rotate_keys()
    print(f"{count} keys are sealed with the first master key; the others can go")
    return ALLOWED


def _print(options: argparse.Namespace) -> int:
    name = getattr(options, "provider", None)
    try:
        text = options.text() if name is None else options.of_provider(name)
    except ValueError as error:
        print(f'provider: "{name}" {error}', file=sys.stderr)
        return USAGE
    print(text.removesuffix("\n"))
    return ALLOWED


def config_for(name: str) -> str:
    """A config with one route to a provider; it works once the key's variable is set.

    :raises ValueError: there is no such provider.
    """
    known = parse_provider(name, provider_text(name))
    lines = [
        "# twistd -n naap-proxy --config naap-proxy.toml",
        f"# The base URL for clients of {known.title}: http://127.0.0.1:4020/api/v1/{name}",
        "[server]",
        'listen = ["tcp:4020:interface=127.0.0.1"]',
        'cors_origins = ["http://localhost:3000"]   # the pages that may call',
        "[auth]",
        'mode = "none"   # whoever reaches the listening address may call; see `naap-proxy init`',
        "[[proxy]]",
        f'path = "/{name}"',
        f'provider = "{name}"   # what it sets: naap-proxy options --provider {name}',
        *(
            f"{option} = {example}   # write yours: the key goes there"
            for option, example in known.needs.items()
        ),
        *([f'key = "${{env:{known.variable}}}"'] if known.variable else ()),
        *least_lines(known),
    ]
    return "\n".join(lines)


def example_config() -> str:
    """The commented config that ``naap-proxy init`` prints; it needs OPENAI_API_KEY to be set."""
    return resources.files("naap_twisted").joinpath(EXAMPLE).read_text(encoding="utf-8")
