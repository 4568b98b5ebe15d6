"""Tests of naap_twisted.route.metering."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted import create_external_proxy
from naap_twisted.options.provider import parse_provider, provider_text
from naap_twisted.route.metering import asking_of, costing_of, limited_endpoints, token_members
from naap_twisted.route.opening import Opening
from naap_twisted.spend.tokens import USUAL_MEMBERS


class MeteringTests(SynchronousTestCase):
    def test_of_a_provider(self) -> None:
        """Its file says where models answer, where tokens are reported, and how to ask."""
        openai = parse_provider("openai", provider_text("openai"))
        options = create_external_proxy(
            provider="openai", key="k" * 20, max_output_tokens=77
        ).options
        self.assertEqual(token_members(openai), openai.token_members)
        self.assertIn("max_tokens", limited_endpoints(openai)[0].members)
        costing = costing_of(options, Opening(), limited_endpoints(options.provider))
        self.assertEqual(costing.provider, "openai")
        worst = costing.estimator.worst(b"POST", "/chat/completions", {}, 3)
        self.assertEqual((worst.input, worst.output), (1, 77))
        self.assertIsNotNone(asking_of(options, Opening()))

    def test_without_one(self) -> None:
        """The usual places, and nobody is asked."""
        options = create_external_proxy(allowed_hosts=["api.example.com"]).options
        self.assertIs(token_members(None), USUAL_MEMBERS)
        self.assertEqual(
            costing_of(options, Opening(), limited_endpoints(options.provider)).provider, ""
        )
        self.assertIsNone(asking_of(options, Opening()))
