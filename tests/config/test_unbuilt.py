"""What is promised and not there yet is refused, in the table's own words."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.config import schema
from naap_twisted.config.unbuilt import UNBUILT, refusal
from tests.config.support import OTHERS, problems_of

SECTIONS = {
    "server": schema.ServerConfig,
    "auth": schema.AuthConfig,
    "upstream": schema.UpstreamConfig,
    "redis": schema.RedisConfig,
    "proxy[]": schema.ProxyConfig,
}


class UnbuiltTests(SynchronousTestCase):
    def test_every_row_is_a_key(self) -> None:
        """A row that names no key of the schema would refuse nothing."""
        for key in UNBUILT:
            section, _, name = key.partition(".")
            self.assertIn(name, attrs.fields_dict(SECTIONS[section]), key)

    def test_refusal(self) -> None:
        """Built values pass, other values and other keys are told apart."""
        for key, (built, reason) in UNBUILT.items():
            for value in built:
                self.assertIsNone(refusal(key, value), key)
            self.assertEqual(refusal(key, object()), reason)
        self.assertIsNone(refusal("server.name", "x"))

    def test_each_is_refused_in_a_config(self) -> None:
        """One line each, with the key's path."""
        self.assertEqual(set(OTHERS), set(UNBUILT), "a sample for every row")
        for key, edit in OTHERS.items():
            path = key.replace("[]", "[0]")
            (line,) = problems_of(**edit)
            self.assertTrue(line.startswith(f"{path}: "), line)
            self.assertIn("not available in this version", line)
