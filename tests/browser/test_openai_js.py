"""The official ``openai`` JavaScript client, unmodified and unbundled, in another origin's page."""

from twisted.internet import reactor

from naap_twisted.demo import DemoService

from ..demo.loopback import Tally
from .support import PACKAGES, BrowserTestCase, PageServer, need_packages, until

# A page imports the package's own ES modules; it has no bare imports to bundle.
PAGE = """<!doctype html><title>page</title><link rel=icon href=data:,>
<script type=module>
import OpenAI from "/npm/openai/index.mjs";
window.OpenAI = OpenAI;
window.client = (baseURL) =>
  new OpenAI({ baseURL, apiKey: "not-a-key", dangerouslyAllowBrowser: true, maxRetries: 0 });
</script>"""
ASK = """async ([baseURL, model]) => {
  const messages = [{role: "user", content: "Hello?"}];
  const answer = await client(baseURL).chat.completions.create({model, messages});
  return answer.choices[0].message.content;
}"""
STREAM = """async ([baseURL, model]) => {
  const messages = [{role: "user", content: "Hello?"}];
  const stream = await client(baseURL).chat.completions.create({model, messages, stream: true});
  const pieces = [];
  for await (const chunk of stream) pieces.push(chunk.choices[0]?.delta?.content ?? "");
  return pieces;
}"""
LEAVE = """async ([baseURL, model]) => {
  const messages = [{role: "user", content: "Hello?"}];
  const stream = await client(baseURL).chat.completions.create({model, messages, stream: true});
  for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) break;
}"""
FAIL = """async ([baseURL, model]) => {
  const messages = [{role: "user", content: "Hello?"}];
  try {
    await client(baseURL).chat.completions.create({model, messages});
  } catch (error) {
    const typed = Object.keys(OpenAI).filter((name) => OpenAI[name] === error.constructor);
    return {
      typed: typed[0], status: error.status, code: error.code, requestID: error.requestID,
      message: error.message, retryAfter: error.headers?.get("retry-after"),
    };
  }
}"""


class OpenAITests(BrowserTestCase):
    async def begin(self):
        need_packages("openai")
        self.demo = DemoService(0, reactor, None, media=False)
        self.openai = Tally(self.demo.openai)
        self.demo.startService()
        self.addCleanup(self.demo.stopService)
        self.base = self.demo.server.addresses()[0] + "/api/v1/openai"
        pages = PageServer(self)
        pages.folder("npm", PACKAGES)
        await self.open()
        url = pages.text("page", PAGE)
        await self.browse(lambda page: (page.goto(url), page.wait_for_function("window.client")))

    async def run_script(self, script, model="demo-chat"):
        return await self.browse(lambda page: page.evaluate(script, [self.base, model]))

    async def test_answer(self):
        """A whole answer; the client's own key goes nowhere, the proxy's does."""
        await self.begin()
        self.assertIn("You asked: Hello?", await self.run_script(ASK))
        self.assertEqual(self.openai.completed, 1)

    async def test_stream(self):
        """A streamed answer, word by word."""
        await self.begin()
        pieces = await self.run_script(STREAM)
        self.assertGreater(len(pieces), 10)
        self.assertTrue("".join(pieces).startswith("You asked: Hello?"))

    async def test_leave(self):
        """Leaving the loop ends the upstream call."""
        await self.begin()
        await self.run_script(LEAVE)
        await until(lambda: self.openai.aborts)
        self.assertEqual(self.openai.completed, 0)

    async def test_errors(self):
        """The client raises its own classes, with the API's words, code and waiting time."""
        await self.begin()
        for model, typed, status, code in (
            ("demo-429", "RateLimitError", 429, "rate_limit_exceeded"),
            ("demo-401", "AuthenticationError", 401, "invalid_api_key"),
            ("demo-500", "InternalServerError", 500, None),
        ):
            self.expect_console(f"status of {status}")
            error = await self.run_script(FAIL, model)
            self.assertEqual((error["typed"], error["status"]), (typed, status))
            self.assertEqual(error["code"], code)
            self.assertTrue(error["requestID"], "names the call in the proxy's log")
            self.assertEqual(error["retryAfter"], "1" if status == 429 else None)

    async def test_refused_here(self):
        """An error of the proxy's own is typed as well."""
        await self.begin()
        self.expect_console("status of 413")
        error = await self.run_script(FAIL, "m" * 1_100_000)
        self.assertEqual((error["typed"], error["code"]), ("APIError", "BODY_TOO_LARGE"))
        self.assertEqual(self.openai.calls, 0)
