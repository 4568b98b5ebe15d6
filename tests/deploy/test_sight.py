"""deploy/grafana and deploy/prometheus: what they ask for is what a server tells."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from naap_twisted.testing import RawClient
from tests.servers import Postgres

from .support import DEPLOY, filled, secret_file
from .test_containers import ServedCase

DASHBOARD = json.loads((DEPLOY / "grafana/naap-proxy.json").read_text())
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
#: A metric that Prometheus itself makes.
OWN = {"up"}
_NAME = re.compile(r"\b(?:naap_\w+|process_\w+|up)\b")


def names_in(expressions):
    """Metrics that *expressions* are about; what stands in quotes is no metric."""
    return {name for each in expressions for name in _NAME.findall(re.sub(r'"[^"]*"', "", each))}


def queries():
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"][1:]:
        yield variable["definition"]


def told_by(text):
    """The names of a scrape, histograms' parts among them, and the labels of each."""
    names, labels = set(), {}
    for kind, name in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        parts = ("_bucket", "_sum", "_count") if name == "histogram" else ("",)
        names |= {kind + part for part in parts}
    for name, found in re.findall(r"^(\w+)\{(.*)\} ", text, re.MULTILINE):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', found))
    return names, labels


class ScrapeTests(ServedCase):
    async def test_names(self):
        """Every metric is in a scrape of the server of compose.yaml, and the labels, too."""
        secret_file(self.folder, "openai_key")
        secret_file(self.folder, "database_url", Postgres.shared().database("sight"))
        changes = {"/run/secrets": str(self.folder), "redis://redis:6379": self.redis.url}
        config = filled("docker/naap-proxy.toml", self.folder, self.changes() | changes)
        child = self.start(config)
        await child.until(lambda: child.ended or b"listens on" in child.output)
        self.assertFalse(child.ended, child.output)
        # A refused request has a row in most tables.
        status = await self.status(self.port, "/api/v1/openai/models", "localhost")
        self.assertEqual(status, 401)
        client = await RawClient.connect(self, self.admin)
        client.request("GET", "/metrics", {"Host": "127.0.0.1"})
        text = (await client.answer()).body.decode()
        await client.stop()
        names, labels = told_by(text)
        asked = [*queries(), *(rule["expr"] for rule in RULES)]
        self.assertEqual(names_in(asked) - names - OWN, set())
        for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", " ".join(asked)):
            if name in labels:
                used = set(re.findall(r"(\w+)=", matchers)) - {"instance", "job"}
                self.assertLessEqual(used, labels[name], name)


class FileTests(SynchronousTestCase):
    def test_the_rule_itself(self):
        """Names in quotes don't count, histograms have parts."""
        found = names_in(['rate(naap_a_total{route="naap_b"}[5m]) > up', "process_c"])
        self.assertEqual(found, {"naap_a_total", "up", "process_c"})
        names, labels = told_by('# TYPE naap_h histogram\n# TYPE x gauge\nx{a="1",b="2"} 1\n')
        self.assertEqual(names, {"naap_h_bucket", "naap_h_sum", "naap_h_count", "x"})
        self.assertEqual(labels, {"x": {"a", "b"}})

    def test_dashboard(self):
        """Panels have numbers of their own and don't overlap."""
        panels = DASHBOARD["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            self.assertFalse(taken & cells, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells

    def test_promtool(self):
        """Prometheus reads its config and the rules."""
        program = shutil.which("promtool")
        if program is None:
            raise SkipTest("promtool is not installed (Debian: prometheus)")
        folder = Path(self.mktemp()).resolve()
        filled("prometheus/alerts.yaml", folder, {})
        config = filled("prometheus/prometheus.yaml", folder, {})
        done = subprocess.run(
            [program, "check", "config", str(config)], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{len(RULES)} rules found", done.stdout)

    def test_alerts(self):
        """They ring for what they are for, and for a moment's trouble not."""
        program = shutil.which("promtool")
        if program is None:
            raise SkipTest("promtool is not installed (Debian: prometheus)")
        command = [program, "test", "rules", "alerts.test.yaml"]
        done = subprocess.run(
            command, cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_queries(self):
        """Prometheus understands those of the panels, which Grafana fills in."""
        program = shutil.which("promtool")
        if program is None:
            raise SkipTest("promtool is not installed (Debian: prometheus)")
        asked = [each for each in queries() if not each.startswith("label_values")]
        rules = [
            {"record": f"panel:{number}", "expr": each.replace("$__rate_interval", "5m")}
            for number, each in enumerate(asked)
        ]
        path = Path(self.mktemp()).resolve()
        path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
        done = subprocess.run(
            [program, "check", "rules", str(path)], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
