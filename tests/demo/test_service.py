"""The whole demo on real sockets: each printed command, as a stock client sends it."""

import re

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThread

from naap_twisted.demo.answers import reply_to
from naap_twisted.demo.guide import ORIGIN
from naap_twisted.demo.openai_upstream import MODELS

from .case import DemoCase, parse_curl
from .loopback import call, until

try:
    import openai
except ImportError:  # pragma: no cover
    openai = None


class Arrivals(Protocol):
    """When each piece of a body came, seconds."""

    def __init__(self):
        self.pieces = []
        self.times = []
        self.ended = Deferred()

    def dataReceived(self, data):
        self.pieces.append(data)
        self.times.append(reactor.seconds())

    def connectionLost(self, reason):
        self.ended.callback(reason.type.__name__)


class Printed(DemoCase):
    async def test_chat(self):
        """A whole answer."""
        response = await self.run_printed(self.guide.chat())
        body = await response.json()
        self.assertEqual(response.code, 200)
        self.assertIn("Hello, who are you?", body["choices"][0]["message"]["content"])

    async def test_streamed(self):
        """The words arrive over time, as the upstream says them."""
        response = await self.run_printed(self.guide.chat(stream=True))
        arrivals = Arrivals()
        response.deliverBody(arrivals)
        self.assertEqual(await arrivals.ended, "ResponseDone")
        self.assertTrue(b"".join(arrivals.pieces).endswith(b"data: [DONE]\n\n"))
        self.assertGreater(len(arrivals.pieces), 20)
        # Fifty words at twenty a second; half of that is far from "all at once".
        self.assertGreater(arrivals.times[-1] - arrivals.times[0], 1.0)

    async def test_whip(self):
        """201, an SDP answer, and the session's absolute upstream URL."""
        response = await self.run_printed(self.guide.whip())
        answer = await response.text()
        self.assertEqual(response.code, 201)
        self.assertEqual(response.headers.getRawHeaders("content-type"), ["application/sdp"])
        self.assertTrue(answer.startswith("v=0\r\n"))
        (resource,) = response.headers.getRawHeaders("x-whip-resource")
        self.assertRegex(resource, r"^http://127\.0\.0\.1:\d+/whip/resource/[\w-]+$")

    async def test_preflight(self):
        """A page of another origin may send X-Target-URL."""
        response = await self.run_printed(self.guide.preflight())
        await response.content()
        self.assertLess(response.code, 300)
        (allowed,) = response.headers.getRawHeaders("access-control-allow-headers")
        self.assertIn("x-target-url", allowed.lower())
        (origin,) = response.headers.getRawHeaders("access-control-allow-origin")
        self.assertIn(origin, ("*", ORIGIN))

    async def test_health(self):
        """The health check says whose it is."""
        body = await (await self.run_printed(self.guide.health())).json()
        self.assertEqual((body["status"], body["service"]), ("ok", "naap-demo"))

    async def test_page(self):
        """The page at / asks this proxy for this upstream, under its own policy."""
        response = await call("GET", self.guide.root + "/", key=None)
        page = await response.text()
        (policy,) = response.headers.getRawHeaders("content-security-policy")
        self.assertIn("script-src 'self'", policy)
        self.assertIn(f'data-target="{self.guide.chat_url}"', page)
        (path,) = re.findall(r'data-proxy="([^"]+)"', page)
        self.assertEqual(self.guide.root + path, parse_curl(self.guide.chat())[1])
        for name in re.findall(r'(?:src|href)="(/[^"]+)"', page):
            file = await call("GET", self.guide.root + name, key=None)
            await file.content()
            self.assertEqual(file.code, 200, name)


