"""Usage on the page of ``admin_listen``: a table with bars of what all callers spent."""

import time

from naap_twisted.spend.counts import Counts, UsageKey
from naap_twisted.testing import ScriptedUpstream

from .demo_page import NARROW, WIDE, axe_findings, expect, overflow
from .support import BrowserTestCase, proxy_to

TODAY = time.strftime("%Y-%m-%d", time.gmtime())
MARKUP = "<img src=x onerror=alert(1)>"
USD = 10**9
WIDTHS = "bars => bars.map((bar) => Math.round(bar.getBoundingClientRect().width))"


def spent(usd, requests=1):
    """Counts of some requests, half of whose tokens are estimated."""
    return Counts(
        requests=requests,
        usd_nanos=int(usd * USD),
        input_tokens=1234,
        cached_input_tokens=1000,
        output_tokens=766,
        reasoning_tokens=5,
        estimated_tokens=1000,
    )


class UsagePageTests(BrowserTestCase):
    async def begin(self, usage=None, *, keeps=True, **options):
        """The page at its usage, where *usage* is kept."""
        server = {"require_auth": False, "admin_listen": "tcp:0:interface=127.0.0.1"}
        if keeps:
            server["state_dir"] = self.mktemp()
        upstream = ScriptedUpstream(self, b"")
        running = proxy_to(self, upstream.port, "/x", server)
        self.server = running.server
        if usage:
            await self.server.parts.state.usage._store.add(usage)
        await self.open(**{"viewport": WIDE, **options})
        await self.browse(lambda page: page.goto(f"{self.server.admin_address}/#usage"))

    def rows(self, page):
        """The text of each cell of each row, once there are some."""
        expect()(page.locator("#usage-rows tr").first).to_be_visible()
        return [
            row.locator("th, td").all_inner_texts() for row in page.locator("#usage-rows tr").all()
        ]

    SOME = {
        UsageKey("ada", "/a", TODAY, "gpt-4o"): spent(2, requests=1500),
        UsageKey(MARKUP, "/b", TODAY, "gpt-4o"): spent(0.5),
        UsageKey("", "/a", TODAY, ""): spent(0.000_012),
        UsageKey("ada", "/a", "2020-01-01", "gpt-4o"): spent(100),
    }

    async def test_by_user(self):
        """This month's, those who cost most first; bars in proportion; a name is no markup."""
        await self.begin(self.SOME)

        def scenario(page):
            rows = self.rows(page)
            self.assertEqual([row[0] for row in rows], ["ada", MARKUP, "(not signed in)"])
            self.assertEqual(rows[0][2:], ["1,500", "1,234", "1,000", "766", "5", "50 %"])
            self.assertEqual([row[1].strip() for row in rows], ["2.00", "0.50", "0.000012"])
            total = page.inner_text("#usage-total")
            self.assertIn("2.50 USD", total)
            self.assertIn("1,502 requests", total)
            self.assertEqual(page.locator("#usage-rows img").count(), 0)
            return page.locator(".usage-bar").evaluate_all(WIDTHS)

        first, second, last = await self.browse(scenario)
        self.assertAlmostEqual(first / second, 4, delta=0.3)
        self.assertGreater(last, 0)

    async def test_other_questions(self):
        """By day, from a day on, of long ago as well."""
        await self.begin(self.SOME)

        def scenario(page):
            self.rows(page)
            page.fill("#usage-from", "2019-12-31")
            page.select_option("#usage-by", "day")
            expect()(page.locator("#usage-of")).to_have_text("Day")
            self.assertEqual([row[0] for row in self.rows(page)], [TODAY, "2020-01-01"])
            page.fill("#usage-to", "2020-01-01")
            page.get_by_role("button", name="Show").click()
            expect()(page.locator("#usage-rows tr")).to_have_count(1)
            with page.expect_download() as download:
                page.click("#usage-csv")
            return download.value.path().read_text(), download.value.suggested_filename

        text, name = await self.browse(scenario)
        self.assertEqual(name, "usage.csv")
        head, row = text.splitlines()
        self.assertTrue(head.startswith("day,requests,"), head)
        self.assertTrue(row.startswith("2020-01-01,1,2000,"), row)

    async def test_more(self):
        """A long list comes in pieces."""
        await self.begin({UsageKey(f"u{n}", "/a", TODAY): Counts(requests=n) for n in range(150)})

        def scenario(page):
            self.assertEqual(len(self.rows(page)), 100)
            self.assertEqual(page.inner_text("#usage-measure").upper(), "REQUESTS")
            page.click("#usage-more")
            expect()(page.locator("#usage-rows tr")).to_have_count(150)
            expect()(page.locator("#usage-more")).to_be_hidden()

        await self.browse(scenario)

    async def test_nothing_kept(self):
        """A server that keeps no usage says so."""
        await self.begin(keeps=False)
        self.expect_console("status of 404")

        def scenario(page):
            expect()(page.locator("#usage-trouble")).to_contain_text("state_dir")

        await self.browse(scenario)

    async def test_axe(self):
        """axe-core agrees, in both schemes, on a narrow screen too."""
        for scheme, viewport in (("light", WIDE), ("dark", NARROW)):
            await self.begin(self.SOME, bypass_csp=True, color_scheme=scheme, viewport=viewport)

            def scenario(page):
                self.rows(page)
                self.assertLessEqual(overflow(page), 0)
                return axe_findings(page)

            self.assertEqual(await self.browse(scenario), [])
