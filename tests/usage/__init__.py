"""Tests of naap_twisted.usage."""
