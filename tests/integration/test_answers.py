"""What the proxy refuses by itself, row by row of the contract's table, over real sockets.

Everything here is decided before an upstream is asked; who may call is in test_admission, what
upstreams cause in test_upstream_answers.
"""

from twisted.logger import capturedLogs

from naap_twisted.limits.capacity import CapacityLimits
from naap_twisted.limits.in_flight import InFlightLimit
from naap_twisted.testing import PAUSE, RawClient

from .support import OK, ORIGIN, PATH, RefusalTestCase

_BAD = "invalid_request_error"


class RoutingTests(RefusalTestCase):
    async def test_no_such_route(self):
        self.start()
        for path in ("/", "/api/v1/nope", "/nope", PATH + "/below"):
            await self.refused(404, "NOT_FOUND", kind="not_found_error", path=path)

    async def test_no_such_method(self):
        self.start(methods=("POST", "PATCH"))
        answer = await self.refused(405, "METHOD_NOT_ALLOWED", method="DELETE")
        allowed = set(answer.header("Allow").replace(" ", "").split(","))
        self.assertEqual(allowed, {"POST", "PATCH", "OPTIONS"})

    async def test_origin_not_allowed(self):
        """Refused before any upstream work, for ``null`` too; a listed origin goes through."""
        self.start(OK, server={"cors_origins": [ORIGIN]})
        for origin in ("http://evil.example", "null", "http://localhost:3001"):
            answer = await self.post(Origin=origin)
            self.assert_refused(answer, 403, "ORIGIN_NOT_ALLOWED", kind="permission_error")
            self.assertIsNone(answer.header("Access-Control-Allow-Origin"))
            self.assertEqual(answer.header("Vary"), "Origin")
        self.assertEqual(self.upstream.connections, 0)
        self.assertEqual((await self.post()).status, 200)


class TargetTests(RefusalTestCase):
    async def test_header_missing(self):
        self.start()
        await self.refused(
            400, "MISSING_TARGET", "Missing X-Target-URL header", _BAD, X_Target_URL=None
        )

    async def test_header_missing_under_its_own_name(self):
        self.start(target_url_header="X-WHIP-URL")
        await self.refused(400, "MISSING_TARGET", "Missing X-WHIP-URL header")

    async def test_header_repeated(self):
        self.start()
        pairs = [*self.headers().items(), ("x-target-url", self.upstream.origin)]
        answer = await self.running.ask("POST", PATH, pairs, b"{}")
        message = "Invalid URL in X-Target-URL header"
        self.assert_refused(answer, 400, "INVALID_TARGET", message, _BAD)
        self.assertEqual(self.upstream.connections, 0)

    async def test_not_a_url_we_accept(self):
        self.start()
        for url in (
            "nonsense",
            "mailto:me@127.0.0.1",
            "http://user@127.0.0.1/",
            "http://127.0.0.1/#f",
            "//127.0.0.1/",
            "http://127.0.0.1:99999/",
            f"{self.upstream.origin}, {self.upstream.origin}",
        ):
            await self.refused(
                400, "INVALID_TARGET", "Invalid URL in X-Target-URL header", _BAD, X_Target_URL=url
            )

    async def test_host_not_allowed(self):
        self.start()
        await self.refused(
            400,
            "HOST_NOT_ALLOWED",
            'Host "evil.com" is not in the allowed list',
            _BAD,
            X_Target_URL="http://evil.com/",
        )

    async def test_scheme_not_allowed(self):
        self.start()
        url = f"https://{self.upstream.authority}/"
        await self.refused(400, "SCHEME_NOT_ALLOWED", None, _BAD, X_Target_URL=url)

    async def test_a_scheme_that_no_route_has(self):
        """A URL all the same: the answer names what is wrong with it (field case C15)."""
        self.start()
        for url, scheme in (
            (f"ftp://{self.upstream.authority}/x", "ftp"),
            (f"wss://{self.upstream.authority}/v1/realtime?model=a", "wss"),
            ("WS://evil.example", "ws"),
            ("file:///etc/passwd", "file"),
        ):
            message = f'Scheme "{scheme}" is not in the allowed list'
            await self.refused(400, "SCHEME_NOT_ALLOWED", message, _BAD, X_Target_URL=url)

    async def test_port_not_allowed(self):
        self.start()
        await self.refused(400, "PORT_NOT_ALLOWED", None, _BAD, X_Target_URL="http://127.0.0.1:81/")

    async def test_address_not_allowed(self):
        """One private address among good ones refuses all; the answer names none."""
        for addresses in ("10.0.0.1", ["93.184.215.14", "10.0.0.1"], "169.254.169.254", "::1"):
            out = self.way_out({"api.example.com": addresses})
            self.start(allowed_hosts=["api.example.com"], allowed_ports=[80], upstream=out)
            answer = await self.refused(
                400, "ADDRESS_NOT_ALLOWED", None, _BAD, X_Target_URL="http://api.example.com/"
            )
            for text in ("10.0.0", "169.254", "::1", "93.184"):
                self.assertNotIn(text.encode(), answer.body)

    async def test_loopback_by_name_needs_allow_networks(self):
        out = self.way_out({"api.example.com": "127.0.0.1"})
        self.start(
            server={"allow_networks": ["10.9.9.9/32"]},
            allowed_hosts=["api.example.com"],
            upstream=out,
        )
        url = f"http://api.example.com:{self.upstream.port}/"
        await self.refused(400, "ADDRESS_NOT_ALLOWED", X_Target_URL=url)


