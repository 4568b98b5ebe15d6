"""The proxies under test: how each is started, and how it is asked.

Each is as its own documentation shows it, and listens on 127.0.0.1 only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from ..missing import program
from ..processes import Processes, Running, free_port
from ..upstreams import nginx_command, user_line

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ORIGIN = "http://localhost:3000"
JSON, UPLOAD, DOWNLOAD, EVENTS = "json", "upload", "download", "events"


@dataclass(frozen=True)
class Place:
    """Where a peer runs: its port, its folder, its upstream's origin, and the npm packages.

    :ivar options: for twistd.
    """

    port: int
    folder: Path
    upstream: str
    npm: Path
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ask:
    """A request as a client sends it: path, and headers beside Content-Type and Origin."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """A kind of proxy.

    :ivar command: writes the files it needs, gives its command line and environment.
    :ivar ask: from upstream origin, path there and kind of exchange to the request.
    :ivar streams: whether it passes a body on as it comes.
    """

    name: str
    about: str
    command: Callable[[Place], tuple[list[str], dict[str, str]]]
    ask: Callable[[str, str, str], Ask]
    streams: bool = True

    def start(
        self,
        processes: Processes,
        folder: Path,
        upstream: str,
        npm: Path,
        options: tuple[str, ...] = (),
    ) -> Running:
        """Start it in front of *upstream*, an origin; it may not listen yet.

        :param options: more options for twistd, where it runs in that.
        """
        place = Place(free_port(), folder / self.name.replace(" ", "-"), upstream, npm, options)
        place.folder.mkdir(parents=True, exist_ok=True)
        command, environment = self.command(place)
        return processes.start(self.name, command, place.port, place.folder, environment)


def twistd(*options: str) -> list[str]:
    return [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", *options]


def _ours(
    place: Place, auth: str = 'mode = "none"', template: str = "naap.toml", **more: str
) -> tuple[list[str], dict[str, str]]:
    written = Template((HERE / template).read_text())
    upstream_port = place.upstream.rpartition(":")[2]
    text = written.substitute(port=place.port, upstream_port=upstream_port, auth=auth, **more)
    (place.folder / "naap.toml").write_text(text)
    # To a file without twistd's rotation, which renames all old files at every megabyte.
    options = ("-n", "--pidfile=", "--logfile=-", *place.options)
    command = twistd(*options, "naap-proxy", "--config=naap.toml")
    return command, {"PYTHONPATH": str(ROOT), "BENCH_KEY": "Bearer key-of-the-benchmark"}


def _script(name: str) -> Callable[[Place], tuple[list[str], dict[str, str]]]:
    def command(place: Place) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, str(HERE / name), str(place.port)], {}

    return command


def _node(name: str) -> Callable[[Place], tuple[list[str], dict[str, str]]]:
    def command(place: Place) -> tuple[list[str], dict[str, str]]:
        environment = {"NODE_PATH": str(place.npm / "node_modules"), "NODE_ENV": "production"}
        script = [program("node"), str(HERE / name), str(place.port), place.upstream]
        return script, environment

    return command


def _nginx(
    upstream_lines: str, location_lines: str
) -> Callable[..., tuple[list[str], dict[str, str]]]:
    def command(place: Place) -> tuple[list[str], dict[str, str]]:
        text = Template((HERE / "nginx.conf").read_text()).substitute(
            user=user_line(),
            port=place.port,
            upstream=place.upstream.removeprefix("http://"),
            upstream_lines=upstream_lines,
            location_lines=location_lines,
        )
        (place.folder / "nginx.conf").write_text(text)
        return nginx_command(place.folder), {}

    return command


def _by_header(upstream: str, path: str, kind: str) -> Ask:
    return Ask("/", {"X-Target-URL": upstream + path})


OURS = Peer(
    "ours",
    "this proxy: `twistd -n naap-proxy`, ten routes, default protections, CORS, security headers,"
    " request id and log line on; the rate limit counts but is too high to refuse",
    _ours,
    lambda upstream, path, kind: Ask(f"/api/v1/{kind}", {"X-Target-URL": upstream + path}),
)
#: Ours again, with users: beside ``OURS``, not beside the others, who ask nobody.
WITH_SESSION = Peer(
    "ours with sessions",
    "the same, asking a session service who calls",
    lambda place: _ours(place, f'mode = "session"\nsession_url = "{place.upstream}/me"'),
    OURS.ask,
)
#: Endpoints as a real list has them; the second is what the benchmark asks for.
_ENDPOINTS = ("GET /v1/models/*", "POST /v1/chat", *(f"POST /v1/things/{n}/*" for n in range(48)))


def _with_rules(place: Place) -> tuple[list[str], dict[str, str]]:
    return _ours(place, template="naap_rules.toml", endpoints=json.dumps(_ENDPOINTS)[1:-1])


#: Ours with four routes, two of which have rules; asked at their own paths.
WITH_RULES = Peer("ours with rules", "the same with rules of routes", _with_rules, OURS.ask)


def _with_spend(place: Place) -> tuple[list[str], dict[str, str]]:
    command, environment = _ours(place, template="naap_spend.toml")
    return command, {**environment, "BENCH_KEY": "key-of-the-benchmark"}


#: Ours with two routes of a language model, one of which has a budget of tokens.
WITH_SPEND = Peer(
    "ours with a budget",
    "the same with a budget of tokens",
    _with_spend,
    OURS.ask,
)
PEERS: tuple[Peer, ...] = (
    OURS,
    Peer(
        "cors-anywhere",
        "its README's example",
        _node("cors_anywhere.js"),
        lambda upstream, path, kind: Ask(f"/{upstream}{path}"),
    ),
    Peer(
        "cors-anywhere keep-alive",
        "the same with a keep-alive agent for upstream connections, which it does not have by"
        " default",
        _node("cors_anywhere_keep_alive.js"),
        lambda upstream, path, kind: Ask(f"/{upstream}{path}"),
    ),
    Peer(
        "http-proxy-middleware",
        "its README's example, on Express",
        _node("http_proxy_middleware.js"),
        lambda upstream, path, kind: Ask(path),
    ),
    Peer(
        "aiohttp",
        "a handler on its server and client, streaming",
        _script("aiohttp_proxy.py"),
        _by_header,
    ),
    Peer(
        "klein + treq",
        "a ten-line handler; it holds whole bodies",
        _script("klein_proxy.py"),
        _by_header,
        streams=False,
    ),
    Peer(
        "nginx",
        "`proxy_pass` and a key, one worker, access log on as it is by default; bodies unbuffered",
        _nginx("", ""),
        lambda upstream, path, kind: Ask(path),
    ),
    Peer(
        "nginx keep-alive",
        "the same with kept-alive upstream connections, which are not the default",
        _nginx(
            "keepalive 256; keepalive_requests 1000000000;",
            'proxy_http_version 1.1; proxy_set_header Connection "";',
        ),
        lambda upstream, path, kind: Ask(path),
    ),
)
NAMES = tuple(peer.name for peer in PEERS)
