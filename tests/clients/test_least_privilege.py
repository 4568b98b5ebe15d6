"""Stock clients behind the recipes of docs/least-privilege.md: what is opened works."""

from __future__ import annotations

import tomllib
from typing import Any
from urllib.parse import parse_qsl

from ..integration.test_least_privilege import RECIPES
from . import test_mcp, test_stripe
from .support import TOKEN, Client, PythonClientTestCase

_STAGE = ("path", "provider", "key", "target")


def options_of(recipe: str) -> dict[str, Any]:
    """The recipe's route without its place and what the stage says itself."""
    (route,) = tomllib.loads(RECIPES[recipe])["proxy"]
    return {key: value for key, value in route.items() if key not in _STAGE}


class McpTests(test_mcp._Mcp, PythonClientTestCase):
    client = Client("mcp", variant="least privilege")
    route = options_of("mcp")
    with_client = test_mcp.PythonTests.with_client

    async def test_session(self):
        """It begins, lists, calls what is opened, and ends its session."""

        async def use(client):
            await client.list_tools()
            return await client.call_tool("add", {"a": 1})

        self.assertEqual((await self.ask(self.with_client(use))).content[0].text, "42")
        self.assertEqual(len(self.methods("DELETE")), 1)

    async def test_newest_protocol(self):
        async def use(client):
            await client.list_tools()
            return await client.call_tool("add", {"region": "eu"})

        done = await self.ask(self.with_client(use, mode=test_mcp.MODERN))
        self.assertEqual(done.content[0].text, "eu")

    async def test_another_tool(self):
        """The call fails in the client's own way, and the server never hears of it."""

        async def use(client):
            with self.assertRaises(test_mcp.mcp.MCPError):
                await client.call_tool("delete", {})

        await self.ask(self.with_client(use))
        self.assertNotIn(b"delete", b"".join(call.body for call in self.vendor.calls))


class StripeTests(test_stripe._Stripe, PythonClientTestCase):
    client = Client("stripe", variant="least privilege")
    route = options_of("stripe")
    others = {}

    async def pay(self, **change):
        payment = {"amount": 500, "currency": "eur", "metadata": {"order": "6"}, **change}
        made = test_stripe.stripe.StripeClient(TOKEN, base_addresses={"api": self.base})
        return await self.ask(lambda: made.v1.payment_intents.create(payment))

    async def test_payment(self):
        """The page's fields and the server's arrive."""
        self.assertEqual((await self.pay()).amount, 500)
        fields = dict(parse_qsl(self.vendor.calls[0].body.decode()))
        self.assertEqual((fields["metadata[order]"], fields["metadata[shop]"]), ("6", "berlin"))

    async def test_refused(self):
        """The client raises its own error, which names the member."""
        for change in ({"amount": 5001}, {"currency": "usd"}, {"customer": "cus_1"}):
            with self.assertRaises(test_stripe.stripe.StripeError) as caught:
                await self.pay(**change)
            self.assertIn(f'"{next(iter(change))}"', str(caught.exception))
        self.assertEqual(self.vendor.calls, [])
