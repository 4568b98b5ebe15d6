"""What every key store does, whatever is behind it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults

from naap_twisted.errors import NoUserKey, TooManyKeys
from naap_twisted.interfaces import IKeyStore
from naap_twisted.keys.rules import MOST_KEYS
from naap_twisted.secret import Secret
from tests.support import verify_protocol

KEY = Secret("sk-canary-user-key-1234")
OTHER = Secret("sk-canary-other-key-5678")
#: The time that the stores of these tests have.
NOW = 1_790_000_000


class KeyStoreContract:
    """Mixed into a TestCase whose ``store`` is empty and made with path ``/api/v1/keys``."""

    store: Any

    def test_interface(self: Any) -> None:
        """It stands behind IKeyStore."""
        verify_protocol(IKeyStore, self.store)

    async def test_put_then_get(self: Any) -> None:
        """What was put is what is got, and what is told of it is its end and its time."""
        info = await self.store.put("ada", "daydream", KEY)
        self.assertEqual((info.provider, info.last4, info.updated_at), ("daydream", "1234", NOW))
        found = await self.store.get("ada", "daydream")
        self.assertIsInstance(found, Secret)
        self.assertEqual(found, KEY)
        self.assertEqual(await self.store.describe("ada"), (info,))

    async def test_replaced(self: Any) -> None:
        """The last one counts."""
        await self.store.put("ada", "daydream", KEY)
        await self.store.put("ada", "daydream", OTHER)
        self.assertEqual(await self.store.get("ada", "daydream"), OTHER)
        self.assertEqual(len(await self.store.describe("ada")), 1)

    async def test_absent(self: Any) -> None:
        """No key is an error that tells where to add one."""
        error = await self.assertFailure(self.store.get("ada", "daydream"), NoUserKey)
        self.assertEqual(error.http_status, 403)
        self.assertIn("PUT /api/v1/keys/daydream", error.message)
        self.assertEqual(await self.store.describe("ada"), ())

    async def test_users_are_apart(self: Any) -> None:
        """Nobody sees, gets or deletes another user's key; ids are told apart exactly."""
        for user in ("ada", "Ada", "ada ", "ad", "ada\n", "ada'--", "äda"):
            await self.store.put(user, "daydream", Secret(f"sk-key-of-{user.strip()}-{len(user)}"))
        self.assertEqual((await self.store.get("ada", "daydream")), Secret("sk-key-of-ada-3"))
        self.assertFalse(await self.store.delete("bob", "daydream"))
        await self.assertFailure(self.store.get("bob", "daydream"), NoUserKey)
        self.assertTrue(await self.store.delete("Ada", "daydream"))
        self.assertEqual(len(await self.store.describe("ada")), 1)

    async def test_delete(self: Any) -> None:
        """A deleted key is gone, and only that one; deleting again finds nothing."""
        await self.store.put("ada", "daydream", KEY)
        await self.store.put("ada", "openai", OTHER)
        self.assertIs(await self.store.delete("ada", "daydream"), True)
        self.assertIs(await self.store.delete("ada", "daydream"), False)
        await self.assertFailure(self.store.get("ada", "daydream"), NoUserKey)
        self.assertEqual(await self.store.get("ada", "openai"), OTHER)

    async def test_listed_by_provider(self: Any) -> None:
        """In order of the provider's name; a short key shows nothing of itself."""
        for provider in ("zeta", "a-1", "a1", "openai"):
            await self.store.put("ada", provider, KEY)
        await self.store.put("ada", "b", Secret("short-key"))
        listed = await self.store.describe("ada")
        self.assertEqual([i.provider for i in listed], ["a-1", "a1", "b", "openai", "zeta"])
        self.assertEqual([i.last4 for i in listed], ["1234", "1234", "", "1234", "1234"])

    async def test_bounded(self: Any) -> None:
        """A user keeps so many keys; replacing one of them is always possible."""
        for number in range(MOST_KEYS):
            await self.store.put("ada", f"p{number}", KEY)
        await self.assertFailure(self.store.put("ada", "more", KEY), TooManyKeys)
        await self.store.put("ada", "p0", OTHER)
        await self.store.put("bob", "more", KEY)
        self.assertEqual(len(await self.store.describe("ada")), MOST_KEYS)

    async def test_at_once(self: Any) -> None:
        """Writers of one key at the same time: each is served, one of them is last."""
        keys = [Secret(f"sk-canary-at-once-{number:04}") for number in range(8)]
        await gatherResults([self.store.put("ada", "daydream", key) for key in keys])
        self.assertIn(await self.store.get("ada", "daydream"), keys)
        self.assertEqual(len(await self.store.describe("ada")), 1)

    async def test_long_and_odd_keys(self: Any) -> None:
        """Every byte that a header can hold comes back."""
        odd = Secret(bytes([9, *range(32, 127), *range(128, 256)]) * 30)
        await self.store.put("ada", "odd", odd)
        self.assertEqual(await self.store.get("ada", "odd"), odd)
