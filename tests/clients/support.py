"""The stage of the client tests: vendor, proxy with nothing but provider and key, stock client."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar

from attrs import frozen
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from naap_twisted import create_external_proxy, create_plugin_server
from naap_twisted.admin.preflight import is_forbidden, unsafe_names
from naap_twisted.auth.static import StaticTokens
from naap_twisted.model import AllowedNetwork, User
from naap_twisted.options.provider import parse_provider, provider_text
from naap_twisted.testing import RunningServer

from ..browser.support import PACKAGES, BrowserTestCase, PageServer, lacks, need_packages, until
from ..browser.support import listen as serve_site
from .endpoints import covered
from .vendor import KEY, TOKEN, Call, Reply, Vendor

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
_NETWORK = ip_network("127.0.0.1/32")


@frozen
class Client:
    """A stock client, as the table of docs/clients.md names it.

    :ivar package: its name on PyPI or npm, or a command.
    :ivar registry: ``"PyPI"``, ``"npm"``, or the system whose command it is; ``""`` for what the
        browser has itself.
    :ivar in_page: whether a page runs it.
    :ivar variant: which of the package's clients, where it has several.
    """

    package: str
    registry: str = "PyPI"
    in_page: bool = False
    variant: str = ""


class ProviderStage(TestCase):
    """A vendor, and a proxy before it whose route has nothing but *provider* and *key*.

    A test fails where the proxy drops a header that its client sends, and where the client asks for
    an endpoint that no group of the provider has.

    A subclass sets :attr:`client` and :attr:`provider`, and answers calls in :meth:`answer` as
    strictly as the vendor does. The names of its test methods become the table's words.

    :ivar base_path: the path of the vendor's base URL, such as ``"/v1"``.
    :ivar token: the caller's, where a client wants a certain form.
    :ivar route: options of the route that its owner has to give beside *provider* and *key*.
    :ivar others: further routes by their paths: each one's options, and as *base_path* the path of
        its base URL.
    :ivar page_tokens: the server's option of that name.
    :ivar guest: likewise; then callers are guests, and none has the token.
    :ivar sessions: the vendor's paths to which a session of WHIP leads by a URL of its own, which
        no owner names among a route's endpoints.
    :ivar tokens: what each exchange that ended used of a model.
    """

    timeout = 60
    client: ClassVar[Client]
    provider: ClassVar[str]
    base_path: ClassVar[str] = ""
    route: ClassVar[dict[str, Any]] = {}
    others: ClassVar[dict[str, dict[str, Any]]] = {}
    sessions: ClassVar[tuple[str, ...]] = ()
    page_tokens: ClassVar[dict[str, Any] | None] = None
    guest: ClassVar[dict[str, Any] | None] = None
    token: ClassVar[str] = TOKEN

    def setUp(self) -> None:
        super().setUp()
        self._dropped: list[str] = []
        globalLogPublisher.addObserver(self._note)
        self.addCleanup(self._nothing_dropped)

    def _note(self, event: dict[str, Any]) -> None:
        if "drops the request header" in str(event.get("log_format")):
            self._dropped.append(event["name"])

    def _nothing_dropped(self) -> None:
        globalLogPublisher.removeObserver(self._note)
        self.assertEqual(self._dropped, [], "headers of the client that no upstream gets")

    def answer(self, call: Call) -> Reply:
        """The vendor's answer to *call*."""
        raise NotImplementedError

    def upstream(self) -> Resource:
        """The vendor."""
        self.vendor = Vendor(self.answer)
        return self.vendor

    def begin(self, **route: Any) -> None:
        """Start vendor and proxy; *route* are options beside the provider's."""
        port = self.vendor_port = serve_site(self, Site(self.upstream()))
        who: dict[str, Any] = {"guest": self.guest}
        if self.guest is None:
            who = {"authenticator": StaticTokens({self.token: User("ada")})}
        plugin = create_plugin_server(
            "clients",
            0,
            cors_origins=self.origins(),
            allow_networks=(AllowedNetwork(_NETWORK, port),),
            drain_timeout=1.0,
            page_tokens=self.page_tokens,
            **who,
        )
        routes = {"/x": {"base_path": self.base_path, **self.route, **route}, **self.others}
        self._bases = [str(options.get("base_path", "")) for options in routes.values()]
        self.addCleanup(self._every_call_named)
        for path, options in routes.items():
            options = {"provider": self.provider, "key": KEY, **options}
            base_path = options.pop("base_path", "")
            options.setdefault("target", f"http://127.0.0.1:{port}{base_path}")
            plugin.mount(path, create_external_proxy(**options))
        self.running = RunningServer(self, plugin)
        self._note_tokens()
        self.base = f"{self.running.url}/api/v1/x"

    def _every_call_named(self) -> None:
        """The union of a provider's groups has all that its stock clients ask for."""
        if not self.provider or not hasattr(self, "vendor"):
            return
        known = parse_provider(self.provider, provider_text(self.provider))
        for call in self.vendor.calls:
            if call.path in self.sessions:
                continue
            (base, *_) = sorted(filter(call.path.startswith, self._bases), key=len, reverse=True)
            path = call.path.removeprefix(base)
            self.assertTrue(covered(known, call.method, path), f"{call.method} {path}: no group")

    def _note_tokens(self) -> None:
        site, self.tokens = self.running.server.site(), []
        tell = site.exchange_ended

        def ended(request: Any) -> None:
            tell(request)
            tokens = request.record.model_tokens
            self.tokens.append(tokens and (tokens.input, tokens.output, tokens.total))

        self.patch(site, "exchange_ended", ended)

    async def counted(self) -> Any:
        """The tokens of the last exchange, once it has ended: in, out and in total."""
        await until(lambda: self.tokens)
        return self.tokens[-1]

    def origins(self) -> list[str]:
        return ["http://localhost:1"]

    def key_came(self, call: Call, header: str, value: str = "") -> bool:
        """Whether the server's key stands where the vendor wants it, and the token nowhere.

        :param value: what *header* has to hold; the key, behind Bearer in Authorization.
        """
        self.assertNotIn(self.token, str(call.headers))
        usual = f"Bearer {KEY}" if header.lower() == "authorization" else KEY
        return call.headers.get(header.lower()) == (value or usual)


