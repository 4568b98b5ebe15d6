"""Configs that would turn the proxy against its owner, each with the key that must be named.

``SECRET`` in the environment holds a key; it may stand in no line of the refusal.
"""

from __future__ import annotations

from attrs import frozen

SERVER = '[server]\nlisten = ["tcp:0:interface=127.0.0.1"]\n'
NO_AUTH = '[auth]\nmode = "none"\n'
ROUTE = '[[proxy]]\npath = "/a"\n'
HOSTS = 'allowed_hosts = ["api.example.com"]\n'
KEYS = 'forward_headers = { Authorization = "Bearer ${env:SECRET}" }\n'
GOOD = SERVER + NO_AUTH + ROUTE + HOSTS + KEYS


@frozen
class Dangerous:
    """One config.

    :ivar key: what a line of the refusal opens with.
    """

    name: str
    text: str
    key: str


def host(value):
    """An entry of allowed_hosts."""
    text = SERVER + NO_AUTH + ROUTE + f"allowed_hosts = [{value!r}]\n" + KEYS
    return Dangerous(f"host {value}", text, "proxy[0].allowed_hosts")


def route(line):
    """A further line of the route."""
    name = line if len(line) < 60 else line[:60]
    return Dangerous(f"route {name}", GOOD + line + "\n", f"proxy[0].{line.split(' ')[0]}")


def instead(line):
    """A line in place of the route's keys."""
    return Dangerous(
        f"keys {line}", SERVER + NO_AUTH + ROUTE + HOSTS + line + "\n", "proxy[0].forward_headers"
    )


def target(url):
    """A pinned base."""
    return Dangerous(
        f"target {url}", SERVER + NO_AUTH + ROUTE + f"target = {url!r}\n" + KEYS, "proxy[0].target"
    )


def upstream(line):
    """A line of [upstream]."""
    return Dangerous(
        f"upstream {line}", GOOD + "[upstream]\n" + line + "\n", f"upstream.{line.split(' ')[0]}"
    )


def server(line):
    """A line of [server]."""
    return Dangerous(
        f"server {line}", GOOD.replace(SERVER, SERVER + line + "\n"), f"server.{line.split(' ')[0]}"
    )


def listening(endpoint):
    """A route with a key that nobody needs a name for, open to the net."""
    text = GOOD.replace("tcp:0:interface=127.0.0.1", endpoint)
    return Dangerous(f"listen {endpoint}", text, "proxy[0].authorize")


HOST_LISTS = [
    *map(
        host,
        (
            "",
            " ",
            "*",
            "*.*",
            "*.com",
            ".com",
            "com",
            "co.uk",
            "*.co.uk",
            "github.io",
            "*.github.io",
            "*.amazonaws.com",
            "api.*.com",
            "api*.example.com",
            "*api.example.com",
            "api.example.*",
            "localhost",
            "intranet",
            "127.0.0.1",
            "169.254.169.254",
            "10.0.0.0/8",
            "[::1]",
            "::1",
            "0x7f.1",
            "2130706433",
            "api.example.com:443",
            "api.example.com/v1",
            "https://api.example.com",
            "user@api.example.com",
            "api.example.com#",
            "api.example.com\\",
            "api..example.com",
            "api_1.example.com",
            "bücher.example",
            "xn--a.example",
            "api.example.com\n",
            "api.example.com ",
            "api.example.com,evil.example",
        ),
    ),
    Dangerous("no hosts", SERVER + NO_AUTH + ROUTE + KEYS, "proxy[0].allowed_hosts"),
    Dangerous(
        "empty list of hosts", GOOD.replace('["api.example.com"]', "[]"), "proxy[0].allowed_hosts"
    ),
    Dangerous(
        "text for a list of hosts",
        GOOD.replace('["api.example.com"]', '"api.example.com"'),
        "proxy[0].allowed_hosts",
    ),
]

