"""The console's API over real sockets: on the admin port, and on a port of the proxy's own."""

from __future__ import annotations

import json

from twisted.logger import globalLogPublisher

from naap_twisted.admin.console import MOST_BODY, Console
from naap_twisted.testing import RunningServer

from .support import JSON, PAGE, PATH, SECRET, AdminTestCase, make

QUESTION = {"route": PATH, "url": "https://evil.example/?token=secret-of-a-url"}


class ApiTests(AdminTestCase):
    def code(self, answer):
        return answer.status, answer.json()["error"]["code"]

    async def test_setup(self):
        """The service, its own origins and each route; never cached, never for another origin."""
        running = self.start()
        answer = await self.ask("/console/setup")
        self.assertEqual(answer.json()["origins"], [running.url])
        self.assertEqual([each["path"] for each in answer.json()["routes"]], [PATH, "/api/v1/p"])
        self.assertEqual(answer.header("cache-control"), "no-store")
        self.assertEqual(answer.header("cross-origin-resource-policy"), "same-origin")

    async def test_explain(self):
        """A question and its answer."""
        self.start()
        answer = await self.explain(QUESTION)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["code"], "HOST_NOT_ALLOWED")

    async def test_cross_origin(self):
        """No page but the port's own asks anything, whatever cors_origins lets in elsewhere."""
        self.start()
        for origin in (PAGE, self.running.url, "http://evil.example", "null"):
            for answer in (
                await self.explain(QUESTION, {"Origin": origin}),
                await self.ask("/console/setup", {"Origin": origin}),
            ):
                self.assertEqual(self.code(answer), (403, "ORIGIN_NOT_ALLOWED"))
                self.assertIsNone(answer.header("access-control-allow-origin"))
        own = f"http://127.0.0.1:{self.port}"
        headers = {"Host": f"127.0.0.1:{self.port}", "Origin": own, "Sec-Fetch-Site": "same-origin"}
        self.assertEqual((await self.explain(QUESTION, headers)).status, 200)
        site = {"Sec-Fetch-Site": "cross-site"}
        self.assertEqual((await self.ask("/console/setup", site)).status, 403)

    async def test_body(self):
        """JSON, within the bound, with known fields of known types."""
        self.start()
        for headers, body, refusal in (
            ({"Content-Type": "text/plain"}, b"{}", (415, "UNSUPPORTED_MEDIA_TYPE")),
            ({}, b"{}", (415, "UNSUPPORTED_MEDIA_TYPE")),
            (JSON, b"", (400, "BODY_REQUIRED")),
            (JSON, b"{", (400, "INVALID_JSON")),
            (JSON, b"[" * 20_000, (400, "INVALID_JSON")),
            (JSON, b"[]", (400, "BAD_REQUEST")),
            (JSON, b"{}", (400, "BAD_REQUEST")),
            (JSON, b'{"route": 1%s}' % (b"0" * 9_000), (400, "BAD_REQUEST")),
            (JSON, b'{"route": 1.5}', (400, "BAD_REQUEST")),
            (JSON, b'{"route": "/x", "more": ""}', (400, "BAD_REQUEST")),
            (JSON, b'{"route": "/nowhere"}', (404, "NOT_FOUND")),
            (JSON, b" " * (MOST_BODY + 1), (413, "BODY_TOO_LARGE")),
        ):
            answer = await self.ask("/console/explain", headers, body, "POST")
            self.assertEqual(self.code(answer), refusal, body[:40])

    async def test_chunked_body(self):
        """Without a declared length the bound holds, too."""
        self.start()
        head = {**JSON, "Transfer-Encoding": "chunked"}
        piece = b"%x\r\n%s\r\n" % (MOST_BODY, b" " * MOST_BODY)
        answer = await self.ask("/console/explain", head, piece + piece + b"0\r\n\r\n", "POST")
        self.assertEqual(answer.status, 413)

    async def test_methods_and_paths(self):
        """setup is read, explain is posted, there is nothing else."""
        self.start()
        for method, path, status in (
            ("POST", "/console/setup", 405),
            ("GET", "/console/explain", 405),
            ("OPTIONS", "/console/explain", 405),
            ("HEAD", "/console/setup", 200),
            ("GET", "/console", 404),
            ("GET", "/console/", 404),
            ("GET", "/console/setup/x", 404),
        ):
            body = b"{}" if method == "POST" else None
            answer = await self.ask(path, JSON if body else {}, body, method)
            self.assertEqual(answer.status, status, path)

    async def test_no_secret(self):
        """Keys of the server and what a question holds: in no answer and in no log line."""
        said = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        self.start(jwt_secret="jwt-secret-of-the-admin-tests-0123456789", require_auth=True)
        question = {**QUESTION, "origin": PAGE, "headers": {"Authorization": "Bearer of-a-user"}}
        answers = [await self.explain(question)]
        # Its own answers look for the server's key.
        answers += [await self.ask(path) for path in ("/", "/readyz", "/metrics", "/console/setup")]
        for answer in answers:
            for secret in (b"jwt-secret", b"of-a-user"):
                self.assertNotIn(secret, answer.body)
        logged = repr(said)
        for secret in (SECRET, "jwt-secret", "of-a-user", "secret-of-a-url"):
            self.assertNotIn(secret, logged)


class OnAnyPort(AdminTestCase):
    """As the demo has it: below the root of the proxy's own port, with its wrappers around."""

    def serve(self, **options):
        server = make(**options)
        server.root_children[b"console"] = Console(server, {PATH: "https://try.example/"})
        return RunningServer(self, server)

    async def test_guarded(self):
        """What CORS grants every page on this port, the console takes back."""
        running = self.serve(cors_origins="*")
        fine = await running.ask("GET", "/console/setup", {"Host": "127.0.0.1"})
        self.assertEqual(fine.json()["routes"][0]["try"], "https://try.example/")
        self.assertIsNone(fine.header("access-control-allow-origin"))
        for headers in (
            {"Origin": "http://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Host": "evil.example"},
            {"Host": "evil.example", "Origin": "http://evil.example"},
        ):
            for method, path in (("GET", "/console/setup"), ("POST", "/console/explain")):
                body = json.dumps(QUESTION).encode() if method == "POST" else None
                answer = await running.ask(method, path, {**JSON, **headers}, body)
                self.assertIn(answer.status, (403, 421), headers)
                self.assertNotIn(b"routes", answer.body)
                self.assertIsNone(answer.header("access-control-allow-origin"))

    async def test_same_origin(self):
        """Its own page is answered."""
        running = self.serve(cors_origins="*")
        headers = {**JSON, "Host": running.url[7:], "Origin": running.url}
        body = json.dumps(QUESTION).encode()
        answer = await running.ask("POST", "/console/explain", headers, body)
        self.assertEqual(answer.json()["code"], "HOST_NOT_ALLOWED")
