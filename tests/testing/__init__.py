"""Tests of naap_twisted.testing."""
