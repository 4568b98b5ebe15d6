"""Tests of :mod:`naap_twisted.server`."""