class Behaviour(DemoCase):
    async def test_console(self):
        """The console's API stands beside the page, with a URL to try for each route."""
        (root,) = self.demo.server.addresses()
        response = await call("GET", f"{root}/console/setup", key=None)
        document = await response.json()
        self.assertEqual(document["origins"], [root])
        for route in document["routes"]:
            question = {"route": route["path"], "url": route["try"]}
            answer = await call("POST", f"{root}/console/explain", json=question, key=None)
            self.assertTrue((await answer.json())["allowed"], route["path"])
        self.assertEqual(len(document["routes"]), 5)
        foreign = {"Origin": "http://evil.example"}
        response = await call("GET", f"{root}/console/setup", foreign, key=None)
        await response.content()
        self.assertEqual(response.code, 403)

    async def test_upstream_refusals(self):
        """An upstream's error reaches the page in our envelope, with a request id."""
        for model, status in [("demo-429", 429), ("demo-500", 500), ("demo-401", 401)]:
            response = await self.ask(model)
            body = await response.json()
            self.assertEqual(response.code, status)
            self.assertEqual(body["error"]["code"], "UPSTREAM_ERROR")
            self.assertTrue(response.headers.hasHeader("x-request-id"))

    async def test_cut(self):
        """Half an answer never looks whole."""
        response = await self.ask("demo-cut", stream=True)
        arrivals = Arrivals()
        response.deliverBody(arrivals)
        self.assertNotEqual(await arrivals.ended, "ResponseDone")

    async def test_caller_leaves(self):
        """Stop in the page stops the upstream's work."""
        response = await self.ask("demo-chat", stream=True)
        arrivals = Arrivals()
        response.deliverBody(arrivals)
        await until(lambda: arrivals.pieces)
        arrivals.transport.loseConnection()
        await until(lambda: self.openai.aborts)
        self.assertEqual(self.openai.completed, 0)

    async def test_only_the_upstreams(self):
        """No other port of this machine can be reached through the demo."""
        method, url, headers, body = parse_curl(self.guide.chat())
        for target in ("http://127.0.0.1:1/", self.guide.whip_url, "http://localhost/"):
            response = await call(
                method, url, headers={**headers, "X-Target-URL": target}, data=body, key=None
            )
            await response.content()
            self.assertEqual(response.code, 400, target)
        self.assertEqual((self.openai.calls, self.whip.calls), (0, 0))

    async def test_starts_again(self):
        """Stopped and started, it has new ports and works."""
        before = self.guide.chat_url
        await self.demo.stopService()
        self.assertIsNone(self.demo.server)
        self.demo.startService()
        self.guide = self.demo.guide
        self.assertNotEqual(self.guide.chat_url, before)
        response = await self.run_printed(self.guide.chat())
        await response.content()
        self.assertEqual(response.code, 200)


class OfficialClient(DemoCase):
    """The official client against the pinned route, with a key of its own that means nothing."""

    if openai is None:  # pragma: no cover
        skip = "the openai package is not installed"

    def ask_client(self, work):
        def run():
            url = f"{self.guide.api}/openai"
            with openai.OpenAI(
                base_url=url, api_key="not-needed", max_retries=0, timeout=20
            ) as client:
                return work(client)

        return deferToThread(run)

    async def test_chat(self):
        """Plain and streamed."""
        question = {
            "model": "demo-chat",
            "messages": [{"role": "user", "content": "Why?"}],
        }
        answer = await self.ask_client(lambda c: c.chat.completions.create(**question))
        self.assertEqual(answer.choices[0].message.content, reply_to("Why?"))
        chunks = await self.ask_client(
            lambda c: list(c.chat.completions.create(**question, stream=True))
        )
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        self.assertEqual(said, reply_to("Why?"))

    async def test_models(self):
        """GET passes on the pinned route."""
        listed = await self.ask_client(lambda client: [model.id for model in client.models.list()])
        self.assertEqual(listed, list(MODELS))

    async def test_errors(self):
        """The upstream's 401 and 429 are the client's own exceptions."""
        for model, expected in [
            ("demo-401", "AuthenticationError"),
            ("demo-429", "RateLimitError"),
        ]:
            with self.assertRaises(getattr(openai, expected)):
                await self.ask_client(
                    lambda c, m=model: c.chat.completions.create(
                        model=m, messages=[{"role": "user", "content": "Why?"}]
                    )
                )
