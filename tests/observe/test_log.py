"""One line an exchange: what it says, and what it never says."""

from __future__ import annotations

import io
import json

from twisted.logger import ILogObserver, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import User
from naap_twisted.auth.static import StaticTokens
from naap_twisted.observe.log import AccessLog, access_fields, json_lines, json_observer
from tests.spine import JSON, TARGET, connect, make_spine, request_bytes

CANARY = "canary-123456789"


class Lines(SynchronousTestCase):
    def spine(self, **options):
        """A spine, and the list that its access lines go to."""
        self.events = []
        spine = make_spine(**options)
        spine.site.regime.observers = [
            AccessLog(Logger("naap.access", observer=self.events.append))
        ]
        return spine

    def line(self):
        (event,) = self.events
        fields = json.loads(event["line"])
        self.assertEqual(fields, access_fields(event["exchange"]))
        return fields

    def test_replayed(self):
        """A kept answer says so, and that no upstream was asked."""
        spine = self.spine(replay="10m")
        for _ in range(2):
            self.events.clear()
            spine.ask(headers=[JSON, ("Idempotency-Key", "k")])
        line = self.line()
        told = line["outcome"], line["status"], line["replayed"], line.get("upstream_status")
        self.assertEqual(told, ("ok", 200, True, None))

    def test_success(self):
        """Id, method, route, status, bytes both ways, target, user, and the time of each phase."""
        spine = self.spine(
            server={
                "require_auth": True,
                "authenticator": StaticTokens({CANARY: User("ada")}),
            }
        )
        token = ("Authorization", f"Bearer {CANARY}")
        spine.ask(headers=[JSON, token, ("X-Request-ID", "id-1")], body=b'{"a": 1}')
        line = self.line()
        phases = line.pop("phases")
        self.assertGreaterEqual(line.pop("ms"), 0)
        self.assertEqual(
            line,
            {
                "request_id": "id-1",
                "method": "POST",
                "route": "/api/v1/x",
                "status": 200,
                "outcome": "ok",
                "bytes_in": 8,
                "bytes_out": 12,
                "target": "https://api.example.com",
                "upstream_status": 200,
                "user": "ada",
            },
        )
        self.assertEqual(list(phases), ["authorize", "body", "headers", "upstream", "relay"])
        self.assertTrue(all(value >= 0 for value in phases.values()))

    def test_users_id(self):
        """Text of somebody else's, quoted: it ends no line and adds no field."""
        for name in ('a","status":500,"x":"', "a\nb", "\\", "\u2028\u00e9\U0001f600", " "):
            spine = self.spine(
                server={
                    "require_auth": True,
                    "authenticator": StaticTokens({CANARY: User(name)}),
                }
            )
            spine.ask(headers=[JSON, ("Authorization", f"Bearer {CANARY}")])
            self.assertEqual(self.line()["user"], name)
            self.assertEqual(len(self.events[0]["line"].splitlines()), 1)

    def test_refusal(self):
        """The code, and the operator's reason; nothing that did not happen."""
        spine = self.spine()
        spine.ask(target="https://evil.com/")
        line = self.line()
        self.assertEqual((line["status"], line["outcome"]), (400, "HOST_NOT_ALLOWED"))
        self.assertIn("evil.com", line["reason"])
        self.assertNotIn("upstream_status", line)
        self.assertNotIn("user", line)

    def test_upstream_error(self):
        """Both statuses; the upstream's text stays out."""
        spine = self.spine()
        spine.upstream.code, spine.upstream.body = 429, CANARY.encode()
        spine.ask()
        line = self.line()
        self.assertEqual((line["status"], line["upstream_status"]), (429, 429))
        self.assertEqual(line["outcome"], "UPSTREAM_ERROR")
        self.assertNotIn(CANARY, repr(self.events))

    def test_no_route(self):
        """A path nobody answers is not repeated: it may hold anything."""
        spine = self.spine()
        spine.path = f"/{CANARY}"
        spine.ask()
        line = self.line()
        self.assertEqual((line["route"], line["outcome"]), ("", "NOT_FOUND"))
        self.assertNotIn(CANARY, repr(self.events))

    def test_browser_left(self):
        """Status 0: it never got one."""
        spine = self.spine()
        spine.upstream.silent = True
        transport = connect(spine.site)
        head = [JSON, ("X-Target-URL", TARGET)]
        transport.protocol.dataReceived(request_bytes("POST", spine.path, head, b"{}"))
        self.assertEqual(self.events, [])
        transport.abortConnection()
        line = self.line()
        self.assertEqual((line["status"], line["outcome"]), (0, "client_gone"))

    def test_never_said(self):
        """No header's value, query, path below a branch or body, of either side."""
        values = [(name, f"{CANARY}-{name}") for name in ("Cookie", "User-Agent", "X-Any")]
        key = {"Authorization": f"Bearer {CANARY}"}
        for options in ({}, {"target": "https://api.example.com/v1"}):
            spine = self.spine(forward_headers=key, pass_headers=["X-Any"], **options)
            spine.upstream.headers = [JSON, ("X-Say", CANARY), ("Location", f"/{CANARY}")]
            spine.upstream.body = CANARY.encode()
            answer = spine.ask(
                headers=[JSON, *values],
                target=None if options else f"{TARGET}/{CANARY}?q={CANARY}",
                below=f"/{CANARY}?q={CANARY}" if options else f"?q={CANARY}",
                body=json.dumps(CANARY).encode(),
            )
            self.assertEqual(answer.code, 200)
            self.assertEqual(self.line()["route"], "/api/v1/x")
            self.assertNotIn(CANARY, repr(self.events))


class JsonLines(SynchronousTestCase):
    def setUp(self):
        self.out = io.StringIO()
        self.log = Logger("some.where", observer=json_observer(self.out))

    def lines(self):
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def test_message(self):
        """Time, level, system and the message; one line whatever the message holds."""
        self.log.warn("a {b}\nc", b='"quoted"')
        (line,) = self.lines()
        self.assertRegex(line.pop("time"), r"\d{4}-\d\d-\d\dT")
        self.assertEqual(
            line, {"level": "warn", "system": "some.where", "message": 'a "quoted"\nc'}
        )

    def test_access(self):
        """An exchange's fields stand beside the others, not inside a text."""
        spine = make_spine()
        spine.site.regime.observers = [AccessLog(self.log)]
        spine.ask()
        (line,) = self.lines()
        self.assertEqual((line["route"], line["status"], line["level"]), ("/api/v1/x", 200, "info"))
        self.assertNotIn("message", line)

    def test_failure(self):
        """The error's type and its traceback."""
        try:
            raise KeyError("x")
        except KeyError:
            self.log.failure("broken", Failure())
        (line,) = self.lines()
        self.assertEqual((line["level"], line["error"]), (LogLevel.critical.name, "KeyError"))
        self.assertIn("test_failure", line["traceback"])

    def test_bounded(self):
        """A message without end does not make a line without end."""
        self.log.info("{text}", text="x" * 100_000)
        self.assertLess(len(self.out.getvalue()), 5000)

    def test_for_twistd(self):
        """``--logger`` calls it for an observer."""
        self.assertTrue(ILogObserver.providedBy(json_lines))
        self.assertTrue(ILogObserver.providedBy(json_lines()))
