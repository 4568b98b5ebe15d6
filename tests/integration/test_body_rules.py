"""Rules about bodies, over sockets: what goes up is what was judged, and nothing else goes."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode

from prometheus_client import generate_latest
from twisted.logger import capturedLogs

from naap_twisted import create_external_proxy
from naap_twisted.admin.metrics import metrics_of
from naap_twisted.downstream.limits import DownstreamLimits
from naap_twisted.errors import BodyNotAllowed

from .support import OK, ORIGIN, RefusalTestCase, response, until

PINNED = "/api/v1/p"
CHAT = b'{ "model":"gpt-4o-mini", "messages" : [{"role":"user","content":"h\\u00e9"}], "n":1.0 }'
ADMIN = {"admin_listen": "tcp:0:interface=127.0.0.1"}
FORM = "application/x-www-form-urlencoded"


class BodyTestCase(RefusalTestCase):
    def begin(self, *steps, server=None, **route):
        self.start(*steps, server=server)
        target = f"{self.upstream.origin}/v1"
        self.mount("/p", **{"target": target, **route})

    async def send(self, body, kind="application/json", below="/chat", method="POST", **headers):
        given = {"Origin": ORIGIN, "Content-Type": kind}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.running.ask(method, PINNED + below, given, body)

    async def refuse(self, status, code, param, *args, **kwargs):
        answer = await self.send(*args, **kwargs)
        error = answer.json()["error"]
        self.assertEqual((answer.status, error["code"], error["param"]), (status, code, param))
        self.assert_readable(answer)
        self.assertEqual(self.upstream.connections, 0)
        return error["message"]


class JsonTests(BodyTestCase):
    async def test_byte_for_byte(self):
        """A body that nothing changes is not written anew, however it is spelled."""
        rules = {"n": {"max": 1}, "messages.role": {"in": ["user"]}}
        self.begin(OK, models=["gpt-4o-mini"], body={"rules": rules})
        self.assertEqual((await self.send(CHAT)).status, 200)
        (received,) = self.upstream.requests
        self.assertEqual(received.body, CHAT)
        self.assertEqual(received.values("Content-Type"), [b"application/json"])

    async def test_changed(self):
        """A changed body has its own length, the page's bytes around, and no digest of another."""
        words = {"user": "server", "stream_options.include_usage": True}
        self.begin(OK, body={"set": words, "default": {"temperature": 0.2}})
        digest = f"sha-256=:{b64encode(hashlib.sha256(CHAT).digest()).decode()}:"
        answer = await self.send(CHAT, Content_Digest=digest, Content_MD5="x", Accept="a/b")
        self.assertEqual(answer.status, 200)
        (received,) = self.upstream.requests
        more = b',"temperature":0.2,"user":"server","stream_options":{"include_usage":true} }'
        self.assertEqual(received.body, CHAT[:-2] + more)
        self.assertEqual(received.values("Content-Length"), [b"%d" % len(received.body)])
        for name in ("Content-Digest", "Content-MD5"):
            self.assertEqual(received.values(name), [])
        self.assertEqual(received.values("Accept"), [b"a/b"])

    async def test_unchanged_keeps_its_digest(self):
        """It vouches for the bytes that go up."""
        self.begin(OK, body={"forbid": ["tools"]})
        await self.send(CHAT, Content_Digest="sha-256=:abc=:")
        self.assertEqual(self.upstream.requests[0].values("Content-Digest"), [b"sha-256=:abc=:"])

    async def test_refusals(self):
        """Each names the member and the rule, before a byte goes up."""
        self.begin(
            models=["gpt-4o-mini"],
            body={"only": ["model", "n", "messages"], "rules": {"n": {"max": 1}}},
        )
        for body, status, code, param in (
            (b'{"model":"gpt-5"}', 403, "MODEL_NOT_ALLOWED", "model"),
            (b'{"messages":[]}', 403, "MODEL_NOT_ALLOWED", "model"),
            (b'{"model":"gpt-4o-mini","n":2}', 422, "BODY_NOT_ALLOWED", "n"),
            (b'{"model":"gpt-4o-mini","tools":[]}', 422, "BODY_NOT_ALLOWED", "tools"),
            (b'{"model":"gpt-4o-mini","\\u006d\\u006fdel":"x"}', 422, "BODY_NOT_ALLOWED", "model"),
            (b'{"model":"gpt-4o-mini","N":1}', 422, "BODY_NOT_ALLOWED", "N"),
            (b'[{"model":"gpt-4o-mini"}]', 422, "BODY_NOT_ALLOWED", None),
            (b'{"model":"gpt-4o-mini","n":NaN}', 400, "INVALID_JSON", None),
            (b'\xef\xbb\xbf{"model":"gpt-4o-mini"}', 400, "INVALID_JSON", None),
        ):
            await self.refuse(status, code, param, body)

    async def test_what_hides_a_body(self):
        """A coding, another charset, another type."""
        self.begin(body={"forbid": ["tools"]}, content_type=["*/*"])
        for kind, headers in (
            ("application/json", {"Content_Encoding": "gzip"}),
            ("application/json; charset=utf-16", {}),
            ("application/json; charset=utf-8; charset=utf-7", {}),
            ("application/json, text/plain", {}),
            ("text/plain", {}),
            ("application/octet-stream", {}),
            ("application/graphql", {}),
        ):
            await self.refuse(415, "UNSUPPORTED_MEDIA_TYPE", None, b"{}", kind, **headers)

    async def test_told(self):
        """The log tells the rule and the line, never the value; the metrics count by rule."""
        self.begin(body={"rules": {"note": {"in": ["a"]}}}, server=ADMIN)
        with capturedLogs() as events:
            await self.refuse(422, "BODY_NOT_ALLOWED", "note", b'{"note":"s3cret-word of a page"}')
            await self.refuse(422, "BODY_NOT_ALLOWED", "note", b'{"note":"b"}')
        lines = [event["line"] for event in events if "line" in event]
        self.assertIn("body rule: note: must be one of", lines[0])
        self.assertNotIn("s3cret", "".join(lines))
        self.assertIn("to allow it: rules = { note = { in = ", lines[1])
        metrics = generate_latest(metrics_of(self.running.server)).decode()
        counted = 'naap_policy_refusals_total{code="BODY_NOT_ALLOWED",route="/api/v1/p",'
        self.assertIn(counted + 'rule="rules.note"} 2.0', metrics)

    async def test_too_large(self):
        """A body over what is judged is refused; one too many for the server waits for no room."""
        self.begin(body={"forbid": ["tools"]}, body_limit=2000)
        await self.refuse(413, "BODY_TOO_LARGE", None, b'{"a":"%s"}' % (b"x" * 2000))

    async def test_shared_bound(self):
        """All judged bodies share one bound of memory, and past it a request gets 503."""
        limits = DownstreamLimits(held=20_000, held_per_address=20_000)
        self.begin(
            content_type=["*/*"],
            body={"forbid": ["tools"]},
            body_limit=50_000,
            server={"limits": limits},
        )
        body = b'{"a":"%s"}' % (b"x" * 30_000)
        head = f"POST {PINNED}/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        slow = await self.running.client()
        slow.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:15_000])
        await until(lambda: self.running.server.site().held.total == 15_000)
        answer = await self.send(body)
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (503, "UNAVAILABLE"))
        self.assertEqual(self.upstream.connections, 0)
        await slow.stop()


