"""Idempotent replay, over sockets: which answers are kept, and who gets them again."""

from __future__ import annotations

import gzip
import json

from twisted.internet.defer import Deferred

from naap_twisted import User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.testing import ABORT, PAUSE

from .canary import CANARY
from .replay_case import JSON, PAID, PINNED, ReplayTestCase
from .support import CHUNKED, chunk, response, until


class KeptTests(ReplayTestCase):
    async def test_twice(self):
        """The retry gets the same bytes; what belongs to one answer of ours is new."""
        self.begin(response(200, b'{"id": "pi_1"}', JSON, "X-Request-ID: up_1", "ETag: a"))
        first, second = await self.pay(), await self.pay()
        self.asked(1)
        self.assertEqual((second.status, second.body), (first.status, first.body))
        for name in ("Content-Type", "Content-Length", "X-Upstream-Request-ID", "ETag"):
            self.assertEqual(second.header(name), first.header(name), name)
        self.assertNotEqual(second.header("X-Request-ID"), first.header("X-Request-ID"))
        self.assertEqual(first.header("Idempotent-Replayed"), None)
        self.assertEqual(second.header("Idempotent-Replayed"), "true")
        self.assertEqual(second.header("Access-Control-Allow-Origin"), "*")
        exposed = second.header("Access-Control-Expose-Headers")
        self.assertIn("Idempotent-Replayed", exposed)
        self.assertIn("X-Upstream-Request-ID", exposed)
        self.assertEqual(self.outcomes(), {"kept": 1, "replayed": 1})

    async def test_the_key_goes_up(self):
        """The upstream's own idempotency is not taken away."""
        self.begin()
        await self.pay("a b=c")
        self.assertEqual(self.upstream.requests[0].values("Idempotency-Key"), [b"a b=c"])

    async def test_in_the_log(self):
        """The line says that no upstream was asked."""
        records = []
        self.begin()
        site = self.running.server.site()
        site.regime.observers.append(lambda request: records.append(request.record))
        await self.pay()
        await self.pay()
        await until(lambda: len(records) == 2)
        told = [(each.replayed, each.upstream_status) for each in records]
        self.assertEqual(told, [(False, 200), (True, 0)])

    async def test_without_a_key(self):
        """Requests without one are all made, and those whose method repeats nothing."""
        self.begin(methods=["GET", "POST"])
        await self.pay([])
        await self.pay([])
        for method in ("GET", "GET", "HEAD", "HEAD"):
            await self.pay("k1", body=None, method=method)
        self.asked(6)
        self.assertEqual(self.outcomes(), {})

    async def test_without_the_option(self):
        """A route without it passes the key on, and repeats nothing."""
        self.begin(replay=None)
        await self.pay()
        await self.pay()
        self.asked(2)

    async def test_methods(self):
        """PUT, PATCH and DELETE, which may have no body."""
        self.begin(methods=["PUT", "PATCH", "DELETE"])
        for method, body in (("PUT", b"{}"), ("PATCH", b"{}"), ("DELETE", None)):
            for _ in range(2):
                self.assertEqual((await self.pay(method, body, method)).status, 200)
        self.asked(3)

    async def test_a_stream(self):
        """A stream of events passes as it comes, and is kept at its end."""
        head = response(200, b"", CHUNKED, "Content-Type: text/event-stream", length=False)
        self.begin(head + chunk(b"data: 1\n\n"), PAUSE, chunk(b"data: 2\n\n") + b"0\r\n\r\n")
        client = await self.call()
        await client.read_until(b"data: 1\n\n")
        self.assert_conflict(await self.pay(), running=True)
        self.upstream.release()
        await client.read_until(b"0\r\n\r\n")
        again = await self.pay()
        self.assertEqual(again.body, b"data: 1\n\ndata: 2\n\n")
        self.assertEqual(again.header("Content-Type"), "text/event-stream")
        self.asked(1)

    async def test_gzip(self):
        """A coded answer stays in its coding."""
        packed = gzip.compress(b'{"id": "pi_1"}')
        self.begin(response(200, packed, JSON, "Content-Encoding: gzip"))
        for _ in range(2):
            answer = await self.pay()
            self.assertEqual((answer.body, answer.header("Content-Encoding")), (packed, "gzip"))
        self.asked(1)

    async def test_no_content(self):
        """An answer without a body."""
        self.begin(response(204, b"", length=False))
        await self.pay()
        again = await self.pay()
        self.assertEqual((again.status, again.body), (204, b""))
        self.asked(1)

    async def test_an_error_that_stays(self):
        """A refusal for good is an answer, in our envelope too."""
        for errors in ("passthrough", "envelope"):
            self.begin(response(402, b'{"error": {"message": "declined"}}', JSON), errors=errors)
            first, again = await self.pay(), await self.pay()
            self.assertEqual((again.status, again.body), (402, first.body))
            self.asked(1)

    async def test_the_guard(self):
        """A key that the upstream repeats is kept from the page in the retry's answer, too."""
        body = json.dumps({"key": CANARY}).encode()
        self.begin(response(400, body, JSON), redact_bodies=True)
        for _ in range(2):
            answer = await self.pay()
            self.assertEqual(answer.status, 400)
            self.assertNotIn(CANARY.encode(), answer.body)
            self.assertIn(b"[redacted]", answer.body)
        self.asked(1)

    async def test_the_guard_in_a_coding(self):
        """The same where the error is coded, and comes in pieces."""
        packed = gzip.compress(json.dumps({"key": CANARY}).encode())
        lines = JSON, "Content-Encoding: gzip", f"Content-Length: {len(packed)}"
        head = response(400, b"", *lines, length=False)
        self.begin(head + packed[:20], PAUSE, packed[20:])
        client = await self.call()
        await self.upstream.until(lambda: self.upstream.requests)
        self.upstream.release()
        for answer in (await client.answer("POST"), await self.pay()):
            self.assertEqual((answer.status, answer.json()), (400, {"key": "[redacted]"}))
        self.asked(1)

    async def test_a_long_error(self):
        """Our envelope needs its beginning only; what is kept is the whole."""
        text = "x" * 5000
        head = response(402, b"", "Content-Type: text/plain", "Content-Length: 5000", length=False)
        self.begin(head + text[:3000].encode(), PAUSE, text[3000:].encode(), errors="envelope")
        first = await self.pay()
        self.assertEqual((first.status, first.json()["error"]["code"]), (402, "UPSTREAM_ERROR"))
        self.assertEqual(self.replays.going_on, 1)
        self.upstream.release()
        await until(lambda: not self.replays.going_on)
        self.assertEqual((await self.pay()).body, first.body)
        self.asked(1)

    async def test_a_rule_of_the_route(self):
        """What the page sent tells requests apart, not what rules make of it."""
        self.begin(body={"set": {"currency": "eur"}})
        await self.pay()
        await self.pay()
        self.asked(1)
        self.assertEqual(
            json.loads(self.upstream.requests[0].body), {"amount": 5, "currency": "eur"}
        )
        body = b'{"amount": 5, "currency": "eur"}'
        self.assert_conflict(await self.pay(body=body), running=False)

    async def test_a_body_in_pieces(self):
        """An upload of any type is read whole, because it tells requests apart."""
        self.begin(content_type="*/*")
        for _ in range(2):
            client = await self.running.client()
            headers = {"Transfer-Encoding": "chunked", "Idempotency-Key": "k1"}
            client.request("POST", f"{PINNED}/pay", headers)
            client.send(chunk(b"some"))
            client.send(chunk(b"thing") + b"0\r\n\r\n")
            self.assertEqual((await client.answer("POST")).status, 200)
        self.asked(1)
        self.assertEqual(self.upstream.requests[0].body, b"something")