class PythonClientTestCase(ProviderStage):
    """A client from PyPI; it blocks, so it runs in a thread."""

    def setUp(self) -> None:
        need_python(self.client.package)
        super().setUp()
        self.begin()

    async def ask(self, use: Callable[[], Any]) -> Any:
        """What *use* returns, in a thread."""
        return await deferToThread(use)

    async def fails(self, error: type[BaseException], use: Callable[[], Any]) -> Any:
        """The client raises *error*, which is returned."""
        with self.assertRaises(error) as caught:
            await self.ask(use)
        return caught.exception


class NodeClientTestCase(ProviderStage):
    """A client from npm, in Node.

    :ivar module: what a script imports.
    """

    timeout = 120
    module: ClassVar[str]

    def setUp(self) -> None:
        need_packages(self.client.package)
        if shutil.which("node") is None:
            lacks("node is missing")
        super().setUp()
        self.begin()

    async def script(self, body: str) -> Any:
        """What *body* returns, with ``base`` and ``token``, in a Node of its own."""
        code = (
            f"{self.module}\nconst [base, token] = {json.dumps([self.base, TOKEN])};\n"
            f"const result = await (async () => {{{body}}})();\n"
            "console.log(JSON.stringify(result ?? null)); process.exit(0);\n"
        )
        # A module resolves what it imports from its own folder: PACKAGES is below that one.
        arguments = ["--input-type=module", "--eval", code]
        out, err, status = await getProcessOutputAndValue(
            shutil.which("node"), arguments, dict(os.environ), str(PACKAGES.parent)
        )
        self.assertEqual(status, 0, err.decode())
        return json.loads(out)


class PageClientTestCase(ProviderStage, BrowserTestCase):
    """A client from npm in a page of another origin, bundled as a site would bundle it.

    :ivar module: JavaScript of the page's module; what it puts on ``window`` scripts can use.
    :ivar refused: headers of the client that no preflight is to allow.
    """

    timeout = 120
    module: ClassVar[str]
    refused: frozenset[str] = frozenset()

    def origins(self) -> list[str]:
        return [self.pages.origin]

    async def start(self, **route: Any) -> None:
        """The page is open, its client made; ``[base, token]`` are what a script gets."""
        need_packages(*([self.client.package] if self.client.registry else ()))
        self.pages = PageServer(self)
        self.begin(**route)
        self.pages.text("bundle.js", bundled(self.module), "text/javascript; charset=utf-8")
        page = "<!doctype html><title>page</title><link rel=icon href=data:,>"
        url = self.pages.text("page", f"{page}<script type=module src=/bundle.js></script>")
        await self.open()
        await self.browse(lambda page: page.add_init_script(_NOTE_HEADERS))
        await self.browse(lambda page: (page.goto(url), page.wait_for_function("window.ready")))

    async def script(self, body: str) -> Any:
        """The result of ``async ([base, token]) => {body}`` in the page."""
        code = f"async ([base, token]) => {{{body}}}"
        result = await self.browse(lambda page: page.evaluate(code, [self.base, self.token]))
        sent = await self.browse(lambda page: page.evaluate("Object.fromEntries(sentHeaders)"))
        await self._any_browser_may_send(sent)
        return result

    async def _any_browser_may_send(self, sent: dict[str, str]) -> None:
        """A preflight allows every header that the client sets.

        Chromium leaves out a User-Agent that a page sets; Firefox and Safari ask for it.
        """
        own = {name: value for name, value in sent.items() if not is_forbidden(name)}
        asked = ",".join(unsafe_names(own))
        headers = {
            "Origin": self.pages.origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        }
        answer = await self.running.ask("OPTIONS", "/api/v1/x", headers)
        allowed = (answer.header("Access-Control-Allow-Headers") or "").lower().split(", ")
        self.assertEqual({*filter(None, asked.split(","))} - {*allowed}, self.refused)


# Notes the headers that a client gives to fetch, before the browser takes some of them out.
_NOTE_HEADERS = """
window.sentHeaders = new Map();
const itsOwn = window.fetch;
window.fetch = (input, init) => {
  const headers = new Headers(init?.headers ?? input.headers);
  for (const [name, value] of headers) window.sentHeaders.set(name, value);
  return itsOwn(input, init);
};
"""


@lru_cache(maxsize=64)
def bundled(module: str) -> str:
    """*module* and what it imports from npm, in one file; it sets ``window.ready`` at its end."""
    need_packages("esbuild")
    done = subprocess.run(
        [
            str(PACKAGES / ".bin" / "esbuild"),
            *("--bundle", "--format=esm", "--platform=browser", "--log-level=error"),
            '--define:process.env.NODE_ENV="production"',
        ],
        input=f"{module}\nwindow.ready = true;\n",
        cwd=PACKAGES.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


def need_python(package: str) -> None:
    """Skip unless *package* of PyPI is installed."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        lacks(f"{package} is missing: pip install -r tests/clients/requirements.txt")


__all__ = [
    "KEY",
    "TOKEN",
    "Call",
    "Client",
    "NodeClientTestCase",
    "PageClientTestCase",
    "PythonClientTestCase",
    "Reply",
    "reactor",
]
