"""Tests of :mod:`naap_twisted.start`."""
