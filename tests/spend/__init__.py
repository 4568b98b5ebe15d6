"""Tests of naap_twisted.spend."""