class BodyTests(RefusalTestCase):
    REQUIRED = "Request body is required (Content-Type: application/json)"

    async def test_body_required(self):
        self.start(body_required=True)
        await self.refused(400, "BODY_REQUIRED", self.REQUIRED, _BAD, body=b"")
        await self.refused(400, "BODY_REQUIRED", self.REQUIRED, _BAD, body=None)

    async def test_empty_chunked_body_is_none(self):
        self.start(body_required=True)
        await self.refused(
            400, "BODY_REQUIRED", self.REQUIRED, Transfer_Encoding="chunked", body=b"0\r\n\r\n"
        )

    async def test_an_empty_object_is_a_body(self):
        self.start(OK)
        self.assertEqual((await self.post(body=b"{}")).status, 200)
        self.assertEqual(self.upstream.requests[0].body, b"{}")

    async def test_invalid_json_names_the_position(self):
        self.start()
        for body, place in (
            (b'{"a":\n  tru}', "line 2 column 3"),
            (b"{}{}", "line 1 column 3"),
            (b'{"a": "\xff"}', "byte 7"),
            (b"NaN", "NaN"),
            (b"[" * 100_000, "nested too deeply"),
        ):
            answer = await self.refused(400, "INVALID_JSON", None, _BAD, body=body)
            self.assertIn(place, answer.json()["error"]["message"])

    async def test_other_content_type(self):
        self.start()
        for kind in ("text/plain", "application/x-www-form-urlencoded", None):
            await self.refused(
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                "Content-Type must be application/json",
                Content_Type=kind,
            )

    async def test_declared_too_large_is_refused_before_the_body(self):
        """At the end of the head: not a byte of the body was sent."""
        self.start(body_limit="1kb")
        client = await self.running.client()
        client.request("POST", PATH, {**self.headers(), "Content-Length": "1025"})
        answer = await client.answer("POST")
        self.assert_refused(answer, 413, "BODY_TOO_LARGE")
        self.assert_readable(answer)
        self.assertEqual(self.upstream.connections, 0)

    async def test_chunked_too_large_is_refused_where_it_passes_the_limit(self):
        self.start(body_limit="1kb")
        client = await self.running.client()
        client.request("POST", PATH, {**self.headers(), "Transfer-Encoding": "chunked"})
        client.send(b"400\r\n" + b" " * 1024 + b"\r\n1\r\n ")
        self.assert_refused(await client.answer("POST"), 413, "BODY_TOO_LARGE")
        self.assertEqual(self.upstream.connections, 0)

    async def test_at_the_limit_is_fine(self):
        self.start(OK, body_limit=10)
        self.assertEqual((await self.post(body=b'"' + b"a" * 8 + b'"')).status, 200)


class CapacityTests(RefusalTestCase):
    async def test_no_capacity(self):
        """One more than may run and wait: 503 and when to come again; the others are served."""
        limits = CapacityLimits(route=InFlightLimit(running=1, queued=0))
        self.start(PAUSE, OK, server={"capacity": limits})
        first = await self.running.client()
        first.request("POST", PATH, self.headers(), b"{}")
        await self.upstream.until(lambda: self.upstream.requests)
        answer = await self.post()
        self.assert_refused(answer, 503, "UNAVAILABLE", kind="api_error")
        self.assert_readable(answer)
        self.assertGreaterEqual(int(answer.header("Retry-After")), 1)
        self.upstream.release()
        self.assertEqual((await first.answer("POST")).status, 200)
        self.assertEqual(len(self.upstream.requests), 1)


class DrainTests(RefusalTestCase):
    async def test_shutting_down(self):
        """A request on a connection that was open before gets 503 and Retry-After."""
        self.start(server={"drain_timeout": 5.0})
        client = await self.running.client()
        client.send(b"POST ")
        site = self.running.server.site()
        await self._until_heard(client, site)
        stopped = self.running.server.stopService()
        headers = f"Host: localhost\r\nOrigin: {ORIGIN}\r\nContent-Length: 0\r\n\r\n"
        client.send(f"{PATH} HTTP/1.1\r\n{headers}".encode())
        answer = await client.answer("POST")
        self.assert_refused(answer, 503, "UNAVAILABLE", kind="api_error")
        self.assertGreaterEqual(int(answer.header("Retry-After")), 1)
        await client.read_to_end()
        await stopped

    async def test_what_the_end_cuts_is_logged(self):
        """An exchange that outlasts the drain has its line when the server says it stopped."""
        self.start(PAUSE, server={"drain_timeout": 0.1})
        client = await self.running.client()
        client.request("POST", PATH, self.headers(), b"{}")
        await self.upstream.until(lambda: self.upstream.requests)
        with capturedLogs() as logs:
            await self.running.server.stopService()
        (event,) = [event for event in logs if "exchange" in event]
        self.assertEqual(event["exchange"].record.outcome, "drained")

    async def _until_heard(self, client, site):
        other = await RawClient.connect(self, self.running.port)
        other.request("GET", "/healthz")
        await other.answer()
        await other.stop()
        self.assertTrue(any(not channel.idle for channel in site.open))
