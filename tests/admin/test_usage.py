"""Tests of naap_twisted.admin.usage, over sockets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.admin.usage import MOST_ROWS, format_of, parameters_of, question_of
from naap_twisted.admin.usage_formats import FORMATS
from naap_twisted.errors import BadRequest
from naap_twisted.spend.counts import Counts, UsageKey

from .support import AdminTestCase

ROOT = Path(__file__).resolve().parents[2]


class QuestionTests(SynchronousTestCase):
    def asked(self, query: str) -> Any:
        values = parameters_of(f"/usage?{query}".encode())
        return question_of(values, format_of(values, []))

    def test_usual(self) -> None:
        """Without parameters: everything by everything, a bounded number of rows."""
        values = parameters_of(b"/usage")
        question = question_of(values, format_of(values, []))
        self.assertEqual(question.by, ("day", "user", "route", "model"))
        self.assertEqual((question.limit, question.where, question.first), (1_000, {}, ""))

    def test_read(self) -> None:
        """Each parameter; an empty user is who was not signed in."""
        question = self.asked("by=user,month&user=&model=gpt%2F4&from=2026-10&to=2026-10&offset=7")
        self.assertEqual(question.by, ("user", "month"))
        self.assertEqual(question.where, {"user": "", "model": "gpt/4"})
        self.assertEqual((question.first, question.last), ("2026-10", "2026-10-31"))
        self.assertEqual((question.offset, self.asked("limit=0").limit), (7, 1))
        self.assertEqual(self.asked("by=").by, ())
        self.assertEqual(self.asked("format=openmetrics").limit, MOST_ROWS)

    def test_refused(self) -> None:
        """What is no question is told by its parameter."""
        for query in (
            *("by=user,secret", "by=user,user", "from=yesterday", "to=2026-02-30", "from=2026-13"),
            *("limit=10001", "limit=-1", "limit=1e3", "limit=٣", "offset=99999999", "format=xml"),
            *("user=a&user=b", "nothing=1", "user=%FF", "user=\xff", "user=%00"),
            "&".join(f"a{n}=1" for n in range(30)),
        ):
            self.assertRaises(BadRequest, self.asked, query)

    def test_accept(self) -> None:
        """The first known type of Accept, where the query names none."""
        for accept, name in (
            ([], "json"),
            ([b"*/*"], "json"),
            ([b"text/csv"], "csv"),
            ([b"application/xml, application/openmetrics-text; version=1.0.0, */*"], "openmetrics"),
            ([b"text/html", b"Text/CSV;q=0.5"], "csv"),
        ):
            self.assertIs(format_of({}, accept), FORMATS[name])
        self.assertIs(format_of({"format": "json"}, [b"text/csv"]), FORMATS["json"])


class UsageTotalsTests(AdminTestCase):
    async def begin(self, **options: Any) -> None:
        self.start(state_dir=self.mktemp(), **options)
        await self.server.parts.state.usage._store.add(
            {
                UsageKey("ada", "/a", "2026-11-25", "m"): Counts(requests=1, usd_nanos=10**9),
                UsageKey("ada", "/a", "2026-11-26", "n"): Counts(requests=2, usd_nanos=10**8),
                UsageKey("=bob", "/b", "2026-11-26", "m"): Counts(requests=4, input_tokens=7),
            }
        )

    async def test_totals(self) -> None:
        """By user those who cost most first; of one user by day the latest."""
        await self.begin()
        answer = await self.ask("/usage?by=user")
        self.assertEqual((answer.status, answer.header("cache-control")), (200, "no-store"))
        rows = [(row["user"], row["usd"], row["requests"]) for row in answer.json()["rows"]]
        self.assertEqual(rows, [("ada", "1.1", 3), ("=bob", "0", 4)])
        self.assertEqual(answer.json()["total"]["requests"], 7)
        rows = (await self.ask("/usage?by=day&user=ada&from=2026-11-26")).json()["rows"]
        self.assertEqual([(row["day"], row["requests"]) for row in rows], [("2026-11-26", 2)])
        rows = (await self.ask(f"/usage?by=&user={quote('=bob')}")).json()["rows"]
        self.assertEqual([row["requests"] for row in rows], [4])

    async def test_documented(self) -> None:
        """docs/admin.md shows such an answer."""
        text = (ROOT / "docs" / "admin.md").read_text("utf-8")
        shown = text.partition("<!-- usage-totals -->\n```json\n")[2].partition("```")[0]
        await self.begin()
        document = (await self.ask("/usage?by=user,model&limit=1")).json()
        wanted = json.loads(shown)
        self.assertEqual(document.keys(), wanted.keys())
        self.assertEqual(document["rows"][0].keys(), wanted["rows"][0].keys())

    async def test_formats(self) -> None:
        """CSV as a file, and OpenMetrics, by the query or by Accept."""
        await self.begin()
        answer = await self.ask("/usage?by=user&format=csv")
        self.assertIn("attachment", answer.header("content-disposition"))
        self.assertIn(b"\r\n'=bob,4,7,", answer.body)
        answer = await self.ask("/usage", {"Accept": "application/openmetrics-text"})
        self.assertTrue(answer.header("content-type").startswith("application/openmetrics-text"))
        self.assertIn(b'naap_usage_requests{day="2026-11-25",model="m",route="/a"', answer.body)

    async def test_pages(self) -> None:
        """A bounded answer says where the next page is, in every format."""
        await self.begin()
        seen, path = [], "/usage?by=model,user&limit=1"
        for _ in range(3):
            answer = await self.ask(path)
            (row,) = answer.json()["rows"]
            seen.append((row["user"], row["model"]))
            link = answer.header("link")
            path = "" if link is None else link.partition("<")[2].partition(">")[0]
        self.assertEqual((len(set(seen)), path), (3, ""))
        answer = await self.ask("/usage?limit=1&format=csv")
        self.assertIn("offset=1", answer.header("link"))

    async def test_this_machine_only(self) -> None:
        """Who may not ask the console may not ask here: names of users are in it."""
        await self.begin()
        for headers, status in (
            ({"Host": "evil.example"}, 421),
            ({"Origin": "http://evil.example"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "none"}, 200),
        ):
            self.assertEqual((await self.ask("/usage", headers)).status, status, headers)
        self.assertEqual((await self.ask("/usage", body=b"x", method="POST")).status, 405)
        self.assertEqual((await self.ask("/usage/more")).status, 404)
        self.assertEqual((await self.ask("/usage?by=secret")).status, 400)

    async def test_nothing_kept(self) -> None:
        """A server that keeps nothing says what to set."""
        self.start()
        answer = await self.ask("/usage")
        self.assertEqual(answer.status, 404)
        self.assertIn("state_dir", answer.json()["error"]["message"])

    async def test_store_gone(self) -> None:
        """While the database is gone the answer is 503."""
        await self.begin()
        database = self.server.parts.state._database
        database.close()
        self.assertEqual((await self.ask("/usage")).status, 503)
        database.open()
        self.assertEqual((await self.ask("/usage")).status, 200)
