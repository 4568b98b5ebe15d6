"""Idempotent replay, over sockets: exchanges that outlive their callers, what they cost, cuts."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred

from naap_twisted import User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.testing import ABORT, PAUSE

from .replay_case import (
    CHAT,
    COUNTED,
    JSON,
    PAID,
    PINNED,
    PROMPT,
    TOKENS,
    USAGE,
    ReplayTestCase,
)
from .support import CHUNKED, chunk, response, until


class AloneTests(ReplayTestCase):
    async def test_after_our_504(self):
        """Our 504 is no end: a retry is told to come again, and gets the answer at last."""
        self.begin(PAUSE, PAID, timeout=0.3)
        answer = await self.pay()
        self.assertEqual((answer.status, answer.header("X-Should-Retry")), (504, None))
        self.assertEqual(answer.header("Retry-After"), "1")
        self.assertEqual(self.replays.going_on, 1)
        self.assert_conflict(await self.pay(), running=True)
        self.upstream.release()
        await until(lambda: not self.replays.going_on)
        again = await self.pay()
        self.assertEqual((again.status, again.body), (200, b'{"id": "pi_1"}'))
        self.asked(1)

    async def test_after_the_total(self):
        """The same where the time of the whole exchange is over."""
        self.begin(PAUSE, PAID, total_timeout=0.3)
        self.assertEqual((await self.pay()).status, 504)
        self.upstream.release()
        await until(lambda: not self.replays.going_on)
        self.assertEqual((await self.pay()).status, 200)
        self.asked(1)

    async def test_after_the_caller_left(self):
        """A caller who leaves before the head, or inside of the body, may come back."""
        half = response(200, b"", JSON, "Content-Length: 8", length=False) + b"half"
        for steps in ((PAUSE, PAID), (half, PAUSE, b"done")):
            self.begin(*steps)
            client = await self.call()
            await self.upstream.until(lambda: self.upstream.requests)
            if steps[0] is half:
                await client.read_until(b"half")
            await client.stop()
            await until(lambda: self.replays.going_on == 1)
            self.assert_conflict(await self.pay(), running=True)
            self.upstream.release()
            await until(lambda: not self.replays.going_on)
            again = await self.pay()
            self.assertEqual((again.status, again.complete), (200, True))
            self.assertIn(again.body, (b"halfdone", b'{"id": "pi_1"}'))
            self.asked(1)

    async def test_a_reader_that_stopped(self):
        """Back-pressure of a caller who left does not hold the rest back."""
        body = b"x" * 1_000_000
        head = response(200, b"", JSON, f"Content-Length: {len(body)}", length=False)
        self.begin(head + body[:600_000], PAUSE, body[600_000:])
        client = await self.call()
        client.transport.pauseProducing()
        await self.upstream.until(lambda: self.upstream.requests)
        client.transport.abortConnection()
        await until(lambda: self.replays.going_on == 1)
        self.upstream.release()
        await until(lambda: not self.replays.going_on)
        self.assertEqual((await self.pay()).body, body)
        self.asked(1)

    async def test_an_error_comes_late(self):
        """A late answer that a retry may change frees the key."""
        self.begin(PAUSE, response(503, b"{}", JSON), timeout=0.3)
        self.assertEqual((await self.pay()).status, 504)
        self.upstream.release()
        await until(lambda: not self.replays.going_on)
        self.upstream.steps = (PAID,)
        self.assertEqual((await self.pay()).status, 200)
        self.asked(2)

    async def test_too_long_alone(self):
        """What can't be kept, and nobody takes, is ended."""
        self.begin(PAUSE, response(200, b"x" * 2_000_000, JSON), timeout=0.3)
        self.assertEqual((await self.pay()).status, 504)
        self.upstream.release()
        await self.upstream.until(lambda: self.upstream.requests[0].lost)
        self.assertEqual(self.outcomes(), {"too_long": 1})

    async def test_so_many_of_a_caller(self):
        """Past the bound an exchange ends with its caller, as without the option."""
        self.begin(PAUSE, PAID, timeout=0.3)
        answers = [Deferred.fromCoroutine(self.pay(f"k{number}")) for number in range(12)]
        told = sorted([str((await answer).header("X-Should-Retry")) for answer in answers])
        self.assertEqual(told, ["None"] * 10 + ["false"] * 2)
        self.assertEqual(self.replays.going_on, 10)
        self.assertEqual(self.outcomes(), {"released": 2})

    async def test_the_drain(self):
        """A server that stops waits for them, and cuts them at its end."""
        self.begin(PAUSE, PAID, timeout=0.3)
        await self.pay("k1")
        stopped = self.running.server.stopService()
        await until(lambda: self.running.server.site().draining)
        self.assertEqual(self.replays.going_on, 1)
        self.upstream.release()
        await stopped
        self.assertEqual(self.outcomes(), {"kept": 1})

    async def test_the_drain_is_over(self):
        self.begin(PAUSE, PAID, timeout=0.3, budget=TOKENS, server={"drain_timeout": 0.2})
        self.assertEqual((await self.pay("k1", CHAT)).status, 504)
        await self.running.server.stopService()
        self.assertEqual((self.replays.going_on, self.outcomes()), (0, {"released": 1}))
        # The upstream may have answered, so all that was reserved is spent.
        self.assertEqual(self.spent(), [(-(-len(CHAT) // 3) + 50, 0)])


class SpendTests(ReplayTestCase):
    """What an answer costs is paid once, by whoever made it."""

    async def test_once(self):
        self.begin(COUNTED, budget=[*TOKENS, {"requests": 2, "per": "day"}])
        for _ in range(5):
            answer = await self.pay(body=CHAT)
            self.assertEqual((answer.status, answer.json()), (200, {"usage": USAGE}))
        self.assertEqual(answer.header("X-Budget-Remaining"), None)
        self.assertEqual(self.spent(), [(13, 0), (1, 0)])

    async def test_over_the_budget(self):
        """A refusal of ours frees the key."""
        self.begin(COUNTED, budget=[{"requests": 1, "per": "day"}])
        await self.pay("k1", CHAT)
        self.assertEqual((await self.pay("k2", CHAT)).status, 429)
        self.assertEqual((await self.pay("k2", CHAT)).status, 429)
        self.assertEqual((await self.pay("k1", CHAT)).status, 200)

    async def test_a_504_costs_once(self):
        """What the late answer reports is what is booked; the retry costs nothing."""
        self.begin(PAUSE, COUNTED, budget=TOKENS, timeout=0.3)
        self.assertEqual((await self.pay(body=CHAT)).status, 504)
        ((spent, held),) = self.spent()
        self.assertEqual((spent, held), (0, -(-len(CHAT) // 3) + 50))
        self.upstream.release()
        await until(lambda: not self.replays.going_on)
        self.assertEqual(self.spent(), [(13, 0)])
        self.assertEqual((await self.pay(body=CHAT)).status, 200)
        self.assertEqual(self.spent(), [(13, 0)])
        self.asked(1)

    async def test_usage(self):
        """What users are told of it: two requests, of which one went upstream, and its tokens."""
        users = StaticTokens({"t-ada": User("ada")})
        kept = {"authenticator": users, "require_auth": True, "state_dir": self.mktemp()}
        self.begin(PAUSE, COUNTED, budget=TOKENS, timeout=0.3, server=kept)
        ada = {"Authorization": "Bearer t-ada"}
        self.assertEqual((await self.pay(body=CHAT, **ada)).status, 504)
        self.upstream.release()
        await until(lambda: not self.replays.going_on)
        self.assertEqual((await self.pay(body=CHAT, **ada)).status, 200)
        (row,) = (await self.running.ask("GET", "/api/v1/usage", ada)).json()["usage"]
        told = row["requests"], row["status"]["failed"], row["tokens"]["total"]
        self.assertEqual(told, (1, 1, 13))

    async def test_a_stream_whose_caller_left(self):
        """The rest of the stream is read, and its report booked; the page gets none of ours."""
        event = b'data: {"choices": [{"delta": {"content": "word"}}]}\n\n'
        usage = b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
        head = response(200, b"", CHUNKED, "Content-Type: text/event-stream", length=False)
        rest = chunk(event) + chunk(usage) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        self.begin(
            *(head + chunk(event), PAUSE, rest),
            budget=TOKENS,
            provider="openai",
            key=None,
            methods=["POST"],
        )
        body = json.dumps({**PROMPT, "max_tokens": 50, "stream": True}).encode()
        client = await self.running.client()
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k1"}
        client.request("POST", f"{PINNED}/chat/completions", headers, body)
        await client.read_until(b"word")
        await client.stop()
        await until(lambda: self.replays.going_on == 1)
        self.upstream.release()
        await until(lambda: not self.replays.going_on)
        self.assertEqual(self.spent(), [(13, 0)])
        again = await self.pay(body=body, path="/chat/completions")
        self.assertEqual(again.body, event * 2 + b"data: [DONE]\n\n")
        self.assertEqual(self.spent(), [(13, 0)])
        self.asked(1)


class CutTests(ReplayTestCase):
    """Whatever is cut wherever, a retry gets a whole answer or the upstream's next one."""

    async def test_the_upstream_at_every_byte(self):
        for body in (
            response(200, b'{"id": "pi_1"}', JSON),
            response(200, b"", JSON, CHUNKED, length=False)
            + chunk(b'{"id":')
            + chunk(b' "pi_1"}')
            + b"0\r\n\r\n",
        ):
            self.begin(PAID)
            for at in range(0, len(body), 3):
                self.upstream.steps = (body[:at], PAUSE, ABORT)
                asked = len(self.upstream.requests)
                first = Deferred.fromCoroutine(self.cut_off(f"k{at}"))
                await self.upstream.until(lambda asked=asked: len(self.upstream.requests) > asked)
                self.upstream.release()
                await first
                self.upstream.steps = (PAID,)
                answer = await self.pay(f"k{at}")
                self.assertEqual((answer.status, answer.body), (200, b'{"id": "pi_1"}'), at)
                self.assertEqual(answer.header("Idempotent-Replayed"), None)
                self.asked(asked + 2)
            self.assertEqual(self.replays.going_on, 0)

    async def cut_off(self, key):
        """A first request whose upstream breaks off: 502, or our own connection is cut."""
        client = await self.running.client()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        client.request("POST", f"{PINNED}/pay", headers, b'{"amount": 5}')
        answer = await client.answer("POST")
        self.assertTrue(answer.status == 502 or not answer.complete, answer)

    async def test_the_caller_at_every_event(self):
        """A caller who leaves after any event gets all of them again, for what they cost once."""
        head = response(200, b"", CHUNKED, "Content-Type: text/event-stream", length=False)
        usage = b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
        events = [b'data: {"choices": [{"delta": {"content": "%d"}}]}\n\n' % n for n in range(5)]
        whole = [*events, usage, b"data: [DONE]\n\n"]
        pieces = [head, *map(chunk, whole), b"0\r\n\r\n"]
        self.begin(budget=TOKENS, provider="openai", key=None, methods=["POST"])
        asking = {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 9}
        body = json.dumps({**PROMPT, **asking}).encode()
        for number in range(1, len(pieces)):
            self.upstream.steps = (b"".join(pieces[:number]), PAUSE, b"".join(pieces[number:]))
            client = await self.running.client()
            headers = {"Content-Type": "application/json", "Idempotency-Key": f"k{number}"}
            client.request("POST", f"{PINNED}/chat/completions", headers, body)
            await client.read_until(whole[number - 2] if number > 1 else b"\r\n\r\n")
            await client.stop()
            await until(lambda: self.replays.going_on == 1)
            self.upstream.release()
            await until(lambda: not self.replays.going_on)
            again = await self.pay(f"k{number}", body, path="/chat/completions")
            self.assertEqual((again.status, again.body), (200, b"".join(whole)))
            self.assertEqual(self.spent(), [(13 * number, 0)])
            self.asked(number)


class WaysTests(ReplayTestCase):
    """Routes on which more happens than one request to one upstream."""

    async def test_a_signed_request(self):
        """A signature, which no option holds, is kept out of the retry's answer, too."""
        signature = "signature-0123456789"
        body = json.dumps({"seen": signature}).encode()
        self.begin(response(400, body, JSON), sign=lambda request: {"X-Sig": signature})
        for _ in range(2):
            self.assertEqual((await self.pay()).json(), {"seen": "[redacted]"})
        self.asked(1)
        self.assertEqual(self.upstream.requests[0].values("X-Sig"), [signature.encode()])

    async def test_a_callable_s_key(self):
        """A key that a callable makes, likewise."""
        key = {"X-Key": "made-0123456789"}
        body = json.dumps(key).encode()
        self.begin(response(400, body, JSON), forward_headers=lambda request: key)
        for _ in range(2):
            self.assertEqual((await self.pay()).json(), {"X-Key": "[redacted]"})
        self.asked(1)

    async def test_a_redirect(self):
        """A redirect that is followed is inside of the exchange, also without its caller."""
        other = self.stranger(PAUSE, PAID)
        moved = response(307, b"", f"Location: {other.origin}/v2/pay")
        self.begin(
            moved,
            timeout=0.3,
            follow_redirects=True,
            allowed_hosts=["127.0.0.1"],
            allowed_schemes=["http"],
            allowed_ports=[other.port],
        )
        self.assertEqual((await self.pay()).status, 504)
        self.assert_conflict(await self.pay(), running=True)
        other.release()
        await until(lambda: not self.replays.going_on)
        self.assertEqual((await self.pay()).header("Idempotent-Replayed"), "true")
        self.assertEqual((len(self.upstream.requests), len(other.requests)), (1, 1))

    async def test_a_redirect_that_is_relayed(self):
        """Its Location is made absolute against the target that gave it."""
        self.begin(response(303, b"", "Location: ../done"), response_headers=["Location"])
        first, again = await self.pay(), await self.pay()
        self.assertEqual(again.header("Location"), first.header("Location"))
        self.asked(1)

    async def test_whip(self):
        """A session's answer is kept with the Location that leads back here."""
        answer = response(201, b"v=0\r\n", "Content-Type: application/sdp", "Location: /s/1")
        self.begin(answer, content_type="application/sdp")
        offer = {"body": b"v=0\r\n", "path": "", "Content_Type": "application/sdp"}
        first, again = await self.pay(**offer), await self.pay(**offer)
        self.asked(1)
        for each in (first, again):
            self.assertTrue(each.header("Location").startswith(PINNED), each.header("Location"))
