"""Tests of naap_twisted.spend.memory."""

from twisted.trial.unittest import TestCase

from naap_twisted.spend.memory import MemoryUsageStore

from .contract import UsageStoreContract


class MemoryUsageStoreTests(UsageStoreContract, TestCase):
    def setUp(self) -> None:
        self.store = MemoryUsageStore()
