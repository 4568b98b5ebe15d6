"""``server.http``: a plugin's own calls go out under the server's rules (docs/testing.md)."""

import re
from pathlib import Path

from naap_twisted.testing import RunningServer, ScriptedUpstream

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
