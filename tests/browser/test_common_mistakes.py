"""docs/frontend.md's common mistakes, each made in a browser: its symptom seen, its fix applied."""

from __future__ import annotations

import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import ConfigError, create_external_proxy
from naap_twisted.auth.session import SessionAuthenticator
from naap_twisted.auth.static import StaticTokens
from naap_twisted.model import User
from naap_twisted.testing import CLOSE, PAUSE, ScriptedUpstream

from .frontend import STREAM, answer, event
from .mistakes import ASK, JSON, KEY, OK, ROUTE, MistakesTestCase, rows


class TableTests(SynchronousTestCase):
    def test_every_row_is_made(self) -> None:
        """Each row of the table has its test here, and each test its row."""
        made = re.findall(r"def test_(\d+)_", Path(__file__).read_text("utf-8"))
        self.assertEqual(sorted(made, key=int), list(rows()))
        for symptom in rows().values():
            self.assertRegex(symptom.partition("the proxy's log")[0], "`.+`")
        self.assertGreater(len(made), 15)


class MistakesTests(MistakesTestCase):
    async def test_1_direct_call(self):
        """An API that allows no pages, called from one."""
        await self.begin()
        self.expect_console("blocked by CORS policy", "net::ERR_FAILED")
        got = await self.ask(url=self.target, headers=JSON)
        self.assertEqual(got, {"error": "TypeError: Failed to fetch"})
        self.saw("1")
        self.fixed(await self.ask())

    async def test_2_key_in_the_page(self):
        """What a page sends, everybody can read; and the proxy does not pass it on."""
        await self.begin(answer(401, {"error": {"message": "No key."}}), forward_headers=None)
        self.expect_console("status of 401")
        leaked = self.page_headers(Authorization="Bearer sk-of-the-page")

        def scenario(page):
            with page.expect_request(self.proxy.url + ROUTE) as sent:
                got = page.evaluate(ASK, [self.proxy.url + ROUTE, {"headers": leaked}, "text"])
            return got, sent.value.all_headers()["authorization"]

        got, visible = await self.browse(scenario)
        self.assertEqual(visible, "Bearer sk-of-the-page")
        self.saw("2", got["body"])
        self.assertNotIn(b"sk-of-the-page", self.upstream.requests[0].raw)
        self.upstream.steps = (OK,)
        self.serve()
        self.fixed(await self.ask())
        self.assertIn(KEY.encode(), self.upstream.requests[-1].raw)

    async def test_3_broad_hosts(self):
        """A whole top-level domain is no allow-list: the server does not start."""
        await self.begin()
        error = self.assertRaises(ConfigError, self.serve, allowed_hosts=[".com"])
        self.saw("3", str(error))
        create_external_proxy(allowed_hosts=["api.stripe.com"])

    async def test_4_header_of_the_page(self):
        """A header that is on no list does not get past the preflight."""
        await self.begin()
        self.expect_console("blocked by CORS policy", "net::ERR_FAILED")
        await self.ask(headers=self.page_headers(X_My_Custom_Header="1"))
        self.saw("4")
        self.serve(pass_headers=["X-My-Custom-Header"])
        self.fixed(await self.ask(headers=self.page_headers(X_My_Custom_Header="1")))

    async def refused(self, row, status, **request):
        self.expect_console(f"status of {status}")
        got = await self.ask(**request)
        self.assertEqual(got["status"], status)
        self.saw(row, got["body"])
        self.assertEqual(self.upstream.requests, [])

    async def test_5_no_target(self):
        """A route that is not pinned needs its target named."""
        await self.begin()
        await self.refused("5", 400, headers=JSON)
        self.fixed(await self.ask())
        self.serve(target=self.target)
        self.fixed(await self.ask(headers=JSON))

    async def test_6_host(self):
        """A host that is not on the route's list."""
        await self.begin(allowed_hosts=["api.example.org"])
        await self.refused("6", 400)
        self.serve(allowed_hosts=["127.0.0.1"])
        self.fixed(await self.ask())

    async def test_7_scheme(self):
        """Plain http, where the route has not said so."""
        await self.begin(allowed_schemes=["https"])
        await self.refused("7", 400)
        self.serve()
        self.fixed(await self.ask())

    async def test_8_content_type(self):
        """A text body without its type."""
        await self.begin()
        await self.refused("8", 415, headers=self.page_headers(Content_Type=None))
        self.fixed(await self.ask())

    async def test_9_not_stringified(self):
        """An object where JSON belongs."""
        await self.begin()
        self.expect_console("status of 400")
        got = await self.browse(
            lambda page: page.evaluate(
                "([url, headers]) => fetch(url, {method: 'POST', headers, body: {model: 'm'}})"
                ".then((answer) => answer.text())",
                [self.proxy.url + ROUTE, self.page_headers()],
            )
        )
        self.saw("9", got)
        self.fixed(await self.ask(body=json.dumps({"model": "m"})))

    async def test_10_nobody(self):
        """A route that needs a user, and nobody there."""
        users = StaticTokens({"let-me-in": User("ada")})
        await self.begin(server={"require_auth": True, "authenticator": users})
        await self.refused("10", 401)
        self.fixed(await self.ask(headers=self.page_headers(Authorization="Bearer let-me-in")))

    async def test_11_no_csrf_token(self):
        """A cookie session without the token that a foreign page could not read."""
        service = ScriptedUpstream(self, answer(200, {"user": {"id": "ada"}}))
        users = SessionAuthenticator(service.origin + "/me")
        server = {"require_auth": True, "authenticator": users}
        # One host for page and proxy, or the page can't read the cookie.
        await self.begin(server=server, host="127.0.0.1")
        cookies = {"naap_auth_token": "let-me-in", "naap_csrf_token": "cs-1"}
        placed = [{"name": k, "value": v, "url": self.proxy.url} for k, v in cookies.items()]
        await self.browse(lambda page: page.context.add_cookies(placed))
        await self.refused("11", 403, credentials="include")
        token = await self.browse(
            lambda page: page.evaluate("document.cookie.match(/naap_csrf_token=([^;]*)/)[1]")
        )
        headers = self.page_headers(X_CSRF_Token=token)
        self.fixed(await self.ask(headers=headers, credentials="include"))

    async def test_12_credentials_for_anybody(self):
        """Cookies to a server that answers everybody."""
        await self.begin(server={"cors_origins": "*"})
        self.expect_console("blocked by CORS policy", "net::ERR_FAILED")
        await self.ask(credentials="include")
        self.saw("12")
        self.serve()
        self.fixed(await self.ask(credentials="include"))

    async def test_13_origin(self):
        """A page that is not listed; the log has the line that lists it."""
        await self.begin(server={"cors_origins": ["http://app.example.org"]})
        self.expect_console("blocked by CORS policy", "net::ERR_FAILED")
        await self.ask()
        self.saw("13")
        (line,) = (text for text in self.logged if "to allow it: cors_origins" in text)
        origins = json.loads(line.partition("cors_origins = ")[2])
        self.serve({"cors_origins": origins})
        self.fixed(await self.ask())

    async def test_14_path(self):
        """A path that no route has."""
        await self.begin()
        self.expect_console("blocked by CORS policy", "net::ERR_FAILED")
        await self.ask(path="/x")
        self.saw("14")
        self.fixed(await self.ask(path=ROUTE))

    async def test_15_method(self):
        """A method that the route does not take."""
        await self.begin()
        self.expect_console("status of 405")
        got = await self.browse(
            lambda page: page.evaluate(
                "(url) => fetch(url).then((answer) => answer.text())", self.proxy.url + ROUTE
            )
        )
        self.expect_console("blocked by CORS policy", "net::ERR_FAILED")
        await self.ask(method="PUT")
        self.saw("15", got)
        self.serve(methods=["GET", "POST", "PUT"])
        self.fixed(await self.ask(method="PUT"))

    async def test_16_unread_header(self):
        """A header that was not relayed."""
        await self.begin()
        expression, outcome = re.findall(r"`([^`]+)`", rows()["16"])

        async def evaluated():
            script = f"([url, init]) => fetch(url, init).then((answer) => answer.{expression})"
            init = {"method": "POST", "body": "{}", "headers": self.page_headers()}
            arguments = [self.proxy.url + ROUTE, init]
            return json.dumps(await self.browse(lambda page: page.evaluate(script, arguments)))

        self.assertEqual(await evaluated(), outcome)
        self.serve(response_headers=["X-Team-Quota"])
        self.assertEqual(await evaluated(), '"7"')

    async def test_17_json_of_a_stream(self):
        """A streamed answer, taken for JSON."""
        await self.begin(STREAM + event("Hello") + b"0\r\n\r\n")
        got = await self.ask(read="json")
        self.saw("17", got["error"])
        self.assertIn("data: {", (await self.ask())["body"])

    async def test_18_cut(self):
        """An answer that breaks off."""
        await self.begin(STREAM + event("Hello"), PAUSE, CLOSE)
        self.expect_console("net::ERR_CONNECTION_RESET")
        script = """async ([url, headers]) => {
          const answer = await fetch(url, {method: "POST", body: "{}", headers});
          window.reader = answer.body.getReader();
          await reader.read();
        }"""
        arguments = [self.proxy.url + ROUTE, self.page_headers()]
        await self.browse(lambda page: page.evaluate(script, arguments))
        self.upstream.release()
        read = "() => reader.read().catch((error) => String(error))"
        self.saw("18", await self.browse(lambda page: page.evaluate(read)))

    async def test_19_no_proxy(self):
        """Nobody there."""
        await self.begin()
        self.expect_console("net::ERR_CONNECTION_REFUSED")
        await self.proxy.server.stopService()
        await self.ask()
        self.saw("19")

    async def test_20_file(self):
        """A page that was opened as a file has no origin that could be listed."""
        await self.begin()
        self.expect_console("blocked by CORS policy", "net::ERR_FAILED")
        page = Path(self.mktemp() + ".html").absolute()
        page.write_text("<!doctype html><link rel=icon href=data:,>", "utf-8")
        await self.browse(lambda browser: browser.goto(page.as_uri()))
        await self.ask()
        self.saw("20")
        await self.browse(lambda browser: browser.goto(self.url))
        self.fixed(await self.ask())

    async def test_21_http(self):
        """Plain http, where the server wants https. (The fix needs a certificate: see the docs.)"""
        await self.begin(server={"https_redirect": True})
        self.expect_console("blocked by CORS policy", "net::ERR_FAILED")
        await self.ask()
        self.saw("21")
        self.assertEqual(self.upstream.requests, [])
