"""Signed requests, as the service at the other end checks them."""

from twisted.internet.defer import Deferred, succeed

from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.errors import Forbidden
from naap_twisted.testing import ScriptedUpstream, request_bytes
from tests.integration.canary import CANARY
from tests.integration.support import OK, IntegrationTestCase, chunk, response
from tests.sigv4 import signature_holds

TOKEN = "session-token-4f81c0ffee4f81"
KEYS = {"access_key": "AKIDEXAMPLE", "secret_key": CANARY}
BEDROCK = {"aws_sigv4": {"region": "eu-west-1", "service": "bedrock", **KEYS}}
S3 = {"aws_sigv4": {"region": "eu-west-1", "service": "s3", **KEYS}}
OCTETS = "application/octet-stream"


class SigningCase(IntegrationTestCase):
    def begin(self, sign, *steps, server=None, **route):
        self.upstream = ScriptedUpstream(self, *(steps or (OK,)))
        self.running = self.serve(**(server or {}))
        options = {
            "target": self.upstream.origin + "/base",
            "content_type": "*/*",
            "methods": ("GET", "POST", "PUT"),
            "forward_headers": None,
            "sign": sign,
            **route,
        }
        self.mount("/x", **options)

    async def ask(self, method="POST", below="", body=b"{}", kind="application/json", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {"Content-Type": kind, **named} if body is not None else named
        return await self.running.ask(method, "/api/v1/x" + below, fields, body)

    def last(self):
        return self.upstream.requests[-1]

    def assert_signed(self):
        self.assertTrue(signature_holds(self.last(), CANARY), self.last().raw)


class SigV4Tests(SigningCase):
    async def test_a_query_of_the_route(self):
        """What the server adds to the target is signed with it."""
        self.begin(BEDROCK, forward_query={"key": "a-key/of the=route", "v": "2024-10-21"})
        for below in ("/models?a=1", "/models"):
            await self.ask("GET", below, None)
            self.assertIn(b"key=a-key%2Fof%20the%3Droute&v=2024-10-21 ", self.last().line)
            self.assert_signed()

    async def test_json(self):
        self.begin(BEDROCK)
        answer = await self.ask(below="/model/anthropic.claude-v1:0/invoke")
        self.assertEqual(answer.status, 200)
        self.assert_signed()
        self.assertNotIn(b"x-amz-security-token", self.last().raw.lower())

    async def test_no_body(self):
        self.begin(BEDROCK)
        await self.ask("GET", "/models", None)
        self.assert_signed()

    async def test_paths_and_queries(self):
        """Every spelling that the proxy passes is signed as the service reads it."""
        self.begin(BEDROCK)
        for below in (
            "/a?b=2&a=1&a=0",
            "/a?flag&empty=&x==",
            "/a%20b/c%2Bd?q=%C3%A9%20x",
            "/a~b-c_d.e?z=~-_.",
            "/a:b@c,d?x=/?:@",
            "?only=query",
            '/a;v=1/b%2Fc?filter={"a":[1]}&t=a|b^`',
        ):
            with self.subTest(below=below):
                self.assertEqual((await self.ask("GET", below, None)).status, 200)
                self.assert_signed()

    async def test_a_streamed_body(self):
        """A body in pieces is held until all of it is there, because its hash is signed."""
        self.begin(BEDROCK)
        for framing, pieces in (
            ({"Content-Length": "16"}, (b"12345678", b"abcdefgh")),
            (
                {"Transfer-Encoding": "chunked"},
                (chunk(b"12345678"), chunk(b"abcdefgh") + chunk(b"")),
            ),
        ):
            client = await self.running.client()
            head = request_bytes("POST", "/api/v1/x/m", {"Content-Type": OCTETS, **framing})
            count = len(self.upstream.requests)
            client.send(head + pieces[0])
            await self.ask("GET", "/meanwhile", None)
            self.assertEqual(len(self.upstream.requests), count + 1)
            client.send(pieces[1])
            self.assertEqual((await client.answer("POST")).status, 200)
            self.assertEqual(self.last().body, b"12345678abcdefgh")
            self.assert_signed()
            await client.stop()

    async def test_a_body_over_the_limit(self):
        self.begin(BEDROCK, body_limit=1000)
        answer = await self.ask(body=b"x" * 1001, kind=OCTETS)
        self.assert_refused(answer, 413, "BODY_TOO_LARGE")
        self.assertEqual(self.upstream.connections, 0)

    async def test_s3_streams(self):
        """S3 takes a payload that is not signed; so a body goes up as it comes."""
        self.begin(S3)
        client = await self.running.client()
        head = request_bytes(
            "PUT", "/api/v1/x/key:1%20a", {"Content-Type": OCTETS, "Content-Length": "16"}
        )
        client.send(head + b"12345678")
        await self.upstream.until(lambda: self.upstream.requests and self.last().body)
        self.assertFalse(self.last().complete)
        client.send(b"abcdefgh")
        self.assertEqual((await client.answer("PUT")).status, 200)
        self.assert_signed()
        self.assertEqual(self.last().values("X-Amz-Content-SHA256"), [b"UNSIGNED-PAYLOAD"])
        await client.stop()

    async def test_a_session_token(self):
        table = {"aws_sigv4": {**BEDROCK["aws_sigv4"], "session_token": TOKEN}}
        self.begin(table)
        await self.ask()
        self.assertEqual(self.last().values("X-Amz-Security-Token"), [TOKEN.encode()])
        self.assert_signed()

    async def test_what_a_page_may_not_say(self):
        """Its own signature, date, token and hash are replaced; another X-Amz field is signed."""
        names = ["Authorization", "X-Amz-*"]
        self.begin(BEDROCK, pass_headers=names)
        await self.ask(
            Authorization="AWS4-HMAC-SHA256 Credential=page",
            X_Amz_Date="20000101T000000Z",
            X_Amz_Security_Token="of-the-page",
            X_Amz_Content_SHA256="of-the-page",
            X_Amz_Target="Bedrock.Invoke  twice",
        )
        self.assert_signed()
        self.assertNotIn(b"of-the-page", self.last().raw)
        self.assertIn(b"x-amz-target", self.last().values("Authorization")[0])

    async def test_an_echo(self):
        """A service that says what it has signed repeats the token and no secret goes through."""
        table = {"aws_sigv4": {**BEDROCK["aws_sigv4"], "session_token": TOKEN}}
        self.begin(table, errors="envelope")
        text = f"canonical: x-amz-security-token:{TOKEN} {CANARY}".encode()
        self.upstream.steps = (response(403, text, "Content-Type: text/plain"),)
        answer = await self.ask()
        self.assertEqual(answer.status, 403)
        self.assertIn(b"[redacted]", answer.body)
        for secret in (TOKEN, CANARY):
            self.assertNotIn(secret.encode(), answer.body)

    async def test_redirects(self):
        """Signed anew within the origin; on another there is neither signature nor token."""
        other = self.stranger(OK)
        table = {"aws_sigv4": {**BEDROCK["aws_sigv4"], "session_token": TOKEN}}
        self._begin_open(table, other)
        inside = response(307, b"", "Location: /second")
        self.upstream.steps = (inside,)
        answer = await self._ask_open()
        self.assertEqual(answer.status, 307)
        lines = [received.line.split()[1] for received in self.upstream.requests]
        self.assertEqual(lines, [b"/first", *[b"/second"] * 3])
        for received in self.upstream.requests:
            self.assertTrue(signature_holds(received, CANARY))
        self.upstream.steps = (response(307, b"", f"Location: {other.origin}/"),)
        self.assertEqual((await self._ask_open()).status, 200)
        raw = other.requests[0].raw.lower()
        for name in (b"authorization", b"x-amz-", b"signature"):
            self.assertNotIn(name, raw)
        leak = response(307, b"", f"Location: {other.origin}/?t={TOKEN}")
        self.upstream.steps = (leak,)
        self.assertEqual((await self._ask_open()).status, 307)
        self.assertEqual(len(other.requests), 1)

    def _begin_open(self, sign, other):
        self.upstream = ScriptedUpstream(self, OK)
        self.running = self.serve()
        self.mount(
            "/x",
            forward_headers=None,
            sign=sign,
            follow_redirects=True,
            allowed_hosts=["127.0.0.1"],
            allowed_schemes=["http"],
            allowed_ports=[self.upstream.port, other.port],
        )

    async def _ask_open(self):
        return await self.ask(X_Target_URL=self.upstream.origin + "/first")


class CallableTests(SigningCase):
    async def test_what_it_sees(self):
        """Method, URL, every header with Host, and all of the body; sync, async and Deferred."""
        seen = []

        def sign(request):
            seen.append(request)
            return {"X-Signature": "signed-by-the-callable"}

        async def later(request):
            return sign(request)

        for way in (sign, later, lambda request: succeed(sign(request))):
            self.begin(way, forward_headers={"X-Key": CANARY})
            await self.ask(below="/a?b=c", body=b"abc", kind="text/plain")
            self.assertEqual(self.last().values("X-Signature"), [b"signed-by-the-callable"])
            request = seen.pop()
            self.assertEqual((request.method, request.body), ("POST", b"abc"))
            self.assertEqual(request.url, self.upstream.origin + "/base/a?b=c")
            headers = dict(request.headers)
            self.assertEqual(headers["Host"], self.upstream.authority)
            self.assertEqual(headers["Content-Type"], "text/plain")
            self.assertEqual(headers["X-Key"].reveal(), CANARY.encode())
            self.assertNotIn(CANARY, repr(request))

    async def test_it_replaces(self):
        """What it returns stands alone, whatever the page or the route sent under that name."""
        self.begin(lambda request: {"X-Signature": "ours-and-only-ours"}, pass_headers=["X-Sig*"])
        await self.ask(X_Signature="of the page")
        self.assertEqual(self.last().values("X-Signature"), [b"ours-and-only-ours"])

    async def test_it_refuses(self):
        """Its ProxyError is the answer; a bug is a 500; nothing goes out."""

        def no(request):
            raise Forbidden()

        for sign, status in (
            (no, 403),
            (lambda request: 1 / 0, 500),
            (lambda request: {"Content-Length": "5"}, 500),
            (lambda request: {"X-Signature": "a\r\nX-Evil: 1"}, 500),
        ):
            with self.subTest(status=status):
                self.begin(sign)
                self.assertEqual((await self.ask()).status, status)
                self.assertEqual(self.upstream.connections, 0)
        self.flushLoggedErrors()

    async def test_it_never_answers(self):
        limits = DownstreamLimits(callable_timeout=0.2)
        self.begin(lambda request: Deferred(), server={"limits": limits})
        self.assert_refused(await self.ask(), 503, "UNAVAILABLE")
        self.assertEqual(self.upstream.connections, 0)

    async def test_its_values_are_guarded(self):
        self.begin(lambda request: {"X-Signature": "signature-of-these-tests"}, errors="envelope")
        text = b"bad signature-of-these-tests"
        self.upstream.steps = (response(403, text, "Content-Type: text/plain"),)
        self.assertNotIn(b"signature-of-these-tests", (await self.ask()).body)
