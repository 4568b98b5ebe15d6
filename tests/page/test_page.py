"""The page: its files, their headers, and what they may never hold."""

import re
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from naap_twisted.page.page import CONTENT_SECURITY_POLICY, page_children

from ..demo.loopback import call, serve

TARGET = 'http://127.0.0.1:9/v1/chat/completions?a=1&b="<x>'


class Served(TestCase):
    def setUp(self):
        root = Resource()
        for name, child in page_children("/api/v1/proxy", TARGET).items():
            root.putChild(name, child)
        self.base = serve(self, Site(root))

    async def test_files(self):
        """Each file has its type, the policy, nosniff and is asked for again next time."""
        for path, content_type in [
            ("/", "text/html; charset=utf-8"),
            ("/demo/app.js", "text/javascript; charset=utf-8"),
            ("/demo/style.css", "text/css; charset=utf-8"),
            ("/demo/icon.svg", "image/svg+xml"),
        ]:
            response = await call("GET", self.base + path)
            self.assertEqual(response.code, 200, path)
            self.assertTrue(await response.content())
            for name, value in [
                ("content-type", content_type),
                ("content-security-policy", CONTENT_SECURITY_POLICY.decode()),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-cache"),
            ]:
                self.assertEqual(response.headers.getRawHeaders(name), [value], path)

    async def test_values_are_escaped(self):
        """The URLs stand in attributes: a quote or a bracket in them stays text."""
        page = await (await call("GET", self.base + "/")).text()
        self.assertIn('data-proxy="/api/v1/proxy"', page)
        self.assertIn(
            'data-target="http://127.0.0.1:9/v1/chat/completions?a=1&amp;b=&quot;&lt;x&gt;"', page
        )

    async def test_nothing_else(self):
        """Other names and methods are refused."""
        for method, path, status in [
            ("GET", "/demo/none.js", 404),
            ("GET", "/demo/../page.py", 404),
            ("POST", "/", 405),
        ]:
            response = await call(method, self.base + path)
            await response.content()
            self.assertEqual(response.code, status, path)


class Policy(SynchronousTestCase):
    def test_policy(self):
        """Nothing by default, own files only, nothing inline."""
        policy = CONTENT_SECURITY_POLICY.decode()
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
        static = files("naap_twisted.page").joinpath("static")
        page = static.joinpath("index.html").read_text()
        self.assertEqual(re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page), [])
        self.assertEqual(re.findall(r"<script(?! src=)", page), [])
        for name in ("index.html", "app.js", "style.css"):
            text = static.joinpath(name).read_text()
            self.assertEqual(re.findall(r"(?:https?:)?//[a-z0-9]+\.", text), [], name)
            self.assertNotIn("innerHTML", text)
