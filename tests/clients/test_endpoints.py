"""The groups of our providers beside the SDKs' own calls."""

from __future__ import annotations

from importlib.util import find_spec

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.options.provider import parse_provider, provider_names, provider_text
from naap_twisted.policy.endpoint_pattern import Endpoint, flaws

from ..browser.support import lacks
from .endpoints import SDKS, calls_of, covered, shape

#: In the vendor's reference, and not among its SDK's calls.
_BEYOND = {
    "anthropic": {"GET /v1/messages/batches/*/results"},  # the SDK takes the URL of an answer
    "groq": {"POST /openai/v1/responses"},
    "openrouter": {"POST /messages"},
}


class EndpointTests(SynchronousTestCase):
    def test_groups_are_the_vendors(self) -> None:
        """An endpoint of a group is one that the vendor's SDK asks for: none is misspelt."""
        for name, (package, *_) in SDKS.items():
            if find_spec(package) is None:
                lacks(f"{package} is missing: pip install -r tests/clients/requirements.txt")
            known = parse_provider(name, provider_text(name))
            listed = {shape(text) for texts in known.endpoints.values() for text in texts}
            with self.subTest(name=name):
                calls = calls_of(name)
                self.assertGreater(len(calls), 10)
                self.assertEqual(listed - calls, _BEYOND.get(name, set()))

    def test_apart(self) -> None:
        """No endpoint of a provider's includes another: any of its groups go together."""
        for name in provider_names():
            known = parse_provider(name, provider_text(name))
            # What it is for: all of a deployment in one line.
            groups = [group for group in known.endpoints if group != "deployments"]
            listed = [Endpoint.parse(text) for group in groups for text in known.endpoints[group]]
            self.assertEqual(flaws(listed), [], name)

    def test_covered(self) -> None:
        """What is in no group is told from what is in one."""
        gemini = parse_provider("gemini", provider_text("gemini"))
        self.assertTrue(covered(gemini, "POST", "/v1beta/models/gemini-x:generateContent"))
        self.assertFalse(covered(gemini, "POST", "/v1beta/models/gemini-x:tune"))
        stripe = parse_provider("stripe", provider_text("stripe"))
        self.assertTrue(covered(stripe, "GET", "/v1/customers/cus_1"))
        self.assertFalse(covered(stripe, "POST", "/v1/payouts"))
        self.assertFalse(covered(stripe, "GET", "/v1/checkout/sessions/search"))
        mcp = parse_provider("mcp", provider_text("mcp"))
        self.assertTrue(covered(mcp, "POST", ""))
        self.assertFalse(covered(mcp, "POST", "/x"))
