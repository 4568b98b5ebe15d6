"""``naap-proxy reload``: asks the running server by its admin side, and says what came of it."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from ..config import load_config
from ..config.lines import located_in
from ..errors import ConfigError
from ..options.listen import Listen, parse_listen

DONE, REFUSED, USAGE = 0, 1, 2
_PATIENCE = 60.0
_MOST = 1024 * 1024
# A listener on every interface can be reached on loopback, too.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_BY_SIGNAL = "reload it by a signal instead: kill -HUP PID; the log says what came of it"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of ``naap-proxy reload``."""
    command.add_argument("config", metavar="CONFIG", help="of the running server; names its admin")


def run(options: argparse.Namespace) -> int:
    """Ask, print the outcome, and give the exit status.

    :raises ConfigError: the config can't be used. The server was not asked: it would refuse it.
    """
    try:
        endpoint = load_config(options.config).server.admin_listen
    except ConfigError as error:
        raise ConfigError(
            *located_in(Path(options.config), error.problems, options.config)
        ) from None
    if not endpoint:
        return _fail(f"{options.config} has no server.admin_listen; {_BY_SIGNAL}")
    listen = parse_listen(endpoint)
    if listen.kind not in ("tcp", "tcp6", "unix"):
        return _fail(f"cannot ask {endpoint}; {_BY_SIGNAL}")
    try:
        status, told = _ask(listen)
    except (OSError, HTTPException, ValueError) as error:
        return _fail(f"no answer from {endpoint}: {error or type(error).__name__}; {_BY_SIGNAL}")
    for problem in told.get("problems", ()):
        print(problem, file=sys.stderr)
    if told.get("partly"):
        print(f"generation {told['generation']} serves, but not in these workers", file=sys.stderr)
        return REFUSED
    if status != 200:
        message = told.get("error", {}).get("message", "nothing has changed")
        print(f"reload refused: {message}", file=sys.stderr)
        return REFUSED
    changed = ", ".join(told["changed"]) or "no option, but files may have"
    print(f"generation {told['generation']} serves; changed: {changed}")
    return DONE


def _fail(line: str) -> int:
    print(line, file=sys.stderr)
    return USAGE


def _ask(listen: Listen) -> tuple[int, dict[str, Any]]:
    connection = _connection(listen)
    try:
        connection.request("POST", "/reload", headers={"Host": "localhost"})
        response = connection.getresponse()
        document = json.loads(response.read(_MOST))
    finally:
        connection.close()
    if not isinstance(document, dict):
        raise ValueError("it is not an admin side that answers there")
    return response.status, document


def _connection(listen: Listen) -> HTTPConnection:
    if listen.kind == "unix":
        connection = HTTPConnection("localhost", timeout=_PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(_PATIENCE)
        connection.sock.connect(listen.arguments["address"])
        return connection
    host = listen.arguments.get("interface") or ("::" if listen.kind == "tcp6" else "0.0.0.0")
    return HTTPConnection(
        _EVERYWHERE.get(host, host), int(listen.arguments["port"]), timeout=_PATIENCE
    )
