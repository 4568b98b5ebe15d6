"""The console's request as code: copied, and really run."""

import json
import subprocess

from twisted.internet.threads import deferToThread

from .demo_page import ConsoleCase, expect


class CodeTests(ConsoleCase):
    async def test_curl_runs(self):
        """The copied command does what Send did, whatever is in the body."""
        await self.begin(permissions=["clipboard-read", "clipboard-write"])
        question = """it's a "test" $(id) `id` @ \\n\nand a line"""
        body = {"model": "x", "messages": [{"role": "user", "content": question}]}

        def scenario(page):
            page.fill("#body", json.dumps(body, indent=1))
            page.get_by_text("As a command", exact=True).click()
            page.click("#copy-curl")
            expect()(page.locator("#copy-curl")).to_have_text("Copied")
            return page.evaluate("navigator.clipboard.readText()")

        command = await self.browse(scenario)
        done = await deferToThread(
            subprocess.run, ["sh", "-c", command], capture_output=True, timeout=60
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", head.splitlines()[0], done.stderr)
        text = json.loads(answer)["choices"][0]["message"]["content"]
        self.assertIn(" ".join(question.split()), text)

    async def test_fetch_runs(self):
        """The copied JavaScript is the request: run in a page it gets the same answer."""
        await self.begin()

        def scenario(page):
            page.get_by_text("As JavaScript").click()
            code = page.text_content("#as-fetch")
            with page.expect_console_message() as said:
                page.evaluate(f"async () => {{ {code} }}")
            return said.value.text

        self.assertTrue((await self.browse(scenario)).startswith("200 {"))

    async def test_cookies(self):
        """Cookies go along if asked for: in the code, in the request, and in what is explained."""
        await self.begin()

        def scenario(page):
            page.check("#cookies")
            with page.expect_request("**/console/explain") as asked:
                page.click("#explain")
            page.get_by_text("As JavaScript").click()
            included = page.evaluate(
                """async () => (await import("/page/exchange.js")).requestOf({
                  method: "GET", url: "http://127.0.0.1:9/", headers: [], body: null, cookies: true,
                }).credentials"""
            )
            return asked.value.post_data_json, page.text_content("#as-fetch"), included

        asked, code, included = await self.browse(scenario)
        self.assertIs(asked["credentials"], True)
        self.assertIn('credentials: "include"', code)
        self.assertEqual(included, "include")

    async def test_without_permission(self):
        """Where the clipboard is closed the text is selected, ready for Ctrl+C."""
        await self.begin()

        def scenario(page):
            page.evaluate(
                "() => { navigator.clipboard.writeText = () => Promise.reject(Error()); }"
            )
            page.get_by_text("As a command", exact=True).click()
            page.click("#copy-curl")
            expect()(page.locator("#copy-curl")).to_contain_text("Selected")
            selected = page.evaluate("String(getSelection())")
            self.assertEqual(selected, page.text_content("#as-curl"))

        await self.browse(scenario)
