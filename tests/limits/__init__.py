"""Tests of naap_twisted.limits."""
