"""Tables of keys, compiled."""

from twisted.trial.unittest import SynchronousTestCase

from naap_twisted.keys.headers import UserKeyHeaders
from naap_twisted.model import UserKeyHeader
from naap_twisted.options.injected import KeyTable
from naap_twisted.route.injection import Injection
from naap_twisted.secret import Secret
from tests.keys.memory import MemoryKeyStore

KEY = Secret("canary-key", "env:KEY")


class InjectionTests(SynchronousTestCase):
    def test_fixed(self):
        """Headers that every request has alike, and a query."""
        injection = Injection.compile(KeyTable({"Authorization": KEY}, {"key": KEY}))
        self.assertEqual(injection.headers, ((b"Authorization", KEY),))
        self.assertIsNone(injection.forward)
        self.assertIsNotNone(injection.sealing)
        self.assertNotIn("canary", repr(injection))
        self.assertIs(injection.with_keys(MemoryKeyStore()), injection)

    def test_nothing(self):
        """An empty table adds nothing, and costs nothing."""
        self.assertEqual(Injection.compile(KeyTable()), Injection())

    def test_callable(self):
        """A callable makes the headers; the query is fixed all the same."""
        injection = Injection.compile(KeyTable(dict, {"key": KEY}))
        self.assertIs(injection.forward, dict)
        self.assertEqual(injection.headers, ())
        self.assertIsNotNone(injection.sealing)

    def test_user_keys(self):
        """A template waits for the store."""
        table = KeyTable({"Authorization": UserKeyHeader("daydream"), "X-A": KEY})
        injection = Injection.compile(table)
        self.assertEqual((injection.headers, injection.forward), ((), None))
        forward = injection.with_keys(MemoryKeyStore()).forward
        self.assertIsInstance(forward, UserKeyHeaders)
        self.assertEqual(forward.names, ("Authorization", "X-A"))