class ConflictTests(ReplayTestCase):
    async def test_another_request(self):
        """Another body, path, query or type under a known key is no retry."""
        self.begin(methods=["POST", "PUT"], content_type=["application/json", "text/plain"])
        await self.pay()
        self.assert_conflict(await self.pay(body=b'{"amount": 6}'), running=False)
        self.assert_conflict(await self.pay(path="/pay?a=1"), running=False)
        self.assert_conflict(await self.pay(method="PUT"), running=False)
        self.assert_conflict(await self.pay(Content_Type="text/plain"), running=False)
        self.assert_conflict(await self.pay(Accept="text/csv"), running=False)
        self.assertEqual((await self.pay(X_Stainless_Retry_Count="1")).status, 200)
        self.asked(1)

    async def test_another_account(self):
        """A header that chooses an account makes another request."""
        self.begin(pass_headers=["Stripe-Account"])
        await self.pay(Stripe_Account="acct_1")
        self.assert_conflict(await self.pay(Stripe_Account="acct_2"), running=False)
        self.asked(1)

    async def test_while_it_runs(self):
        """The retry does not run beside the first; the caller is told when to come again."""
        self.begin(PAUSE, PAID)
        client = await self.call()
        await self.upstream.until(lambda: self.upstream.requests)
        self.assert_conflict(await self.pay(), running=True)
        self.assert_conflict(await self.pay(body=b"{}"), running=False)
        self.upstream.release()
        self.assertEqual((await client.answer("POST")).status, 200)
        self.assertEqual((await self.pay()).header("Idempotent-Replayed"), "true")
        self.asked(1)

    async def test_many_at_once(self):
        """Of many at once one goes upstream, and the others wait for its answer."""
        self.begin(PAUSE, PAID)
        asked = [Deferred.fromCoroutine(self.pay()) for _ in range(20)]
        await until(lambda: self.outcomes().get("running") == 19)
        await self.upstream.until(lambda: self.upstream.requests)
        self.upstream.release()
        statuses = sorted([(await answer).status for answer in asked])
        self.assertEqual(statuses, [200] + [409] * 19)
        self.asked(1)

    async def test_other_users(self):
        """One user's key is nobody else's."""
        users = StaticTokens({"t-ada": User("ada"), "t-bo": User("bo")})
        self.begin(server={"authenticator": users, "require_auth": True})
        for _ in range(2):
            for token in ("t-ada", "t-bo"):
                answer = await self.pay(Authorization=f"Bearer {token}")
                self.assertEqual(answer.status, 200)
        self.asked(2)

    async def test_other_routes(self):
        """A key of one route is none of another's."""
        self.begin()
        self.mount("/q", target=f"{self.upstream.origin}/v1", replay="10m")
        await self.pay()
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k1"}
        await self.running.ask("POST", "/api/v1/q/pay", headers, b'{"amount": 5}')
        self.asked(2)

    async def test_spellings(self):
        """What no answer is kept under is refused, and nothing is sent."""
        self.begin()
        for keys in ("", " ", "x" * 256, "x" * 10_000, "a\tb", "k\xe9", ["a", "a"], ["a", "b"]):
            answer = await self.pay(keys)
            self.assertEqual(answer.status, 400, keys)
            self.assertEqual(answer.json()["error"]["code"], "INVALID_IDEMPOTENCY_KEY")
        self.asked(0)
        for keys in ("x" * 255, "a, b", '"quoted"', "~ !"):
            self.assertEqual((await self.pay(keys)).status, 200, keys)


