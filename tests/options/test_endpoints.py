"""The readers of ``endpoints`` and ``query``."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.endpoints import endpoint_text, query_rules
from naap_twisted.policy.query_rules import QueryRules


class ReaderTests(SynchronousTestCase):
    def test_endpoint(self) -> None:
        """A text stays as written; a group is the provider's to resolve."""
        for text in ("POST /chat/completions", "GET https://api.example.com/a*", "@chat"):
            self.assertEqual(endpoint_text(text), text)
        self.assertRaises(ValueError, endpoint_text, "post /chat")

    def test_query(self) -> None:
        """A table becomes rules, rules stay, and anything else is told what to write."""
        rules = query_rules({"model": ["gpt-*"], "!": True})
        assert rules is not None
        self.assertTrue(rules.closed)
        self.assertIs(query_rules(rules), rules)
        self.assertIsNone(query_rules(None))
        error = self.assertRaises(ValueError, query_rules, ["model"])
        self.assertIn('a table such as { model = ["gpt-realtime*"] }', str(error))
        self.assertEqual(query_rules({}), QueryRules())
