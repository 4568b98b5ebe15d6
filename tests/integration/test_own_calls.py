"""``server.http``: a plugin's own calls go out under the server's rules (docs/testing.md)."""

import gzip
import re
import zlib
from pathlib import Path

from naap_twisted.errors import BadGateway, ConfigError, PortNotAllowed, UpstreamCut
from naap_twisted.testing import RunningServer, ScriptedUpstream

from .canary import AUTHORIZATION
from .support import IntegrationTestCase, response

_DOCUMENT = Path(__file__).parents[2] / "docs" / "testing.md"
_EXAMPLE = re.compile(r"<!-- http-example -->\n```python\n(.*?)```", re.DOTALL)
PAGE = response(200, b"<title>Hello</title>", "Content-Type: text/html")
AWAY = response(302, b"", "Location: http://169.254.169.254/latest/meta-data/", "Set-Cookie: a=b")


class OwnCallsTests(IntegrationTestCase):
    def example(self, **options):
        """The document's plugin, running; *options* are further ones of its server."""
        source = _EXAMPLE.search(_DOCUMENT.read_text("utf-8"))[1]
        changed = source.replace("port=4020", "port=0, rate_limit=None, **options")
        names = {"options": options}
        exec(compile(changed, str(_DOCUMENT), "exec"), names)  # noqa: S102
        return RunningServer(self, names["server"])

    async def title_of(self, running, url):
        client = await running.client()
        client.request("GET", f"/api/v1/title?url={url}")
        return await client.answer()

    async def test_listed(self):
        """A listed network can be asked."""
        upstream = ScriptedUpstream(self, PAGE)
        running = self.example(allow_networks=["127.0.0.1/32"])
        answer = await self.title_of(running, upstream.origin + "/")
        self.assertEqual((answer.status, answer.body), (200, b"Hello"))

    async def test_not_public(self):
        """A user's URL does not reach the machine's own services."""
        upstream = self.stranger(PAGE)
        running = self.example()
        answer = await self.title_of(running, upstream.origin + "/")
        self.assertEqual(answer.json()["error"]["code"], "ADDRESS_NOT_ALLOWED")
        self.assertEqual(upstream.connections, 0)

    async def test_redirect(self):
        """A redirect leads nowhere by itself, and no cookie is kept."""
        upstream = ScriptedUpstream(self, AWAY)
        running = self.example(allow_networks=["127.0.0.1/32"])
        for _ in range(2):
            answer = await self.title_of(running, upstream.origin + "/")
            self.assertEqual((answer.status, answer.body), (200, b""))
        for received in upstream.requests:
            self.assertEqual(received.values("Cookie"), [])

    async def test_key(self):
        """A client with a key adds it, and hands back no answer that repeats it."""
        echo = b'{"you sent": "%s"}' % AUTHORIZATION.encode()
        upstream = ScriptedUpstream(self, response(401, echo, f"X-Echo: {AUTHORIZATION}"))
        server = self.serve().server
        client = server.client(
            allowed_hosts=["127.0.0.1"],
            allowed_schemes=["http"],
            allowed_ports=[upstream.port],
            forward_headers={"Authorization": AUTHORIZATION},
        )
        answer = await client.get(upstream.origin + "/a", headers={"authorization": "Bearer mine"})
        self.assertEqual(await answer.content(), b'{"you sent": "[redacted]"}')
        self.assertEqual(answer.headers.getRawHeaders("X-Echo"), ["[redacted]"])
        (seen,) = upstream.requests
        self.assertEqual(seen.values("Authorization"), [AUTHORIZATION.encode()])
        self.assertEqual(seen.values("Accept-Encoding"), [b"identity"])
        stranger = self.stranger(PAGE)
        with self.assertRaises(PortNotAllowed):
            await client.get(stranger.origin + "/")
        self.assertEqual(stranger.connections, 0)

    async def test_key_in_a_coding(self):
        """An upstream that encodes unasked hides no key; what can't be read is an error."""
        echo = b'{"you sent": "%s"}' % AUTHORIZATION.encode()
        packed = gzip.compress(echo)
        for coding, body, error in (
            ("gzip", packed, None),
            ("GZIP, identity", packed, None),
            ("deflate", zlib.compress(echo), None),
            ("gzip", packed[:-9], UpstreamCut),
            ("gzip", echo, UpstreamCut),
            ("br", echo, BadGateway),
            ("gzip, gzip", gzip.compress(packed), BadGateway),
        ):
            sent = response(401, body, f"Content-Encoding: {coding}")
            upstream = ScriptedUpstream(self, sent)
            client = self.serve().server.client(
                allowed_hosts=["127.0.0.1"],
                allowed_schemes=["http"],
                allowed_ports=[upstream.port],
                forward_headers={"Authorization": AUTHORIZATION},
            )
            try:
                answer = await client.get(upstream.origin + "/a")
                content = await answer.content()
            except Exception as raised:
                self.assertIsInstance(raised, error or (), (coding, raised))
            else:
                self.assertIsNone(error, coding)
                self.assertEqual(content, b'{"you sent": "[redacted]"}')
                self.assertFalse(answer.headers.hasHeader("Content-Encoding"))

    async def test_no_client(self):
        """What no route would take, no client does."""
        server = self.serve().server
        for options, line in (
            ({"allowed_hosts": ["co.uk"], "forward_headers": {}}, "allowed_hosts[0]: "),
            (
                {"allowed_hosts": ["a.example.org"], "forward_headers": {"Host": "key-value"}},
                "forward_headers",
            ),
        ):
            error = self.assertRaises(ConfigError, server.client, **options)
            self.assertIn(line, error.problems[0])
