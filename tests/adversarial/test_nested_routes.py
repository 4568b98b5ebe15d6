"""A stricter route below a pinned one: no spelling of its path is served by the one above."""

from naap_twisted.testing import ScriptedUpstream
from tests.integration.support import OK, IntegrationTestCase

_SLASHED = ("/o//files/a", "/o/%2ffiles/a", "/o/%2Ffiles//a", "/o///files/a", "/o//files/%ff")
_ENCODED = ("/o/%66iles/a", "/o/files%2fa", "/o/files%2f%2fa", "/o/%66iles//a")


class NestedRoutesTests(IntegrationTestCase):
    def setUp(self):
        super().setUp()
        self.running = self.serve()
        self.upstream = ScriptedUpstream(self, OK)
        self.strict = ScriptedUpstream(self, OK)
        self.mount("/o", target=self.upstream.origin + "/v1", methods=["GET"])
        self.mount("/o/files", target=self.strict.origin + "/v1/files", methods=["GET"])

    async def code(self, path):
        client = await self.running.client()
        client.request("GET", "/api/v1" + path, {})
        return (await client.answer("GET")).status

    async def test_several_slashes_for_one(self):
        """Most upstreams take them so: what they would read below the stricter route is not for
        the one above."""
        for path in _SLASHED + _ENCODED:
            self.assertIn(await self.code(path), (400, 404), path)
        self.assertEqual(self.upstream.requests + self.strict.requests, [])

    async def test_several_slashes_behind_its_path(self):
        """They are the stricter route's to pass on, byte for byte."""
        for path in ("/o/files//a", "/o/files/a//", "/o/files///%ff"):
            self.assertEqual(await self.code(path), 200, path)
            below = path.removeprefix("/o").encode()
            self.assertEqual(self.strict.requests[-1].line, b"GET /v1%s HTTP/1.1" % below)
        self.assertEqual(self.upstream.requests, [])

    async def test_beside_it(self):
        """Whatever else is spelled with several slashes is served as before."""
        for path in ("/o//a", "/o/a//files/b", "/o//filesystem/a", "/o/a%2f%2fb"):
            self.assertEqual(await self.code(path), 200, path)
            below = path.removeprefix("/o").encode()
            self.assertEqual(self.upstream.requests[-1].line, b"GET /v1%s HTTP/1.1" % below)
        self.assertEqual(self.strict.requests, [])