ROUTES = [
    *map(
        route,
        (
            'allowed_schemes = ["http"]',
            'allowed_schemes = ["https", "http"]',
            'allowed_schemes = ["file"]',
            'allowed_schemes = ["HTTPS"]',
            "allowed_schemes = []",
            "allowed_ports = [0]",
            "allowed_ports = [65536]",
            "allowed_ports = [-1]",
            "allowed_ports = [true]",
            "allowed_ports = [443.0]",
            "allowed_ports = []",
            'methods = ["CONNECT"]',
            'methods = ["TRACE"]',
            'methods = ["post"]',
            'methods = ["POST /x HTTP/1.1"]',
            "methods = []",
            'target_url_header = "X Target"',
            'target_url_header = "X-Target:"',
            'target_url_header = "Transfer-Encoding"',
            'target_url_header = "Host"',
            "body_limit = 0",
            "body_limit = -1",
            'body_limit = "lots"',
            "timeout = 0",
            "timeout = -1",
            "timeout = nan",
            "timeout = inf",
            'connect_timeout = "0s"',
            'idle_timeout = "-5s"',
            "total_timeout = false",
            'pass_headers = ["*"]',
            'pass_headers = ["Transfer-Encoding"]',
            'pass_headers = ["Host"]',
            'pass_headers = ["A b"]',
            'response_headers = ["*"]',
            'response_headers = ["Set-Cookie"]',
            'response_headers = ["Date"]',
            'response_headers = ["Via"]',
            'response_headers = ["WWW-Authenticate"]',
            'response_headers = ["Access-Control-Allow-Origin"]',
            'response_headers = ["Transfer-Encoding"]',
            'expose_headers = [{ from = "Set-Cookie", to = "X-Cookie" }]',
            'expose_headers = [{ from = "X-Cookie", to = "Set-Cookie" }]',
            'response_headers = ["X-Request-ID"]',
            'response_headers = ["X-Accel-*"]',
            'expose_headers = [{ from = "Date", to = "X-Date" }]',
            'expose_headers = [{ from = "X-Id", to = "X-Request-ID" }]',
            'expose_headers = [{ from = "X-Scope", to = "Service-Worker-Allowed" }]',
            'expose_headers = [{ from = "X-Go", to = "Location" }]',
            'expose_headers = [{ from = "X-Go", to = "Refresh" }]',
            'expose_headers = [{ from = "X-Bye", to = "Clear-Site-Data" }]',
            'expose_headers = [{ from = "Location", to = "A: b" }]',
            'content_type = "json"',
            'errors = "none"',
            'authorize = "user"',
            'authorize = "everyone"',
            'authorize = "os.system"',
            'authorise = "anyone"',
        ),
    ),
    *map(
        instead,
        (
            'forward_headers = { Host = "${env:SECRET}" }',
            'forward_headers = { Content-Length = "${env:SECRET}" }',
            'forward_headers = { Transfer-Encoding = "${env:SECRET}" }',
            'forward_headers = { Connection = "${env:SECRET}" }',
            'forward_headers = { "A b" = "${env:SECRET}" }',
            'forward_headers = { "${env:SECRET}" = "a" }',
            'forward_headers = { A = "${env:SECRET}", a = "${env:SECRET}" }',
            'forward_headers = { A = "${env:UNSET}" }',
            'forward_headers = { A = "${env:EMPTY}" }',
            'forward_headers = { A = "${env:BROKEN}" }',
            'forward_headers = { A = "${env:SECRET" }',
            'forward_headers = { A = "${exec:id}" }',
            'forward_headers = { A = "$SECRET" }',
            'forward_headers = { A = "Bearer $SECRET" }',
            'forward_headers = { A = "$env:SECRET" }',
            'forward_headers = { A = "${SECRET}" }',
            "forward_headers = { A = \"'hunter2'\" }",
            'forward_headers = { A = "Bearer \\"hunter2\\"" }',
            'forward_headers = { A = "hunter2\\\\n" }',
            'forward_headers = { A = "hunter2\u2013" }',
            'forward_headers = { X-Target-URL = "hunter2" }',
            'forward_headers = { A = "${user_key:openai}" }',
            'forward_headers = { A = "" }',
            'forward_headers = { A = "a\\nb" }',
            "forward_headers = { A = 1 }",
            'forward_headers = "${env:SECRET}"',
        ),
    ),
    *map(
        target,
        (
            "",
            "api.example.com",
            "http://api.example.com",
            "https://user:hunter2-secret@api.example.com",
            "https://api.example.com/v1?key=hunter2-secret",
            "https://api.example.com/v1#a",
            "https://api.example.com/a/../b",
            "https://api.example.com//a",
            "https://api.example.com/a%2fb",
            "https://api.example.com:0",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://localhost/",
            "https://intranet/",
            "https://co.uk/",
            "https://2130706433/",
            "file:///etc/passwd",
        ),
    ),
    Dangerous("path twice", GOOD + ROUTE + HOSTS, "proxy[1].path"),
    *(
        Dangerous(f"path {path}", GOOD.replace('"/a"', f'"{path}"'), "proxy[0].path")
        for path in ("", "a", "/a/", "//a", "/../a", "/a?b", "/<x>", "/a%2f", "/a b")
    ),
]

