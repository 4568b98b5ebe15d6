"""Tests of naap_twisted.keys.memory."""

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from naap_twisted.keys.memory import MemoryKeyStore

from .contract import NOW, KeyStoreContract


class MemoryKeyStoreTests(KeyStoreContract, TestCase):
    def setUp(self) -> None:
        clock = Clock()
        clock.advance(NOW)
        self.store = MemoryKeyStore(clock.seconds)
