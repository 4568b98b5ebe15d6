"""Tests of naap_twisted.keys."""
