"""The official ``openai`` client, unmodified, against a pinned route to the demo's upstream."""

import openai
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from naap_twisted.auth.static import StaticTokens
from naap_twisted.demo.openai_upstream import OpenAIUpstream
from naap_twisted.model import User
from naap_twisted.secret import Secret

from ..demo.loopback import Tally
from .canary import AUTHORIZATION
from .support import IntegrationTestCase, until

TOKEN = "tok-ada-1234"
QUESTION = [{"role": "user", "content": "Say hello"}]


class OpenAIClientTests(IntegrationTestCase):
    timeout = 30

    def setUp(self):
        super().setUp()
        self.api = OpenAIUpstream(Secret(AUTHORIZATION), reactor, words_per_second=200.0)
        self.tally = Tally(self.api)
        port = reactor.listenTCP(0, self.api.site(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        tokens = StaticTokens({TOKEN: User("ada")})
        self.running = self.serve(require_auth=True, authenticator=tokens)
        target = f"http://127.0.0.1:{port.getHost().port}/v1"
        self.mount("/openai", target=target, methods=("GET", "POST"))

    async def ask(self, use, token=TOKEN):
        """What *use* makes of a client, in a thread: the official client blocks."""

        def work():
            base = self.running.url + "/api/v1/openai"
            with openai.OpenAI(api_key=token, base_url=base, max_retries=0, timeout=10) as client:
                return use(client)

        return await deferToThread(work)

    def chat(self, model="demo-chat", **options):
        return lambda client: client.chat.completions.create(
            model=model, messages=QUESTION, **options
        )

    async def fails(self, error, use, **options):
        """The client raises *error*, which is returned."""
        with self.assertRaises(error) as caught:
            await self.ask(use, **options)
        return caught.exception

    async def test_chat(self):
        completion = await self.ask(self.chat())
        self.assertEqual(completion.model, "demo-chat")
        self.assertTrue(completion.choices[0].message.content)
        self.assertEqual(self.tally.completed, 1)

    async def test_stream(self):
        """The pieces together say what the whole answer says."""

        def use(client):
            stream = self.chat(stream=True)(client)
            return [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]

        pieces = await self.ask(use)
        whole = await self.ask(self.chat())
        self.assertGreater(len(pieces), 3)
        self.assertEqual("".join(pieces), whole.choices[0].message.content)

    async def test_a_cut_stream_never_looks_finished(self):
        def use(client):
            return list(self.chat("demo-cut", stream=True)(client))

        await self.fails(openai.APIConnectionError, use)
        self.assertEqual(self.tally.completed, 0)

    async def test_leaving_a_stream_stops_the_upstream(self):
        def use(client):
            stream = self.chat(stream=True)(client)
            next(iter(stream))
            stream.close()

        await self.ask(use)
        await until(lambda: self.tally.aborts == 1, 1.0)
        self.assertEqual(self.tally.completed, 0)

    async def test_models(self):
        page = await self.ask(lambda client: client.models.list())
        self.assertIn("demo-chat", [model.id for model in page.data])

    async def test_rate_limit_error(self):
        error = await self.fails(openai.RateLimitError, self.chat("demo-429"))
        self.assertEqual((error.status_code, error.code), (429, "rate_limit_exceeded"))
        self.assertEqual(error.response.headers["retry-after"], "1")
        self.assertEqual(error.response.headers["retry-after-ms"], "1000")
        self.assertEqual(error.response.headers["x-ratelimit-remaining-requests"], "0")
        self.assertTrue(error.response.headers["x-upstream-request-id"].startswith("req_"))

    async def test_retries_as_the_upstream_says(self):
        """The client's own retry works through the proxy: it reads ``retry-after-ms``."""

        def use(client):
            return self.chat("demo-429")(client.with_options(max_retries=1))

        await self.fails(openai.RateLimitError, use)
        self.assertEqual(self.tally.calls, 2)

    async def test_authentication_error_of_the_upstream(self):
        error = await self.fails(openai.AuthenticationError, self.chat("demo-401"))
        self.assertEqual((error.status_code, error.code), (401, "invalid_api_key"))

    async def test_authentication_error_of_ours(self):
        error = await self.fails(openai.AuthenticationError, self.chat(), token="nobody")
        self.assertEqual((error.status_code, error.code), (401, "INVALID_TOKEN"))
        self.assertEqual(self.tally.calls, 0)

    async def test_server_error(self):
        error = await self.fails(openai.InternalServerError, self.chat("demo-500"))
        self.assertEqual(error.status_code, 500)
