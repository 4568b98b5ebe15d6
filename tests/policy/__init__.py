"""Tests of :mod:`naap_twisted.policy`."""
