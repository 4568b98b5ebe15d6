"""Tests of naap_twisted.wrappers."""
