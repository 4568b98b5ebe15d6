"""Stock clients with their defaults, which retry by themselves: nobody pays for a call twice."""

import shutil
from pathlib import Path

import openai
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from naap_twisted.testing import ABORT, PAUSE
from tests.adversarial.process import Child

from .support import PINNED, IntegrationTestCase, response, until

QUESTION = [{"role": "user", "content": "Say hello"}]
PACKAGE = Path(__file__).parent.parent / "browser" / "node_modules" / "openai" / "index.mjs"
_ASK = """
const [path, baseURL] = process.argv.slice(1);
const { default: OpenAI } = await import(path);
const client = new OpenAI({ baseURL, apiKey: "not-a-key" });
const messages = [{ role: "user", content: "Say hello" }];
try { await client.chat.completions.create({ model: "gpt-4o-mini", messages }); }
catch (error) { console.log("FAILED", error.constructor.name, error.status, error.code); }
"""


class RetryTests(IntegrationTestCase):
    timeout = 60

    def begin(self, *steps, **route):
        """A route that waits a second, on which each exchange is counted."""
        self.start(*steps)
        self.mount("/p", **{"target": self.upstream.origin + "/v1", "timeout": 1.0, **route})
        site, self.exchanges = self.running.server.site(), []
        tell = site.exchange_ended
        self.patch(
            site, "exchange_ended", lambda request: self.exchanges.append(request) or tell(request)
        )

    async def python(self):
        """The Python client's error."""

        def work():
            base = self.running.url + PINNED
            with openai.OpenAI(api_key="not-a-key", base_url=base) as client:
                client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)

        with self.assertRaises(openai.InternalServerError) as caught:
            await deferToThread(work)
        return f"{caught.exception.status_code} {caught.exception.code}"

    async def javascript(self):
        """The JavaScript client's error, in Node."""
        node = shutil.which("node")
        if node is None or not PACKAGE.exists():
            raise SkipTest("node, or the npm package openai, is missing")
        arguments = [PACKAGE.as_uri(), self.running.url + PINNED]
        command = [node, "--input-type=module", "-e", _ASK, "--", *arguments]
        child = Child(self, command, path=str(Path.cwd()))
        await child.until(lambda: child.ended)
        self.assertIn(b"FAILED InternalServerError ", child.output)
        return child.output.decode().partition("InternalServerError ")[2].strip()

    async def once(self, ask):
        """A slow call, and one whose upstream dies over it, are made once."""
        for steps, error in (
            ((PAUSE,), "504 UPSTREAM_TIMEOUT"),
            ((ABORT,), "502 BAD_GATEWAY"),
            ((b"nonsense\r\n\r\n",), "502 BAD_GATEWAY"),
        ):
            self.begin(*steps)
            self.assertEqual(await ask(), error)
            self.assertEqual(len(self.upstream.requests), 1)

    async def test_python(self):
        await self.once(self.python)

    async def test_javascript(self):
        await self.once(self.javascript)

    async def test_what_was_not_sent_is_tried_again(self):
        """Twice, as these clients do by themselves."""
        self.begin(target="http://api.example.com/v1", upstream=self.way_out({}))
        self.assertEqual(await self.python(), "502 BAD_GATEWAY")
        await until(lambda: len(self.exchanges) == 3)

    async def test_what_the_upstream_refused_is_its_own_word(self):
        """It said when to come back."""
        body = b'{"error": {"message": "busy", "code": "busy"}}'
        kind = "Content-Type: application/json"
        self.begin(response(503, body, kind, "Retry-After: 0", "retry-after-ms: 1"))
        self.assertEqual(await self.python(), "503 busy")
        self.assertEqual(len(self.upstream.requests), 3)
