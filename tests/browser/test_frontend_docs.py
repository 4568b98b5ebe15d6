"""docs/frontend.md: what it tells to type is run here, in a browser where it is a page."""

import json
import re
import textwrap
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config import parse_config
from naap_twisted.demo import DemoService

from ..demo.loopback import Tally
from .frontend import FRONTEND, POLICY
from .mistakes import DOCUMENT
from .support import PACKAGES, BrowserTestCase, PageServer, need_packages, until

ROOT = FRONTEND.parent.parent
TEXT = DOCUMENT.read_text("utf-8")
IMPORTS = json.dumps({"imports": {"openai": "/npm/openai/index.mjs"}})


def block(marker):
    """The fenced block after ``<!-- marker -->``."""
    return re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```", TEXT, re.DOTALL)[1]


class BlockTests(SynchronousTestCase):
    def test_config(self):
        """The config is one."""
        config = parse_config(
            block("config-example"), directory=ROOT, environ={"OPENAI_API_KEY": "sk-canary"}
        )
        self.assertEqual(config.proxy[0].target.written, "https://api.openai.com/v1")

    def test_client(self):
        """The TypeScript lines are those of a unit test of examples/frontend."""
        unit = (FRONTEND / "src" / "client" / "usage.test.ts").read_text("utf-8")
        self.assertIn(textwrap.indent(block("client-example"), "  "), unit)

    def test_commands(self):
        """The demo is started as in README.md; npm's scripts are there; files are named right."""
        readme = (ROOT / "README.md").read_text("utf-8")
        demo = re.search(r"<!-- demo-command -->\n```sh\n(.*?)```", readme, re.DOTALL)[1]
        self.assertIn(demo, TEXT)
        scripts = json.loads((FRONTEND / "package.json").read_text("utf-8"))["scripts"]
        for text in (TEXT, (FRONTEND / "README.md").read_text("utf-8")):
            named = re.findall(r"npm run (\w+)", text)
            self.assertTrue(named)
            self.assertEqual(set(named) - set(scripts), set())

    def test_policy(self):
        """The policy is the one that the built app is tested under."""
        self.assertEqual(
            block("policy"), f"Content-Security-Policy: {POLICY.replace(':*', ':4020')}\n"
        )

    def test_assistant(self):
        """config.ai-assistant.js fits examples/ai_assistant: its route, and a host it allows."""
        config = (FRONTEND / "public" / "config.ai-assistant.js").read_text("utf-8")
        plugin = (ROOT / "examples" / "ai_assistant" / "plugin.py").read_text("utf-8")
        (path,) = re.findall(r'apiPath: "/api/v1(.+)"', config)
        (target,) = re.findall(r'targetUrl: "(.+)"', config)
        (port,) = re.findall(r'"http://127.0.0.1:(\d+)"', config)
        self.assertIn(f'"{path}"', plugin)
        self.assertIn(f'allowed_hosts=["{urlsplit(target).hostname}"]', plugin)
        self.assertIn(f"port={port},", plugin)

    def test_names(self):
        """The calls of its table are the client's."""
        sources = "".join(path.read_text("utf-8") for path in FRONTEND.glob("src/*/*.ts"))
        exported = set(re.findall(r"^export (?:async )?(?:function\*?|class) (\w+)", sources, re.M))
        rows = TEXT.partition("| call |")[2].partition("\n\n")[0].splitlines()[2:]
        first = " ".join(row.split(" | ")[0] for row in rows)
        named = set(re.findall(r"`(?:new )?(\w+)[(`]", first))
        self.assertGreater(len(named), 6)
        self.assertEqual(named - exported, set())


class PageTests(BrowserTestCase):
    async def begin(self, name, page):
        """*page*, before the demo."""
        self.demo = DemoService(0, reactor, None, media=False)
        self.openai = Tally(self.demo.openai)
        self.demo.startService()
        self.addCleanup(self.demo.stopService)
        pages = PageServer(self)
        pages.folder("npm", PACKAGES)
        self.assertIn("http://127.0.0.1:4020", page)
        page = page.replace("http://127.0.0.1:4020", self.demo.server.addresses()[0])
        await self.open()
        url = pages.text(name, page)
        await self.browse(lambda page: page.goto(url))

    async def answer(self, text):
        """Wait for *text* in the page's paragraph."""
        await self.browse(lambda page: page.locator("p").filter(has_text=text).wait_for())

    async def test_chat(self):
        """The one file is a chat."""
        await self.begin("chat.html", block("chat-example"))
        await self.ask("Who are you?")
        await self.answer("You asked: Who are you?")
        await self.answer("your browser never saw it.")
        await until(lambda: self.openai.completed)
        shown = await self.browse(lambda page: page.inner_text("p"))
        self.assertNotIn("(", shown)

    async def ask(self, question):
        def scenario(page):
            page.get_by_label("Your question").fill(question)
            page.keyboard.press("Enter")

        await self.browse(scenario)

    async def test_chat_cut(self):
        """It says when half an answer is all there is."""
        self.expect_console("net::ERR_")
        await self.begin("chat.html", block("chat-example").replace("demo-chat", "demo-cut"))
        await self.ask("Hello")
        await self.answer("(network error)")

    async def test_chat_refused(self):
        """It says why it was refused."""
        self.expect_console("status of 429")
        await self.begin("chat.html", block("chat-example").replace("demo-chat", "demo-429"))
        await self.ask("Hello")
        await self.answer("(Rate limit reached for the demo model.)")

    async def test_openai(self):
        """The official client's lines run as they stand."""
        need_packages("openai")
        script = f'<script type="module">{block("openai-example")}</script>'
        head = f'<link rel="icon" href="data:,"><script type="importmap">{IMPORTS}</script>'
        await self.begin("page", f"<!doctype html>{head}<p></p>{script}")
        await self.answer("your browser never saw it.")
