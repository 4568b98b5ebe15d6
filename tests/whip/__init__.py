"""Tests of naap_twisted.whip."""