class FormTests(BodyTestCase):
    async def test_stripe(self):
        """Brackets, amounts, a word of the server's; parameters of the query count as fields."""
        body = {
            "only": ["amount", "currency", "metadata"],
            "rules": {"amount": {"min": 50, "max": 5000}, "currency": {"in": ["eur"]}},
            "set": {"metadata.shop": "s 1"},
        }
        self.begin(OK, content_type=FORM, body=body)
        for form, param in (
            (b"amount=5001&currency=eur", "amount"),
            (b"amount=0050&currency=eur", "amount"),
            (b"amount=50&currency=usd", "currency"),
            (b"amount=50&amount=9999", "amount"),
            (b"amount=50&Amount=9999", "Amount"),
            (b"amount=50&customer=cus_1", "customer"),
            (b"amount=50&metadata[a][b]=x&metadata[a]=y", "metadata[a]"),
        ):
            await self.refuse(422, "BODY_NOT_ALLOWED", param, form, FORM)
        for query in ("?amount=9999", "?expand[]=x"):
            answer = await self.send(b"amount=50&currency=eur", FORM, below=f"/charges{query}")
            self.assertEqual(answer.status, 422)
        self.assertEqual(self.upstream.connections, 0)
        form = b"amount=50&currency=eur&metadata[order]=6"
        self.assertEqual((await self.send(form, FORM)).status, 200)
        (received,) = self.upstream.requests
        self.assertEqual(received.body, form + b"&metadata[shop]=s+1")
        self.assertEqual(received.values("Content-Type"), [FORM.encode()])

    async def test_realtime_call(self):
        """The session inside of a form of WebRTC: its model is judged, the server's word stands."""
        session = '{"type":"realtime","model":"gpt-realtime"}'
        rules = {"only": ["sdp", "session"], "set": {"session.instructions": "Be brief."}}
        self.begin(
            OK,
            provider="openai",
            endpoints=["POST /realtime/calls"],
            models=["gpt-realtime*"],
            body=rules,
        )

        def form(session):
            parts = (("sdp", "v=0"), ("session", session))
            text = "".join(
                f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                for name, value in parts
            )
            return f"{text}--b--\r\n".encode()

        kind, below = "multipart/form-data; boundary=b", "/realtime/calls"
        for bad in ('{"model":"gpt-4o"}', '{"type":"realtime"}', '{"MODEL":"gpt-realtime"}', "x"):
            answer = await self.send(form(bad), kind, below)
            self.assertIn(answer.status, (400, 403, 422), bad)
        self.assertEqual(self.upstream.connections, 0)
        answer = await self.send(form(session), kind, below)
        self.assertEqual(answer.status, 200, answer.body)
        (received,) = self.upstream.requests
        head, _, rest = received.body.partition(b'name="session"')
        self.assertIn(b"v=0", head)
        sent = json.loads(rest.partition(b"\r\n\r\n")[2].partition(b"\r\n--b")[0])
        self.assertEqual(sent, {**json.loads(session), "instructions": "Be brief."})