class NotKeptTests(ReplayTestCase):
    async def test_statuses(self):
        """What a retry may change is asked again."""
        self.begin()
        for number, status in enumerate((401, 403, 408, 409, 425, 429, 500, 502, 503, 504)):
            self.upstream.steps = (response(status, b"{}", JSON),)
            self.assertEqual((await self.pay(f"k{status}")).status, status)
            self.upstream.steps = (PAID,)
            self.assertEqual((await self.pay(f"k{status}")).status, 200)
            self.asked(2 * number + 2)

    async def test_cut(self):
        """An answer that broke off is none: the upstream, which gets the key, knows best."""
        for head in (response(200, b"", JSON, "Content-Length: 99", length=False), b""):
            self.begin(head, PAUSE, ABORT)
            client = await self.call()
            await self.upstream.until(lambda: self.upstream.requests)
            if head:
                await client.read_until(b"\r\n\r\n")
            self.upstream.release()
            await client.until(lambda client=client: client.closed or client.buffer)
            self.upstream.steps = (PAID,)
            answer = await self.pay()
            self.assertEqual((answer.status, answer.header("Idempotent-Replayed")), (200, None))
            self.asked(2)

    async def test_no_connection(self):
        """A request that never left may be tried again."""
        self.begin(target="http://127.0.0.1:1/v1")
        for _ in range(2):
            self.assertEqual((await self.pay()).status, 502)

    async def test_too_long(self):
        """A long answer passes whole, and is not kept."""
        long = b"x" * (1024 * 1024 + 1)
        self.begin(response(200, long, JSON))
        for _ in range(2):
            self.assertEqual((await self.pay()).body, long)
        self.asked(2)
        self.assertEqual(self.outcomes(), {"too_long": 2})

    async def test_as_long_as_may_be(self):
        """The longest that is kept."""
        long = b"x" * (1024 * 1024)
        self.begin(response(200, long, JSON))
        for _ in range(2):
            self.assertEqual((await self.pay()).body, long)
        self.asked(1)

    async def test_the_window_ends(self):
        """After the window the key is a new one."""
        self.begin(replay="200ms")
        await self.pay()
        await until(lambda: not self.replays._kept or self._ended())
        await self.pay()
        self.asked(2)

    def _ended(self):
        now = self.replays.clock.seconds()
        return all(each.until <= now for each in self.replays._kept.values())
