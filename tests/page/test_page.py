"""The page: its files, their headers, and what they may never hold."""

import re
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from naap_twisted.page.page import _POLICY, console_children, demo_children
from naap_twisted.testing import RawClient

from ..demo.loopback import call, serve

TARGET = 'http://127.0.0.1:9/v1/chat/completions?a=1&b="<x>'

# Hosts that the page's texts name; none is ever called.
NAMED = {"127.0.0.1", "api.example.com", "www.w3.org"}


class Served(TestCase):
    def setUp(self):
        self.root = root = Resource()
        for name, child in demo_children("/api/v1/proxy", TARGET, "/api/v1", "/api/v1/g").items():
            root.putChild(name, child)
        self.base = serve(self, Site(root))

    async def test_files(self):
        """Each file has its type, the policy, nosniff and is asked for again next time."""
        for path, content_type in [
            ("/", "text/html; charset=utf-8"),
            ("/page/main.js", "text/javascript; charset=utf-8"),
            ("/page/style.css", "text/css; charset=utf-8"),
            ("/page/icon.svg", "image/svg+xml"),
        ]:
            response = await call("GET", self.base + path)
            self.assertEqual(response.code, 200, path)
            self.assertTrue(await response.content())
            for name, value in [
                ("content-type", content_type),
                ("content-security-policy", _POLICY.format("'self'")),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-cache"),
            ]:
                self.assertEqual(response.headers.getRawHeaders(name), [value], path)

    async def test_head(self):
        """HEAD has GET's headers, the length included, and no body."""
        client = await RawClient.connect(self, int(self.base.rpartition(":")[2]))
        answers = []
        for method in ("GET", "HEAD"):
            client.request(method, "/page/main.js")
            answers.append(await client.answer(method))
        get, head = answers
        self.assertTrue(get.body)
        self.assertEqual(head.body, b"")
        for name in ("content-length", "content-type", "content-security-policy"):
            self.assertEqual(head.header(name), get.header(name), name)
        await client.stop()

    async def test_values_are_escaped(self):
        """The URLs stand in attributes: a quote or a bracket in them stays text."""
        page = await (await call("GET", self.base + "/")).text()
        self.assertIn('data-proxy="/api/v1/proxy"', page)
        self.assertIn(
            'data-target="http://127.0.0.1:9/v1/chat/completions?a=1&amp;b=&quot;&lt;x&gt;"', page
        )

    async def test_panels(self):
        """Those of the demo, and of the admin port, with a tab for each."""
        demo = await (await call("GET", self.base + "/")).text()
        self.assertEqual(
            re.findall('data-panel="(.*?)"', demo), ["chat", "guest", "camera", "console"]
        )
        self.assertEqual(demo.count('role="tab"'), 4)
        self.root.putChild(b"admin", console_children(lambda: ["http://127.0.0.1:4020"])[b""])
        admin = await (await call("GET", self.base + "/admin")).text()
        self.assertEqual(re.findall('data-panel="(.*?)"', admin), ["console", "usage"])
        self.assertEqual(admin.count('role="tab"'), 2)

    async def test_origins_of_the_proxy(self):
        """The console on the admin port may call the listeners that are there now, and no other."""
        origins = []
        self.root.putChild(b"admin", console_children(lambda: origins)[b""])
        for now, directive in [
            ([], "connect-src 'self'"),
            (
                ["http://127.0.0.1:1", "https://[::1]:2"],
                "connect-src 'self' http://127.0.0.1:1 https://[::1]:2",
            ),
        ]:
            origins[:] = now
            response = await call("GET", self.base + "/admin")
            await response.content()
            (policy,) = response.headers.getRawHeaders("content-security-policy")
            self.assertIn(directive, policy.split("; "))

    async def test_nothing_else(self):
        """Other names and methods are refused."""
        for method, path, status in [
            ("GET", "/page/none.js", 404),
            ("GET", "/page/chat.html", 404),
            ("GET", "/page/../page.py", 404),
            ("POST", "/", 405),
        ]:
            response = await call(method, self.base + path)
            await response.content()
            self.assertEqual(response.code, status, path)


class Policy(SynchronousTestCase):
    def test_policy(self):
        """Nothing by default, own files only, nothing inline."""
        policy = _POLICY.format("'self'")
        for directive in (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
        ):
            self.assertIn(directive, policy.split("; "))
        self.assertNotIn("unsafe", policy)
        self.assertNotIn("http", policy)

    def test_page_obeys_the_policy(self):
        """No inline script or style, no third host."""
        static = list(files("naap_twisted.page").joinpath("static").iterdir())
        self.assertGreater(len(static), 10)
        for file in static:
            text = re.sub(r"^ *//.*", "", file.read_text(), flags=re.M)
            self.assertEqual(re.findall(r"<style|\sstyle=|\son\w+=[\"']|javascript:", text), [])
            self.assertEqual(re.findall(r"<script(?! src=)", text), [], file.name)
            hosts = re.findall(
                r"(?:https?:)?//(?!www\.w3\.org|api\.example\.com|127\.0\.0\.1)[a-z0-9]+\.", text
            )
            self.assertEqual(hosts, [], file.name)
            self.assertNotIn("innerHTML", text)

    def test_size(self):
        """One noun a file: none is past 300 lines."""
        for file in files("naap_twisted.page").joinpath("static").iterdir():
            self.assertLessEqual(len(file.read_text().splitlines()), 300, file.name)
