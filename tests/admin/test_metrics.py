"""The numbers as a scrape reads them, after real requests."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from naap_twisted import RateLimit, create_external_proxy
from naap_twisted.downstream.held import Hold
from naap_twisted.testing import CLOSE, PAUSE, ScriptedUpstream

from .support import JSON, PATH, AdminTestCase

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"


class MetricsTests(AdminTestCase):
    async def scrape(self):
        """Samples by name and sorted labels."""
        answer = await self.ask("/metrics")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.header("content-type").startswith("text/plain; version="))
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(answer.body.decode())
            for sample in family.samples
        }

    async def test_replays(self):
        """What became of requests with a key, and what is held for their retries."""
        upstream = ScriptedUpstream(self, OK)
        running = self.start()
        proxy = create_external_proxy(
            target=upstream.origin, allow_networks=["127.0.0.1/32"], replay="10m"
        )
        running.server.mount("/kept", proxy)
        for _ in range(3):
            headers = {**JSON, "Idempotency-Key": "k"}
            await running.ask("POST", "/api/v1/kept", headers, b"{}")
        found = await self.scrape()
        self.assertEqual(found["naap_replays_total", "/api/v1/kept", "kept"], 1)
        self.assertEqual(found["naap_replays_total", "/api/v1/kept", "replayed"], 2)
        self.assertTrue(1024 < found[("naap_replay_bytes",)] < 2048)
        self.assertEqual(found[("naap_replays_going_on",)], 0)

    async def test_exchanges(self):
        """Answers by route and class, failures by outcome, what nobody answers under its own."""
        running = self.start()
        for target in ("https://evil.com/", "https://evil.com/?" + "x" * 50):
            await running.ask("POST", PATH, {**JSON, "X-Target-URL": target}, b"{}")
        await running.ask("GET", "/nowhere")
        await running.ask("GET", "/somewhere/else")
        await running.ask("GET", "/healthz")
        found = await self.scrape()
        for sample, value in (
            (("naap_requests_total", "/api/v1/x", "4xx"), 2),
            (("naap_requests_total", "(none)", "4xx"), 2),
            (("naap_requests_total", "/healthz", "2xx"), 1),
            (("naap_failures_total", "/api/v1/x", "HOST_NOT_ALLOWED"), 2),
            (("naap_failures_total", "(none)", "NOT_FOUND"), 2),
            (("naap_request_duration_seconds_count", "/api/v1/x"), 2),
            (("naap_request_duration_seconds_bucket", "+Inf", "/api/v1/x"), 2),
            (("naap_in_flight",), 0),
        ):
            self.assertEqual(found[sample], value, sample)
        self.assertNotIn("evil", repr(found))
        self.assertIn(("process_open_fds",), found)
        self.assertNotIn(("naap_redis_up",), found)
        self.assertNotIn(("naap_usage_lost_total",), found)

    async def test_upstreams(self):
        """Connections in use and idle, exchanges in flight, streams that were cut."""
        running = self.start()
        upstream = ScriptedUpstream(self, OK)
        proxy = create_external_proxy(
            target=upstream.origin, allow_networks=["127.0.0.1/32"], methods=["GET"]
        )
        self.server.mount("/up", proxy)
        await running.ask("GET", "/api/v1/up")
        found = await self.scrape()
        states = [found["naap_upstream_connections", state] for state in ("busy", "idle")]
        self.assertEqual(states, [0, 1])
        upstream.steps = (CUT, PAUSE, CLOSE)
        client = await running.client()
        client.request("GET", "/api/v1/up")
        await client.head()
        found = await self.scrape()
        states = [found["naap_upstream_connections", state] for state in ("busy", "idle")]
        self.assertEqual((states, found["naap_in_flight",]), ([1, 0], 1))
        upstream.release()
        await client.read_to_end()
        found = await self.scrape()
        self.assertEqual(found["naap_failures_total", "/api/v1/up", "upstream_cut"], 1)

    async def test_held_bodies(self):
        """What is held now, and who found no room."""
        self.start()
        account = self.server.site().held
        Hold(account, "192.0.2.1").take(5000)
        account.refused = 3
        found = await self.scrape()
        self.assertEqual(found["naap_held_body_bytes",], 5000)
        self.assertEqual(found["naap_held_bodies_refused_total",], 3)

    async def test_rate_limited(self):
        """429s are found under their code."""
        running = self.start(rate_limit=RateLimit(1, 60.0))
        for _ in range(3):
            await running.ask("GET", "/nowhere")
        found = await self.scrape()
        self.assertEqual(found["naap_failures_total", "(none)", "RATE_LIMITED"], 2)

    async def test_usage(self):
        """Where usage is kept, what it lost is told."""
        self.start(state_dir=self.mktemp())
        self.server.parts.state.usage.lost = 7
        self.assertEqual((await self.scrape())["naap_usage_lost_total",], 7)

    async def test_not_counted_for_nobody(self):
        """Without an admin port nothing is counted, and nothing is paid for it."""
        running = self.start(admin_listen="")
        await running.ask("GET", "/nowhere")
        self.assertEqual(self.server.parts.tally.routes, {})
