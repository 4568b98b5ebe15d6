"""Tests of naap_twisted.admin.usage_formats."""

from __future__ import annotations

import csv
import io
import json

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.admin.usage_formats import FORMATS, cell
from naap_twisted.spend.counts import Counts
from naap_twisted.spend.totals import Question, Total, Totals

QUESTION = Question(("user", "day"), limit=2, offset=4)
COUNTS = Counts(requests=3, input_tokens=9, output_tokens=1, usd_nanos=1_500, estimated_tokens=5)
NAMES = ('=HYPERLINK("http://evil.example";"x")', 'a"b\\c\nd,e', "")
TOTALS = Totals(
    tuple([Total({"day": "2026-11-26", "user": name}, COUNTS) for name in NAMES]),
    Counts(requests=99),
    more=True,
)


class FormatTests(SynchronousTestCase):
    def write(self, name: str) -> str:
        return FORMATS[name].write(QUESTION, TOTALS).decode()

    def test_json(self) -> None:
        """Each row by its names, the sums over all of them, and where the next page begins."""
        document = json.loads(self.write("json"))
        self.assertEqual((document["by"], document["next_offset"]), (["day", "user"], 6))
        self.assertEqual([row["user"] for row in document["rows"]], [*NAMES])
        row = document["rows"][0]
        self.assertEqual((row["day"], row["requests"], row["usd"]), ("2026-11-26", 3, "0.0000015"))
        self.assertEqual((row["tokens"]["total"], row["estimated_share"]), (10, 0.5))
        self.assertEqual(document["total"]["requests"], 99)
        last = Totals(TOTALS.rows, COUNTS, more=False)
        document = json.loads(FORMATS["json"].write(QUESTION, last))
        self.assertIsNone(document["next_offset"])

    def test_csv(self) -> None:
        """A table that readers read back; what a spreadsheet would reckon stays a text."""
        head, *rows = csv.reader(io.StringIO(self.write("csv"), newline=""))
        self.assertEqual(head[:4], ["day", "user", "requests", "total_tokens"])
        self.assertEqual([row[1] for row in rows], [f"'{NAMES[0]}", NAMES[1], ""])
        self.assertEqual(rows[0][head.index("usd")], "0.0000015")
        self.assertEqual({len(row) for row in rows}, {len(head)})

    def test_cells(self) -> None:
        """Whatever begins a formula, behind spaces too; not what only has such a sign in it."""
        for text in ("=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "\uff201"):
            self.assertEqual(cell(text), f"'{text}")
        for text in ("ada", "a=b", "ada@example.org", "", "'=1"):
            self.assertEqual(cell(text), text)

    def test_openmetrics(self) -> None:
        """What a parser reads back, to the end mark; names in any spelling."""
        text = self.write("openmetrics")
        self.assertTrue(text.endswith("# EOF\n"))
        families = {each.name: each for each in text_string_to_metric_families(text)}
        self.assertEqual({each.type for each in families.values()}, {"gauge"})
        requests = families["naap_usage_requests"].samples
        self.assertEqual([sample.labels["user"] for sample in requests], [*NAMES])
        self.assertEqual(requests[0].value, 3)
        (usd, *_) = families["naap_usage_usd"].samples
        self.assertEqual((usd.value, usd.labels["day"]), (0.0000015, "2026-11-26"))
        tokens = {
            sample.labels["kind"]: sample.value
            for sample in families["naap_usage_tokens"].samples
            if sample.labels["user"] == ""
        }
        self.assertEqual((tokens["input"], tokens["output"], tokens["reasoning"]), (9, 1, 0))
