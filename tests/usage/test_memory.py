"""Tests of naap_twisted.usage.memory."""

from twisted.trial.unittest import TestCase

from naap_twisted.usage.memory import MemoryUsageStore

from .contract import UsageStoreContract


class MemoryUsageStoreTests(UsageStoreContract, TestCase):
    def setUp(self) -> None:
        self.store = MemoryUsageStore()
