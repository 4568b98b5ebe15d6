"""docs/clients.md says what the tests of clients show."""

from __future__ import annotations

import re
import tomllib

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config.load import parse_config
from naap_twisted.errors import ConfigError
from naap_twisted.options.provider import provider_names
from naap_twisted.start.cli import config_for

from .table import DOCUMENT, GROUPS_MARK, MARK, groups_table, stages, table


class TableTests(SynchronousTestCase):
    def test_table(self) -> None:
        """The document's tables are those of these tests and of the providers' files."""
        text = DOCUMENT.read_text(encoding="utf-8")
        self.assertIn(f"{MARK}\n{table()}\n", text, "run: python -m tests.clients.table")
        self.assertIn(f"{GROUPS_MARK}\n{groups_table()}\n", text, "run the same")

    def test_every_provider(self) -> None:
        """Each has a client of PyPI, and a config to begin with that starts."""
        shown = {stage.provider for stage in stages() if stage.client.registry == "PyPI"}
        self.assertEqual(set(provider_names()) - shown, set())
        for name in provider_names():
            text = config_for(name)
            if "<your-" in text:
                # The key would go to whoever owns a name that was only an example.
                environ = dict.fromkeys(re.findall(r"env:(\w+)", text), "a-key-of-the-vendor")
                with self.assertRaises(ConfigError) as caught:
                    parse_config(text, environ=environ)
                (line,) = caught.exception.problems
                self.assertIn('target: still holds "<your-', line)
                text = re.sub("<.*?>", "acme.example.org", text)
            (route,) = tomllib.loads(text)["proxy"]
            variable = route.get("key", "${env:NONE}").removeprefix("${env:").removesuffix("}")
            config = parse_config(text, environ={variable: "a-key-of-the-vendor"})
            self.assertEqual(config.proxy[0].path, f"/{name}")
