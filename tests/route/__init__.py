"""Tests of :mod:`naap_twisted.route`."""
