"""Every body of the tables over sockets: what has two readings reaches no upstream."""

from __future__ import annotations

from ..body_vectors import ACCEPTED, REFUSED
from ..integration.support import OK, IntegrationTestCase

PINNED = "/api/v1/p"
CODES = {400: {"INVALID_JSON", "INVALID_FORM"}, 422: {"BODY_NOT_ALLOWED"}}
CODES[415] = {"UNSUPPORTED_MEDIA_TYPE"}


class BodyTests(IntegrationTestCase):
    timeout = 60

    def begin(self, **body):
        self.start(OK)
        target = f"{self.upstream.origin}/v1"
        self.mount("/p", target=target, content_type=["*/*"], body=body)

    async def send(self, kind, body):
        headers = {"Content-Type": kind.decode("latin-1")} if kind else {}
        return await self.running.ask("POST", f"{PINNED}/x", headers, body)

    async def test_refused(self):
        """400, 415 or 422, as the table says, and never a byte upstream."""
        self.begin(rules={"never-there": {"max": 1}})
        for kind, body, error in REFUSED:
            if not body:
                continue  # Without a body there is nothing to judge.
            answer = await self.send(kind, body)
            with self.subTest(kind=kind, body=body):
                self.assertEqual(answer.status, error.status, answer.body)
                self.assertIn(answer.json()["error"]["code"], CODES[answer.status])
        self.assertEqual(self.upstream.connections, 0)

    async def test_accepted(self):
        """What has one reading goes up byte for byte; what has no members is no body to judge."""
        self.begin(rules={"never-there": {"max": 1}})
        passed = 0
        for kind, body, value in ACCEPTED:
            answer = await self.send(kind, body)
            with self.subTest(kind=kind, body=body):
                if not body:
                    continue
                self.assertEqual(answer.status, 200 if isinstance(value, dict) else 422)
                if answer.status == 200:
                    passed += 1
                    self.assertEqual(self.upstream.requests[-1].body, body)
                    self.assertEqual(self.upstream.requests[-1].values("Content-Type"), [kind])
        self.assertGreater(passed, 60)

    async def test_hidden_members(self):
        """No trick gets a forbidden member, or another value of a judged one, past a rule."""
        self.begin(forbid=["a"], rules={"b": {"in": ["1", 1]}})
        for kind, body, value in ACCEPTED:
            if not isinstance(value, dict):
                continue
            broken = "a" in value or str(value.get("b", "1")) != "1"
            folded = {str(name).casefold().strip("_-. ") for name in value} - set(value)
            answer = await self.send(kind, body)
            with self.subTest(kind=kind, body=body):
                self.assertEqual(answer.status == 200, not broken and not folded & {"a", "b"})