REST = [
    *map(
        listening,
        (
            "tcp:0",
            "tcp:0:interface=0.0.0.0",
            "tcp6:0",
            "tcp:0:interface=\\\\:\\\\:",
            "tcp:0:interface=10.0.0.1",
            "tcp:0:interface=127.0.0.1:interface=0.0.0.0",
            "systemd:domain=INET:index=0",
        ),
    ),
    *map(
        upstream,
        (
            'allow_networks = ["0.0.0.0/0"]',
            'allow_networks = ["::/0"]',
            'allow_networks = ["0.0.0.0/1", "128.0.0.0/1"]',
            'allow_networks = ["::ffff:0:0/96"]',
            'allow_networks = ["10.0.0.1/8"]',
            'allow_networks = ["10.0.0.0/8:0"]',
            'allow_networks = ["10.0.0.0/8:65536"]',
            'allow_networks = ["localhost"]',
            'allow_networks = "10.0.0.0/8"',
            'ca_file = "missing.pem"',
            "verify = false",
        ),
    ),
    *map(
        server,
        (
            'cors_origins = ["null"]',
            'cors_origins = ["*", "http://localhost:3000"]',
            'cors_origins = ["http://localhost:3000/"]',
            'cors_origins = ["http://*.co.uk"]',
            'cors_headers = ["*"]',
            'server_names = ["*"]',
            'server_names = ["a/b"]',
            'trusted_proxies = ["0.0.0.0/0"]',
            'trusted_proxies = ["10.0.0.1/8"]',
            'base_path = "/api/../x"',
            "rate_limit = { requests = 0, window = 60 }",
            'rate_limit = { requests = 1, window = "0s" }',
            "rate_limit = true",
            "workers = 0",
            "debug = true",
        ),
    ),
    Dangerous(
        "auth required without a mode",
        GOOD.replace(NO_AUTH, NO_AUTH + "required = true\n"),
        "auth.required",
    ),
    Dangerous("auth of an unknown mode", GOOD.replace('"none"', '"off"'), "auth.mode"),
    Dangerous("unknown section", GOOD + "[extra]\na = 1\n", "extra"),
    Dangerous("not TOML", GOOD + "a = = 1\n", "config"),
    Dangerous("key twice", GOOD + HOSTS, "config"),
    Dangerous("nested deeply", "a = " + "[" * 5000 + "]" * 5000, "config"),
    Dangerous("no route", SERVER + NO_AUTH, "proxy"),
    Dangerous("route that is no table", SERVER + NO_AUTH + "[proxy]\na = 1\n", "proxy"),
]

CONFIGS = [*HOST_LISTS, *ROUTES, *REST]
