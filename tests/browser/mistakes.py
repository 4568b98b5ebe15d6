"""The stage of the common mistakes: an API without CORS, a proxy before it, a page, the table."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

from twisted.logger import formatEvent, globalLogPublisher

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.model import AllowedNetwork
from naap_twisted.testing import RunningServer, ScriptedUpstream

from .frontend import answer
from .support import BrowserTestCase, PageServer

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "frontend.md"
KEY = "Bearer sk-of-the-server"
OK = answer(200, {"ok": 1}, "X-Team-Quota: 7")
JSON = {"Content-Type": "application/json"}
ROUTE = "/api/v1/x"
ASK = """async ([url, init, read]) => {
  try {
    const answer = await fetch(url, {method: "POST", body: "{}", ...init});
    return {
      status: answer.status,
      body: await answer[read](),
    };
  } catch (error) {
    return {error: String(error)};
  }
}"""


def rows() -> dict[str, str]:
    """The table's second column by its first."""
    text = DOCUMENT.read_text("utf-8").partition("<!-- mistakes -->\n")[2]
    cells = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in text.splitlines()[2:]]
    return {cell[0]: cell[1] for cell in cells if len(cell) > 2}


class MistakesTestCase(BrowserTestCase):
    async def begin(self, *steps, server=None, host="localhost", **route):
        """An API without CORS that wants the key, a proxy before it, and a page."""
        self.logged = []
        observer = lambda event: self.logged.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.upstream = ScriptedUpstream(self, *(steps or (OK,)))
        self.target = f"{self.upstream.origin}/v1"
        self.pages = PageServer(self, host)
        await self.open()
        self.url = self.pages.text("page", "<!doctype html><link rel=icon href=data:,>")
        self.serve(server, **route)
        await self.browse(lambda page: page.goto(self.url))

    def serve(self, server=None, **route):
        """The proxy; again, for one that has the fix."""
        reachable = (AllowedNetwork(ip_network("127.0.0.1/32"), self.upstream.port),)
        options = {
            "require_auth": False,
            "cors_origins": [self.pages.origin],
            "allow_networks": reachable,
            "drain_timeout": 1.0,
            **(server or {}),
        }
        plugin = create_plugin_server("mistakes", 0, **options)
        where = {
            "allowed_hosts": ["127.0.0.1"],
            "allowed_schemes": ["http"],
            "allowed_ports": [self.upstream.port],
        }
        route = {
            **({} if "target" in route else where),
            "allow_networks": reachable,
            "forward_headers": {"Authorization": KEY},
            **route,
        }
        plugin.mount("/x", create_external_proxy(**route))
        self.proxy = RunningServer(self, plugin)

    async def ask(self, path=ROUTE, headers=None, read="text", url=None, **init):
        """What the page's own fetch came to."""
        given = {"X-Target-URL": self.target, **JSON} if headers is None else headers
        sent = {name: value for name, value in given.items() if value is not None}
        arguments = [url or self.proxy.url + path, {"headers": sent, **init}, read]
        return await self.browse(lambda page: page.evaluate(ASK, arguments))

    def page_headers(self, **changes):
        """The right headers, some changed; ``None`` takes one away."""
        return {
            "X-Target-URL": self.target,
            **JSON,
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }

    def saw(self, row, *texts):
        """Whether what the row quotes was seen: in the console or *texts*, or in the log."""
        shown, _, logged = rows()[row].partition("the proxy's log: ")
        for told, said in ((shown, [*self._console, *texts]), (logged, self.logged)):
            for quoted in re.findall(r"`([^`]+)`", told):
                self.assertIn(quoted, "\n".join(said))

    def fixed(self, got):
        self.assertEqual((got.get("status"), got.get("body")), (200, '{"ok": 1}'), got)