class OutputTests(BodyTestCase):
    async def test_openai(self):
        """Set where absent by the endpoint's own name, refused above, whatever the name."""
        self.begin(OK, provider="openai", max_output_tokens=2000)
        for below, name in (
            ("/chat/completions", "max_completion_tokens"),
            ("/responses", "max_output_tokens"),
        ):
            await self.send(b'{"model":"m"}', below=below)
            self.assertEqual(json.loads(self.upstream.requests[-1].body)[name], 2000)
        before = len(self.upstream.requests)
        answer = await self.send(b'{"max_tokens":4000}', below="/chat/completions")
        self.assertEqual(answer.json()["error"]["param"], "max_tokens")
        self.assertEqual(len(self.upstream.requests), before)

    async def test_clamp(self):
        """Lowered in its place, where the owner says so."""
        bound = {"tokens": 100, "over": "clamp"}
        self.begin(OK, provider="openai", max_output_tokens=bound)
        await self.send(b'{"max_tokens": 4000,"a":1}', below="/chat/completions")
        self.assertEqual(self.upstream.requests[0].body, b'{"max_tokens": 100,"a":1}')


class JudgeTests(BodyTestCase):
    async def test_callable(self):
        """A plugin's callable sees the parsed body; what it raises, a page reads."""

        def judge(request, body):
            if body.get("total", 0) > request.record.bytes_in + 100:
                raise BodyNotAllowed("too much", param="total")
            return {**body, "seen": True}

        self.begin(OK, judge=judge)
        await self.refuse(422, "BODY_NOT_ALLOWED", "total", b'{"total":10000}')
        await self.send(b'{"total":1}')
        self.assertEqual(json.loads(self.upstream.requests[0].body), {"total": 1, "seen": True})

    async def test_redirect(self):
        """The changed body is what is sent again."""
        moved = response(307, b"", "Location: /v1/other")
        self.begin(moved, body={"set": {"n": 1}}, follow_redirects=True)
        await self.send(b"{}")
        self.assertEqual({each.body for each in self.upstream.requests}, {b'{"n":1}'})
        self.assertEqual(len(self.upstream.requests), 4)


class StartTests(RefusalTestCase):
    def test_public_form(self):
        """The same table in code."""
        proxy = create_external_proxy(
            target="https://api.example.com", body={"only": ["a"], "rules": {"a": {"max": 1}}}
        )
        assert proxy.options.body is not None
        self.assertEqual(proxy.options.body.only, ("a",))
