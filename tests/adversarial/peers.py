"""Other people's reverse proxies before an upstream that tells what it was asked."""

import shutil
import socket
from pathlib import Path

from attrs import define
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from naap_twisted.testing import RawClient, Watchable

from .process import Child

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            {more}
        }}
    }}
}}
"""
_HAPROXY = """
global
    maxconn 128
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend front
    bind 127.0.0.1:{port}{tls}
    default_backend back
    {more}
backend back
    server echo {upstream} {how}
"""


@define(frozen=True)
class Asked:
    """One request as the upstream behind a proxy understood it."""

    method: bytes
    target: bytes
    body: bytes


class Echo(Watchable, Factory):
    """Answers every request 200 and remembers it. Reads leniently: proxies write well.

    :ivar asked: every :class:`Asked` so far.
    """

    noisy = False

    def __init__(self, test):
        super().__init__()
        self.asked = []
        listening = reactor.listenTCP(0, self, interface="127.0.0.1")
        test.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        self.origin = f"http://127.0.0.1:{self.port}"

    def buildProtocol(self, address):
        return _Echoing(self)


class _Echoing(Protocol):
    def __init__(self, echo):
        self._echo, self._buffer = echo, b""

    def dataReceived(self, data):
        self._buffer += data
        while (found := self._request()) is not None:
            asked, self._buffer = found
            self._echo.asked.append(asked)
            length = b"" if asked.method == b"HEAD" else b"ok"
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + length)
            self._echo.changed()

    def _request(self):
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        line, *lines = head.split(b"\r\n")
        method, _, target = line.rpartition(b" ")[0].partition(b" ")
        fields = {n.lower(): v.strip() for n, _, v in (x.partition(b":") for x in lines)}
        if b"transfer-encoding" not in fields:
            size = int(fields.get(b"content-length", b"0"))
            if len(rest) < size:
                return None
            return Asked(method, target, rest[:size]), rest[size:]
        body = b""
        while True:
            size, end, rest = rest.partition(b"\r\n")
            if not end:
                return None
            count = int(size.partition(b";")[0], 16)
            if not count:
                if rest.startswith(b"\r\n"):
                    return Asked(method, target, body), rest[2:]
                _, end, rest = rest.partition(b"\r\n\r\n")
                return (Asked(method, target, body), rest) if end else None
            if len(rest) < count + 2:
                return None
            body, rest = body + rest[:count], rest[count + 2 :]


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def nginx(test, echo, more=""):
    """nginx before *echo*: its port, or ``None`` where it is not installed.

    *echo*: what listens on a port, or the path of a UNIX socket. *more*: lines of its location.
    """
    template = _NGINX.replace("{more}", more)
    return await _started(test, "nginx", template, echo, lambda path: ["-c", path, "-e", "stderr"])


async def haproxy(test, echo, more="", how="", tls=""):
    """haproxy before *echo*: its port, or ``None`` where it is not installed.

    *more*: lines of its frontend. *how*: words of its server line. *tls*: words of its bind line.
    """
    template = _HAPROXY.replace("{how}", how).replace("{more}", more).replace("{tls}", tls)
    return await _started(test, "haproxy", template, echo, lambda path: ["-db", "-f", path])


async def _started(test, name, template, echo, arguments):
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    folder = Path(test.mktemp()).resolve()
    folder.mkdir()
    port = free_port()
    config = folder / "config"
    upstream = f"unix:{echo}" if isinstance(echo, str) else f"127.0.0.1:{echo.port}"
    upstream = f"unix@{echo}" if isinstance(echo, str) and name == "haproxy" else upstream
    config.write_text(template.format(folder=folder, port=port, upstream=upstream))
    child = Child(test, [program, *arguments(str(config))], path=str(folder))
    for _ in range(100):
        try:
            await (await RawClient.connect(test, port)).stop()
        except Exception:
            assert not child.ended, child.output.decode()
            await deferLater(reactor, 0.05)
        else:
            return port
    raise AssertionError(f"{name} does not listen: {child.output!r}")
