"""The console on ``admin_listen``: a page of another origin than the proxy, so CORS is real."""

import json
import subprocess

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThread

from naap_twisted.testing import ScriptedUpstream

from .demo_page import NARROW, WIDE, axe_findings, expect, outcome_part, overflow
from .support import BrowserTestCase, proxy_to

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n" + b'{"ok":1}'


async def free_port():
    """A TCP port that nobody has."""
    port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
    number = port.getHost().port
    await port.stopListening()
    return number


class AdminPageTests(BrowserTestCase):
    async def begin(self, listed, **options):
        """A proxy whose admin page's origin is, or is not, in ``cors_origins``."""
        self.upstream = ScriptedUpstream(self, OK)
        admin = await free_port()
        self.admin = f"http://127.0.0.1:{admin}"
        server = {
            "require_auth": False,
            "cors_origins": ["http://localhost:3000", *([self.admin] if listed else [])],
            "admin_listen": f"tcp:{admin}:interface=127.0.0.1",
        }
        port = self.upstream.port
        self.proxy = proxy_to(self, port, "/x", server, target_url_header="X-My-URL")
        await self.open(**options)

        def scenario(page):
            page.goto(self.admin + "/")
            expect()(page.locator("#route option").first).to_be_attached()
            page.fill("#url", f"http://127.0.0.1:{self.upstream.port}/v1")

        await self.browse(scenario)

    async def test_no_demo(self):
        """There is no chat and no camera, and no tab for them; axe-core agrees with the rest."""
        await self.begin(listed=True, bypass_csp=True, viewport=NARROW)

        def scenario(page):
            tabs = page.get_by_role("tab").all_inner_texts()
            self.assertEqual(tabs, ["Console", "Usage"])
            self.assertLessEqual(overflow(page), 0)
            return axe_findings(page)

        self.assertEqual(await self.browse(scenario), [])

    async def test_listed(self):
        """A listed origin: the browser sends the preflight that is shown, then reads the answer."""
        await self.begin(listed=True, viewport=WIDE)

        def scenario(page):
            self.assertEqual(page.input_value("#proxy"), self.proxy.url)
            self.assertEqual(page.input_value("#origin"), self.admin)
            page.click("#submit")
            expect()(page.locator("#verdict strong")).to_have_text("200 OK")
            self.assertEqual(json.loads(page.text_content("pre.body")), {"ok": 1})
            preflight = outcome_part(page, "Preflight: allowed")
            self.assertNotIn("sent no preflight", preflight)
            self.assertRegex(preflight, rf"Origin\s+{self.admin}")
            self.assertRegex(preflight, r"access-control-allow-headers\s.*X-My-URL")
            return page.text_content("#as-curl")

        command = await self.browse(scenario)
        self.assertEqual(len(self.upstream.requests), 1)
        done = await deferToThread(
            subprocess.run, ["sh", "-c", command], capture_output=True, timeout=60
        )
        self.assertIn(f"Access-Control-Allow-Origin: {self.admin}".encode(), done.stdout)
        self.assertTrue(done.stdout.endswith(b'{"ok":1}'))

    async def test_not_listed(self):
        """An origin that is not listed reads nothing; the console shows the line to write, once."""
        await self.begin(listed=False, viewport=WIDE)
        self.expect_console("blocked by CORS policy", "Failed to load resource")

        def scenario(page):
            page.click("#submit")
            expect()(page.locator("#verdict strong")).to_have_text("No answer to read")
            expect()(page.locator("#verdict")).to_contain_text("CORS does not let this page")
            refused = outcome_part(page, "Preflight: refused")
            self.assertIn("Access-Control-Allow-Origin", refused)
            line = f'cors_origins = ["http://localhost:3000", "{self.admin}"]'
            self.assertNotIn(line, refused)
            decision = outcome_part(page, "Decision: refused")
            self.assertIn(line, decision)
            self.assertIn("in [server], would allow it", decision)

        await self.browse(scenario)
        self.assertEqual(self.upstream.requests, [])

    async def test_unlisted_headers(self):
        """Headers on no list: each is named, and one line, shown once, is for all of them."""
        await self.begin(listed=True, viewport=WIDE)
        self.expect_console("blocked by CORS policy", "Failed to load resource")

        def scenario(page):
            for name in ("X-One", "X-Two"):
                page.click("#add-header")
                page.locator("#headers input").nth(-2).fill(name)
                page.locator("#headers input").nth(-1).fill("1")
            page.click("#submit")
            expect()(page.locator("#verdict strong")).to_have_text("No answer to read")
            refused = outcome_part(page, "Preflight: refused")
            for name in ("x-one", "x-two"):
                self.assertIn(f"field {name} is not allowed", refused)
            return page.locator("#outcome .hint-line").all_inner_texts()

        self.assertEqual(await self.browse(scenario), ['pass_headers = ["x-one", "x-two"]'])
        self.assertEqual(self.upstream.requests, [])

    async def test_unreachable(self):
        """A proxy that is gone is told apart from one that refuses."""
        await self.begin(listed=True, viewport=WIDE)
        self.expect_console("Failed to load resource", "ERR_FAILED")

        def scenario(page):
            page.route(self.proxy.url + "/**", lambda route: route.abort("connectionrefused"))
            page.click("#submit")
            expect()(page.locator("#verdict")).to_contain_text(f"No answer from {self.proxy.url}")

        await self.browse(scenario)
